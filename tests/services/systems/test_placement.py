"""Placements against ASE's distances and what OC20's rules promise."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, fcc211, molecule
from ase.data import chemical_symbols, covalent_radii

from services.systems.assembly import assemble
from services.systems.placement import place, sites
from services.systems.surfaces import cut, marked
from shared.adsorbates import lookup
from shared.errors import InvalidInput
from shared.parameters import Placement, PlacementMode
from shared.periodic import minimum_image
from shared.structures import Structure
from shared.submissions import AdslabSubmission, Adsorbate, BulkSubmission, SlabSubmission


def platinum(size=(2, 2, 3)) -> Structure:
    slab = fcc111("Pt", size, a=3.92, vacuum=8.0, periodic=True)
    slab.set_tags(0)
    return marked(slab)


def gaps(structure: Structure) -> np.ndarray:
    """Distance minus covalent contact, adsorbate to slab, by ASE, Å."""
    atoms = structure.to_atoms()
    distances = atoms.get_all_distances(mic=True)
    radii = covalent_radii[atoms.numbers]
    return (distances - radii[:, None] - radii[None])[np.ix_(structure.adsorbate, structure.slab)]


@pytest.mark.parametrize("mode", list(PlacementMode))
@pytest.mark.parametrize("name", ["*CO", "*H", "*OCHCH3"])
def test_first_contact_is_at_the_clearance(mode, name):
    slab = platinum((3, 3, 3))
    for placed in place(slab, lookup(name), Placement(mode=mode, count=6), np.random.default_rng(2)):
        assert gaps(placed.structure).min() == pytest.approx(0.1, abs=1e-9)
        heights = placed.structure.heights
        assert heights[placed.structure.adsorbate].min() > heights[placed.structure.slab].max() - 1.0


def test_the_same_generator_gives_the_same_placements_bit_for_bit():
    slab, settings = platinum(), Placement(mode=PlacementMode.RANDOM, count=5)
    first = place(slab, lookup("*CO"), settings, np.random.default_rng(7))
    again = place(slab, lookup("*CO"), settings, np.random.default_rng(7))
    other = place(slab, lookup("*CO"), settings, np.random.default_rng(8))
    assert [one.structure.digest for one in first] == [one.structure.digest for one in again]
    assert first[0].structure.digest != other[0].structure.digest


def test_every_distinct_site_comes_before_any_comes_again():
    placed = place(platinum(), lookup("*CO"), Placement(count=8), np.random.default_rng(0))
    assert [one.site for one in placed[:4]] == [one.site for one in placed[4:]]
    assert [one.site for one in placed[:4]] == ["top Pt", "bridge Pt-Pt", "fcc hollow Pt3", "hcp hollow Pt3"]


def test_heuristic_placements_put_the_binding_atom_on_the_site_and_the_rest_above():
    slab = platinum()
    known = [site for _, site in sites(slab)]
    for placed, site in zip(
        place(slab, lookup("*CO"), Placement(count=4), np.random.default_rng(1)), known, strict=True
    ):
        carbon, oxygen = placed.structure.positions[-2:]
        assert carbon[:2] == pytest.approx(site[:2], abs=1e-9)
        assert oxygen[2] - carbon[2] == pytest.approx(np.linalg.norm(oxygen - carbon))


def given(formula, *binding):
    atoms = molecule(formula)
    return Adsorbate(
        name=formula,
        numbers=tuple(atoms.numbers.tolist()),
        positions=tuple(map(tuple, atoms.positions.tolist())),
        binding=binding,
    )


def test_ethylene_named_by_both_carbons_lies_flat_on_every_site_first():
    once = len(sites(platinum()))
    placed = place(platinum(), given("C2H4", 0, 1), Placement(count=2 * once), np.random.default_rng(3))
    tilts = [float(np.ptp(one.structure.positions[-6:-4, 2])) for one in placed]
    assert max(tilts[:once]) < 1e-6
    assert min(tilts[once:]) > 1.2
    for one in placed[:once]:
        assert one.structure.positions[-4:, 2].min() > one.structure.positions[-6:-4, 2].min() - 1e-6


@pytest.mark.parametrize("mode", [PlacementMode.HEURISTIC, PlacementMode.RANDOM_SITE])
@pytest.mark.parametrize(
    ("formula", "binding", "ends"),
    [("O2", 0, (0, 1)), ("N2", 0, (0, 1)), ("C2H4", 0, (0, 1)), ("C2H2", 0, (0, 1)), ("CO2", 0, (1, 2))],
)
def test_small_symmetric_molecules_start_flat_and_end_on(mode, formula, binding, ends):
    placed = place(platinum(), given(formula, binding), Placement(mode=mode, count=8), np.random.default_rng(3))
    first = len(placed[0].structure) - len(given(formula, binding).numbers)
    tilted = []
    for one in placed:
        vector = np.subtract(*one.structure.positions[[first + end for end in ends]])
        tilted.append(abs(vector[2]) / np.linalg.norm(vector))
    # tilted on random sites by 20 degrees at most
    assert sum(share < np.sin(np.pi / 9) + 1e-6 for share in tilted) == 4
    assert sum(share > np.cos(np.pi / 9) - 1e-6 for share in tilted) == 4


def test_what_a_random_site_is_near_to_is_named():
    for mode in (PlacementMode.RANDOM, PlacementMode.RANDOM_SITE):
        placed = place(platinum(), lookup("*CO"), Placement(mode=mode, count=5), np.random.default_rng(3))
        assert {one.site for one in placed} == {"random near Pt"}
    atoms = platinum((3, 3, 3)).to_atoms()
    atoms.numbers[atoms.positions[:, 0] > atoms.cell.lengths()[0] / 2] = 28
    alloy = Structure.from_oc_atoms(atoms)
    placed = place(alloy, lookup("*O"), Placement(mode=PlacementMode.RANDOM, count=20), np.random.default_rng(3))
    for one in placed:
        touched = alloy.numbers[gaps(one.structure)[0].argmin()]
        assert one.site == f"random near {chemical_symbols[touched]}"
    assert len({one.site for one in placed}) == 2


def test_a_leaning_third_vector_changes_no_placement():
    upright = fcc111("Cu", (2, 2, 3), a=3.6, vacuum=8.0, periodic=True)
    upright.set_tags(0)
    leaning = upright.copy()
    leaning.set_cell(upright.cell.array + np.outer([0, 0, 1], 0.43 * upright.cell[0] + 0.21 * upright.cell[1]))
    for mode in PlacementMode:
        settings = Placement(mode=mode, count=6)
        one, other = (
            place(marked(atoms), lookup("*OH"), settings, np.random.default_rng(5)) for atoms in (upright, leaning)
        )
        assert [placed.site for placed in one] == [placed.site for placed in other]
        for straight, tilted in zip(one, other, strict=True):
            moved = tilted.structure.positions - straight.structure.positions
            assert np.abs(minimum_image(moved, upright.cell, upright.pbc)).max() < 1e-9


def test_random_orientations_are_uniform_on_the_sphere():
    slab = platinum()
    settings = Placement(mode=PlacementMode.RANDOM, count=400)
    placed = place(slab, lookup("*CO"), settings, np.random.default_rng(4))
    axes = np.array([np.diff(one.structure.positions[-2:], axis=0)[0] for one in placed])
    cosines = np.sort(axes[:, 2] / np.linalg.norm(axes, axis=1))
    uniform = np.linspace(-1, 1, len(cosines))
    # Kolmogorov-Smirnov at the 0.1 % level: 1.95 / sqrt(n) of the cumulative, twice that in cosine
    assert np.abs(cosines - uniform).max() < 2 * 1.95 / np.sqrt(len(cosines))


def test_a_cut_bulk_is_thick_wide_and_anchored():
    crystal = bulk("Pt", "fcc", a=3.92)
    submission = BulkSubmission(
        numbers=tuple(crystal.numbers.tolist()),
        positions=tuple(map(tuple, crystal.positions.tolist())),
        cell=tuple(map(tuple, crystal.cell.tolist())),
        miller=(1, 1, 1),
        adsorbate=lookup("*CO"),
    )
    slab = cut(submission)
    lengths = np.linalg.norm(slab.cell, axis=1)
    assert lengths[:2].min() >= 8.0
    assert np.ptp(slab.heights) + 3.92 / np.sqrt(3) >= 7.0
    per_layer = np.unique(np.round(slab.heights, 3), return_counts=True)[1]
    assert slab.surface.sum() == per_layer[-1]
    assert (slab.fixed == ~slab.surface).all()
    spacing = slab.to_atoms().get_all_distances(mic=True)
    assert spacing[spacing > 0].min() == pytest.approx(3.92 / np.sqrt(2), abs=1e-6)
    with pytest.raises(InvalidInput, match="this crystal has 1 along"):
        cut(submission.model_copy(update={"termination": 3}))


def test_a_stepped_surface_has_its_step_atoms_in_the_surface():
    slab = marked(fcc211("Pt", (3, 2, 3), a=3.92, vacuum=8.0))
    top = slab.heights > slab.heights.max() - 2.0
    assert slab.surface[top].all()
    assert slab.surface.sum() > 0
    assert not slab.surface[slab.heights < np.median(slab.heights)].any()


def test_an_adslab_keeps_its_geometry_slab_first_and_finds_what_binds():
    atoms = platinum().to_atoms()
    top = atoms.positions[atoms.positions[:, 2].argmax()]
    molecule = Atoms("OC", top + np.array([[0, 0, 3.0], [0, 0, 1.85]]), tags=[2, 2])
    mixed = molecule + atoms
    mixed.set_cell(atoms.cell)
    mixed.pbc = True
    system = assemble(AdslabSubmission(structure=Structure.from_oc_atoms(mixed).to_document()))
    assert system.first is not None
    assert system.first.adsorbate.tolist() == [False] * len(atoms) + [True, True]
    assert system.first.positions[-2:].tolist() == molecule.positions.tolist()
    assert system.adsorbate.binding == (1,)
    assert len(system.slab) == len(atoms)


def test_a_slab_without_marks_gets_its_surface_and_its_anchor():
    atoms = fcc111("Cu", (2, 2, 4), vacuum=8.0, periodic=True)
    atoms.set_tags(0)
    document = Structure.from_oc_atoms(atoms).to_document()
    system = assemble(SlabSubmission(slab=document, adsorbate=lookup("*OH")))
    assert system.slab.surface.sum() == 4
    assert system.slab.fixed.sum() == 12
