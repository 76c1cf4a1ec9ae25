"""Placements against ASE's distances and what OC20's rules promise."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, fcc211
from ase.data import covalent_radii

from services.systems.assembly import assemble
from services.systems.placement import high_symmetry_sites, place, sites
from services.systems.surfaces import cut, marked
from shared.adsorbates import lookup
from shared.errors import InvalidInput
from shared.parameters import Placement, PlacementMode
from shared.structures import Structure
from shared.submissions import AdslabSubmission, BulkSubmission, SlabSubmission


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


def test_fcc111_has_one_top_one_bridge_and_two_hollows():
    names = [name for name, _ in high_symmetry_sites(platinum())]
    assert sorted(names) == ["bridge", "hollow", "hollow", "top"]


def test_every_distinct_site_comes_before_any_comes_again():
    placed = place(platinum(), lookup("*CO"), Placement(count=8), np.random.default_rng(0))
    assert [one.site for one in placed[:4]] == [one.site for one in placed[4:]]
    assert {one.site for one in placed[:4]} == {"top", "bridge", "hollow"}


def test_heuristic_placements_put_the_binding_atom_on_the_site_and_the_rest_above():
    slab = platinum()
    known = [site for _, site in sites(slab)]
    for placed, site in zip(
        place(slab, lookup("*CO"), Placement(count=4), np.random.default_rng(1)), known, strict=True
    ):
        carbon, oxygen = placed.structure.positions[-2:]
        assert carbon[:2] == pytest.approx(site[:2], abs=1e-9)
        assert oxygen[2] - carbon[2] == pytest.approx(np.linalg.norm(oxygen - carbon))


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
