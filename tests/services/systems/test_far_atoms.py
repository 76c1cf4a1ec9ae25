"""Atoms that were written down thousands of Å away: by lattice vectors it is the same surface, and costs no more."""

import time

import numpy as np
import pytest
from ase.build import fcc111

from services.geometry.similarity import fingerprint
from services.systems.find import find_placements
from shared.adsorbates import lookup
from shared.parameters import JobParameters, Placement
from shared.slabs import brought_back
from shared.structures import Structure
from shared.submissions import AdslabSubmission, SlabSubmission

PARAMETERS = JobParameters(placement=Placement(count=8))


def slab() -> Structure:
    atoms = fcc111("Pt", (3, 3, 4), a=3.92, vacuum=10.0, periodic=True)
    atoms.set_tags(0)
    return Structure.from_oc_atoms(atoms)


def adslab() -> Structure:
    bare = slab()
    top = bare.positions[np.argmax(bare.heights)]
    return Structure(
        numbers=[*bare.numbers, 6, 8],
        positions=[*bare.positions, top + np.array([0, 0, 1.9]), top + np.array([0, 0, 3.05])],
        cell=bare.cell,
        pbc=bare.pbc,
        adsorbate=[*bare.adsorbate, True, True],
        surface=[*bare.surface, False, False],
        fixed=[*bare.fixed, False, False],
    )


@pytest.mark.parametrize("steps", [(480, 0, 0), (0, -500, 0), (300, 300, -200), (0, 0, 170)])
@pytest.mark.parametrize("atoms", [[3], [0, 17, 35]])
def test_an_atom_that_is_whole_lattice_vectors_away_changes_nothing_but_a_warning(steps, atoms):
    near = slab()
    positions = near.positions.copy()
    positions[atoms] += np.array(steps) @ near.cell
    assert np.abs(positions).max() > 1000
    found = []
    for one in (near, near.moved(positions)):
        began = time.process_time()
        submission = SlabSubmission(slab=one.to_document(), adsorbate=lookup("*CO"))
        found.append(find_placements(submission, PARAMETERS))
        assert time.process_time() - began < 2.0
    (system, placed), (far_system, far_placed) = found
    assert [one.site for one in placed] == [one.site for one in far_placed]
    assert np.abs(far_system.slab.positions).max() < 40
    for one, other in zip(placed, far_placed, strict=True):
        assert fingerprint(one.structure) == pytest.approx(fingerprint(other.structure), abs=1e-6)
    said = "more than ten cells away along the surface" if any(steps[:2]) else "third lattice vector"
    assert any(said in warning for warning in far_system.warnings)
    assert not any(said in warning for warning in system.warnings)


def test_a_molecule_is_brought_back_as_a_whole():
    given = adslab()
    far = np.where(given.adsorbate[:, None], given.positions + np.array([400, -300, 0]) @ given.cell, given.positions)
    moved = given.moved(far)
    system, placed = find_placements(AdslabSubmission(structure=moved.to_document()), PARAMETERS)
    assert placed[0].site == "submitted"
    molecule = placed[0].structure.positions[placed[0].structure.adsorbate]
    assert np.linalg.norm(molecule[1] - molecule[0]) == pytest.approx(1.15)
    assert np.abs(placed[0].structure.positions).max() < 40
    assert any("2 atoms lay more than ten cells away" in warning for warning in system.warnings)


def test_what_is_near_its_cell_or_along_no_period_stays():
    given = slab()
    assert brought_back(given) is given
    beside = given.positions.copy()
    beside[2] += 9 * given.cell[0]
    assert np.array_equal(brought_back(given.moved(beside)).positions, beside)
    open_sided = Structure(**{**given.__dict__, "pbc": [False, True, True]})
    beside[2] += 400 * given.cell[0]
    assert np.array_equal(brought_back(open_sided.moved(beside)).positions, beside)
