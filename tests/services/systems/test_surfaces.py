"""Slabs against what the crystal dictates: spacings, densities, terminations and handedness, with ASE's neighbour lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.constraints import FixAtoms
from ase.neighborlist import neighbor_list

from services.systems.canonical import canonical
from services.systems.surfaces import cut, cut_with_notes, marked, surface_mask, with_surface
from shared.adsorbates import lookup
from shared.errors import InvalidInput
from shared.structures import Structure
from shared.submissions import BulkSubmission

CRYSTALS = {
    "Pt": bulk("Pt", "fcc", a=3.92),
    "Fe": bulk("Fe", "bcc", a=2.87),
    "Ru": bulk("Ru", "hcp", a=2.70, c=4.28),
    "NaCl": bulk("NaCl", "rocksalt", a=5.64),
    "ZnS": bulk("ZnS", "zincblende", a=5.41),
}
CUTS = [
    ("Pt", (1, 1, 1)),
    ("Pt", (1, 0, 0)),
    ("Pt", (1, -1, 0)),
    ("Fe", (1, 1, 0)),
    ("Fe", (1, 1, 1)),
    ("Ru", (0, 0, 1)),
    ("Ru", (1, 0, 1)),
    ("NaCl", (1, 0, 0)),
    ("ZnS", (1, 1, 1)),
]


def submitted(crystal: Atoms, miller: tuple[int, int, int], **others: Any) -> BulkSubmission:
    return BulkSubmission(
        numbers=tuple(crystal.numbers.tolist()),
        positions=tuple(map(tuple, crystal.positions.tolist())),
        cell=tuple(map(tuple, crystal.cell.tolist())),
        miller=miller,
        adsorbate=lookup("*CO"),
        **others,
    )


def slab_of(crystal: str, miller: tuple[int, int, int], **others: Any) -> Structure:
    return cut(submitted(CRYSTALS[crystal], miller, **others))


def ends(slab: Structure) -> tuple[str, str]:
    """Composition of the lowest and the highest plane."""
    heights = slab.heights
    return slab.only(heights < heights.min() + 0.2).formula, slab.only(heights > heights.max() - 0.2).formula


@pytest.mark.parametrize(("crystal", "miller"), CUTS)
@pytest.mark.parametrize(("min_depth", "min_width", "vacuum"), [(7.0, 8.0, 20.0), (10.0, 5.0, 12.0)])
def test_a_slab_is_as_deep_as_wide_and_as_free_as_asked(crystal, miller, min_depth, min_width, vacuum):
    slab = slab_of(crystal, miller, min_depth=min_depth, min_width=min_width, vacuum=vacuum)
    primitive = CRYSTALS[crystal]
    area = float(np.linalg.norm(np.cross(slab.cell[0], slab.cell[1])))
    # as much crystal as fills the area to this depth, whatever the planes' distances
    assert len(slab) * primitive.get_volume() / len(primitive) / area >= min_depth - 1e-6
    assert np.linalg.norm(slab.cell[:2], axis=1).min() >= min_width - 1e-6
    assert slab.cell[2] @ slab.normal - np.ptp(slab.heights) >= vacuum
    assert slab.heights.min() == pytest.approx(0.0, abs=1e-3)
    assert np.linalg.norm(np.cross(slab.cell[2], slab.normal)) == pytest.approx(0.0, abs=1e-6)
    assert slab.pbc.all()


@pytest.mark.parametrize(("crystal", "miller"), CUTS)
@pytest.mark.parametrize("top", [True, False])
def test_inside_it_is_the_crystal(crystal, miller, top):
    slab = slab_of(crystal, miller, min_depth=13.0, top=top)
    reach = 4.0
    inside = (slab.heights > reach) & (slab.heights < slab.heights.max() - reach)
    assert inside.any()
    first, lengths = neighbor_list("id", slab.to_atoms(), reach)
    expected_first, expected_lengths = neighbor_list("id", CRYSTALS[crystal], reach)
    shells = {
        number: np.sort(expected_lengths[expected_first == index])
        for index, number in enumerate(CRYSTALS[crystal].numbers)
    }
    for atom in np.flatnonzero(inside):
        assert np.sort(lengths[first == atom]) == pytest.approx(shells[slab.numbers[atom]], abs=1e-6)


@pytest.mark.parametrize(
    ("crystal", "miller", "spacing", "per_area"),
    [
        ("Pt", (1, 1, 1), 3.92 / np.sqrt(3), 4 / (np.sqrt(3) * 3.92**2)),
        ("Pt", (1, 0, 0), 3.92 / 2, 2 / 3.92**2),
        ("Fe", (1, 1, 0), 2.87 / np.sqrt(2), np.sqrt(2) / 2.87**2),
        ("Ru", (0, 0, 1), 4.28 / 2, 2 / (np.sqrt(3) * 2.70**2)),
    ],
)
def test_planes_have_the_spacing_and_the_density_of_their_index(crystal, miller, spacing, per_area):
    slab = slab_of(crystal, miller)
    planes, counts = np.unique(np.round(slab.heights, 4), return_counts=True)
    assert np.diff(planes) == pytest.approx(spacing, abs=1e-3)
    area = np.linalg.norm(np.cross(slab.cell[0], slab.cell[1]))
    assert counts / area == pytest.approx(per_area, rel=1e-6)
    assert (slab.surface == (slab.heights > slab.heights.max() - 2.0)).all()
    assert (slab.fixed == ~slab.surface).all()
    assert not slab.adsorbate.any()


def test_polar_cuts_have_each_termination_once_and_turning_over_swaps_the_faces():
    faces = [ends(slab_of("ZnS", (1, 1, 1), termination=number)) for number in (0, 1)]
    turned = [ends(slab_of("ZnS", (1, 1, 1), termination=number, top=False)) for number in (0, 1)]
    assert [(bottom[:1], top[:1]) for bottom, top in faces] == [("S", "Z"), ("Z", "S")]
    assert turned == [(top, bottom) for bottom, top in faces]
    # broken between the double layers, or within them
    depths = [np.ptp(slab_of("ZnS", (1, 1, 1), termination=number).heights) for number in (0, 1)]
    assert abs(depths[0] - depths[1]) == pytest.approx(5.41 / np.sqrt(3) / 2, abs=1e-3)
    with pytest.raises(InvalidInput, match="has 2 along") as refused:
        slab_of("ZnS", (1, 1, 1), termination=2)
    assert refused.value.field == "input.termination"


PEROVSKITE = Atoms(
    "SrHfO3", scaled_positions=[(0, 0, 0), (0.52, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)],
    cell=[5.4, 7.6, 5.3], pbc=True,
)  # fmt: skip
"""Three axes of different lengths, not in their order, and nothing alike along them."""


@pytest.mark.parametrize(
    ("miller", "along", "sides"),
    [((1, 0, 0), 5.4, (7.6, 5.3)), ((0, 1, 0), 7.6, (5.4, 5.3)), ((0, 0, 1), 5.3, (5.4, 7.6))],
)
@pytest.mark.parametrize("left_handed", [False, True])
def test_an_index_is_of_the_axes_that_were_given(miller, along, sides, left_handed):
    crystal = PEROVSKITE.copy()
    if left_handed:
        crystal.set_cell(crystal.cell.array * [[-1], [1], [1]])
        crystal.wrap()
    slab, notes = cut_with_notes(submitted(crystal, miller, conventional=False, min_width=1.0, min_depth=2.5 * along))
    assert sorted(np.linalg.norm(slab.cell[:2], axis=1)) == pytest.approx(sorted(sides))
    strontium = np.sort(slab.heights[slab.numbers == 38])
    assert np.diff(strontium) == pytest.approx(along)
    index = " ".join(map(str, miller))
    assert notes[0].startswith(f"cut along ({index}) of the cell, a = 5.400, b = 7.600, c = 5.300 Å")


def test_the_standard_conventional_cell_is_cut_where_asked_for_and_shown():
    slab, notes = cut_with_notes(submitted(PEROVSKITE, (0, 0, 1), conventional=True, min_width=1.0))
    assert sorted(np.linalg.norm(slab.cell[:2], axis=1)) == pytest.approx([5.3, 5.4])
    assert "(0 0 1) of the standard conventional cell, a = 5.300, b = 5.400, c = 7.600 Å" in notes[0]


@pytest.mark.parametrize("crystal", ["Pt", "Fe"])
@pytest.mark.parametrize("miller", [(1, 1, 1), (1, 0, 0), (1, 1, 0)])
def test_a_primitive_cell_is_cut_as_it_is_and_told_which_face_that_is(crystal, miller):
    slab, notes = cut_with_notes(submitted(CRYSTALS[crystal], miller, conventional=False))
    face = notes[1].split(" of the conventional cell")[0].rsplit("is ", 1)[1]
    again = cut(submitted(CRYSTALS[crystal], tuple(int(part) for part in face.strip("()").split()), conventional=True))
    spacing = [np.diff(np.unique(np.round(one.heights, 4))).mean() for one in (slab, again)]
    density = [
        len(one) / np.linalg.norm(np.cross(*one.cell[:2])) / len(np.unique(np.round(one.heights, 4)))
        for one in (slab, again)
    ]
    assert spacing[0] == pytest.approx(spacing[1], abs=1e-3)
    assert density[0] == pytest.approx(density[1], rel=1e-6)
    assert "set conventional: true" in notes[1]


@pytest.mark.parametrize("miller", [(1, 1, 1), (-1, -1, -1), (1, 1, -1), (2, 1, 1), (-2, -1, -1), (-3, -1, -1)])
@pytest.mark.parametrize("top", [True, False])
def test_the_face_of_the_index_looks_up_and_the_other_one_where_asked_for(miller, top):
    crystal = bulk("ZnS", "zincblende", a=5.41, cubic=True)
    slab = cut(submitted(crystal, miller, conventional=False, top=top, min_depth=12.0))
    outward = np.array(miller) / np.linalg.norm(miller) * (1 if top else -1)
    ends = []
    for atoms, normal in ((slab.to_atoms(), slab.normal), (crystal, outward)):
        first, vectors = neighbor_list("iD", atoms, 2.5)
        along = (vectors @ normal)[atoms.numbers[first] == 30]  # from Zn to its S
        ends.append([along.min(), along.max()])
    assert ends[0] == pytest.approx(ends[1], abs=1e-6)


@pytest.mark.parametrize("repeats", [(2, 2, 2), (1, 1, 2)])
@pytest.mark.parametrize("miller", [(1, 1, 1), (2, 1, 0)])
def test_of_a_supercell_the_same_plane_is_cut_as_of_its_unit_cell(repeats, miller):
    crystal = bulk("Pt", cubic=True)
    in_it = tuple(int(number) for number in np.array(miller) * repeats)
    whole = cut(submitted(crystal.repeat(repeats), in_it, conventional=False, min_width=1.0))
    unit = cut(submitted(crystal, miller, conventional=False, min_width=1.0))
    assert canonical(whole).slab.positions == pytest.approx(canonical(unit).slab.positions, abs=1e-6)
    assert canonical(whole).slab.cell == pytest.approx(canonical(unit).slab.cell, abs=1e-6)


def test_a_small_distortion_is_not_averaged_away():
    crystal = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    crystal.positions[0, 2] += 0.15
    slab = cut(submitted(crystal, (1, 0, 0), conventional=False, min_width=1.0, min_depth=11.0))
    lengths = neighbor_list("d", slab.to_atoms(), 2.75)
    assert lengths.min() == pytest.approx(2.82 - 0.15, abs=1e-6)


def handedness(atoms: Atoms) -> float:
    """Volume spanned by the vectors from Cu to its Ag, Au and Pt: its sign tells a crystal from its mirror image, Å³."""
    copper = int(np.flatnonzero(atoms.numbers == 29)[len(atoms) // 8])
    first, second, vectors = neighbor_list("ijD", atoms, 2.9)
    mine = first == copper
    by_element = {int(atoms.numbers[j]): vector for j, vector in zip(second[mine], vectors[mine], strict=True)}
    return float(np.linalg.det([by_element[47], by_element[79], by_element[78]]))


@pytest.mark.parametrize("top", [True, False])
@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_a_chiral_crystal_keeps_its_hand(top, mirror):
    # a molecule of four elements in a cell without symmetry; 6 Å apart, so that its own neighbours are the nearest
    positions = np.array([[0, 0, 0], [2.5, 0.2, 0.1], [0.3, 2.6, 0.2], [-0.1, 0.4, 2.7]]) * [mirror, 1, 1]
    crystal = Atoms("CuAgAuPt", positions, cell=[[6.0, 0, 0], [0.4, 6.3, 0], [0.7, -0.5, 6.7]], pbc=True)
    slab = cut(submitted(crystal, (0, 0, 1), top=top, min_depth=14.0))
    assert handedness(slab.to_atoms()) == pytest.approx(handedness(crystal), rel=1e-6)
    assert np.sign(handedness(crystal)) == mirror


def test_marks_and_anchors_that_are_there_are_kept():
    atoms = fcc111("Cu", (2, 2, 3), vacuum=8.0, periodic=True)
    atoms.set_constraint(FixAtoms([1, 2]))
    slab = marked(atoms)
    assert np.flatnonzero(slab.fixed).tolist() == [1, 2]
    assert slab.surface.sum() == 4
    lowest = Structure.from_atoms(atoms, adsorbate=np.zeros(12), surface=np.arange(12) < 4)
    assert with_surface(lowest) is lowest


def test_atoms_below_the_top_layer_count_as_surface_where_a_neighbour_is_missing():
    atoms = fcc111("Pt", (3, 3, 4), a=3.92, vacuum=8.0, periodic=True)
    heights = atoms.positions[:, 2]
    centre = int(np.flatnonzero(atoms.get_tags() == 1)[4])
    under = np.flatnonzero((atoms.get_tags() == 2) & (atoms.get_distances(centre, range(len(atoms)), mic=True) < 3.0))
    holed = atoms.copy()
    del holed[centre]
    none = np.zeros(len(holed), dtype=bool)
    mask = surface_mask(Structure.from_atoms(holed, adsorbate=none, surface=none))
    expected = np.delete((heights > heights.max() - 2.0) | np.isin(np.arange(len(atoms)), under), centre)
    assert len(under) == 3
    assert np.array_equal(mask, expected)
