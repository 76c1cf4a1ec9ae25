"""Systems from all three kinds of submission: order, marks, binding atoms, and molecules made whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.constraints import FixAtoms

from services.systems.assembly import System, assemble
from services.systems.placement import place
from services.systems.surfaces import cut
from shared.adsorbates import lookup
from shared.errors import InvalidInput
from shared.parameters import Placement
from shared.structures import Structure
from shared.submissions import AdslabSubmission, BulkSubmission, SlabSubmission

CHAIN = Atoms("C4O", [(1.28 * step, 0, 0.1 * step) for step in range(5)])
"""5.1 Å long: more than half of any vector of the cell below."""


def copper(*fixed: int) -> Atoms:
    slab = fcc111("Cu", (3, 3, 3), vacuum=8.0, periodic=True)
    slab.set_tags(0)
    slab.set_constraint(FixAtoms(list(fixed)) if fixed else None)
    return slab


def adslab(adsorbate: Atoms, at: tuple[float, float], height: float = 2.0, slab: Atoms | None = None) -> Atoms:
    """The molecule's first atom above a point given in fractions of the surface cell."""
    both = copper() if slab is None else slab.copy()
    placed = adsorbate.copy()
    placed.translate(np.dot(at, both.cell[:2]) - placed.positions[0])
    placed.positions[:, 2] += both.positions[:, 2].max() + height
    placed.set_tags(2)
    both.extend(placed)
    return both


def submit(atoms: Atoms, **others: Any) -> System:
    return assemble(AdslabSubmission(structure=Structure.from_oc_atoms(atoms).to_document(), **others))


def shuffled(atoms: Atoms) -> tuple[Atoms, list[int]]:
    order = np.random.default_rng(0).permutation(len(atoms)).tolist()
    return atoms[order], order


@pytest.mark.parametrize("adsorbate", [molecule("CH3OH"), CHAIN])
def test_a_molecule_wrapped_over_the_cell_s_edges_comes_out_whole(adsorbate):
    atoms = adslab(adsorbate, (0.95, 0.9))
    atoms.wrap()
    apart = atoms.get_all_distances()[-len(adsorbate) :, -len(adsorbate) :]
    expected = adsorbate.get_all_distances()
    assert np.abs(apart - expected).max() > 3.0
    system = submit(atoms)
    whole = Atoms(numbers=system.adsorbate.numbers, positions=system.adsorbate.positions)
    assert whole.get_all_distances() == pytest.approx(expected, abs=1e-9)
    # the geometry that was sent stays what it was
    assert system.first is not None
    assert np.array_equal(system.first.positions, atoms.positions)


def test_every_atom_keeps_its_place_its_tag_and_its_anchor_when_slab_comes_first():
    tagged = adslab(molecule("H2O"), (0.3, 0.3), slab=copper(0, 3, 4))
    tagged.set_tags([*[0] * 18, *[1] * 9, *[2] * 3])
    mixed, order = shuffled(tagged)
    system = submit(mixed)
    first = system.first
    assert first is not None
    slab_first = [position for position, index in enumerate(order) if index < 27]
    slab_first += [position for position, index in enumerate(order) if index >= 27]
    assert np.array_equal(first.positions, mixed.positions[slab_first])
    assert np.array_equal(first.numbers, mixed.numbers[slab_first])
    assert np.array_equal(first.tags, mixed.get_tags()[slab_first])
    anchored = {tuple(position) for position in first.positions[first.fixed]}
    assert anchored == {tuple(position) for position in tagged.positions[[0, 3, 4]]}
    assert np.array_equal(system.slab.positions, first.positions[:27])
    assert not system.slab.adsorbate.any()
    assert np.array_equal(system.slab.fixed, first.fixed[:27])


def test_binding_atoms_are_counted_in_the_order_of_the_submission():
    mixed = shuffled(adslab(molecule("CH3OH"), (0.5, 0.5)))[0]
    oxygen = int(np.flatnonzero(mixed.numbers == 8)[0])
    carbon = int(np.flatnonzero(mixed.numbers == 6)[0])
    binding = submit(mixed, binding=(oxygen, carbon)).adsorbate.binding
    numbers = submit(mixed, binding=(oxygen, carbon)).adsorbate.numbers
    assert [numbers[index] for index in binding] == [8, 6]
    assert sorted(numbers) == [1, 1, 1, 1, 6, 8]


@pytest.mark.parametrize(
    ("adsorbate", "lowest"),
    [
        (Atoms("CO", [(0, 0, 0), (0, 0, 1.15)]), [6]),
        (Atoms("CO", [(0, 0, 1.15), (0, 0, 0)]), [8]),
        (Atoms("CO", [(0, 0, 0), (1.15, 0, 0.29)]), [6, 8]),
        (Atoms("CO", [(0, 0, 0), (1.10, 0, 0.31)]), [6]),
    ],
)
def test_without_a_word_the_atoms_close_to_the_lowest_bind(adsorbate, lowest):
    found = submit(adslab(adsorbate, (0.9, 0.9))).adsorbate
    assert [found.numbers[index] for index in found.binding] == lowest
    assert found.name == "CO"


def test_an_adslab_s_own_geometry_and_its_placements_are_the_same_atoms():
    system = submit(shuffled(adslab(molecule("CH3OH"), (0.95, 0.2)))[0])
    assert system.first is not None
    placed = place(system.slab, system.adsorbate, Placement(count=3), np.random.default_rng(0))
    assert {one.structure.topology_digest for one in placed} == {system.first.topology_digest}
    assert system.first.surface.sum() == 9
    assert system.first.fixed.sum() == 18


def test_an_adslab_without_adsorbate_is_refused():
    with pytest.raises(InvalidInput, match="no atom is marked") as refused:
        submit(copper())
    assert refused.value.field == "input.structure"


def test_a_slab_s_own_marks_and_anchors_are_kept():
    atoms = copper(0, 1)
    atoms.set_tags([*[0] * 26, 1])
    slab = Structure.from_oc_atoms(atoms)
    system = assemble(SlabSubmission(slab=slab.to_document(), adsorbate=lookup("*OH")))
    assert system.slab.digest == slab.digest
    assert system.adsorbate == lookup("*OH")
    assert system.first is None


def test_a_bulk_is_cut_once_for_all_its_placements():
    crystal = bulk("Pd", "fcc", a=3.89)
    submission = BulkSubmission(
        numbers=tuple(crystal.numbers.tolist()),
        positions=tuple(map(tuple, crystal.positions.tolist())),
        cell=tuple(map(tuple, crystal.cell.tolist())),
        miller=(1, 0, 0),
        min_width=5.0,
        adsorbate=lookup("*CO"),
    )
    system = assemble(submission)
    assert system.slab.digest == cut(submission).digest == assemble(submission).slab.digest
    assert set(system.slab.numbers.tolist()) == {46}
    assert system.first is None
    with pytest.raises(InvalidInput, match="termination 4"):
        assemble(submission.model_copy(update={"termination": 4}))


def test_a_slab_cut_in_two_by_the_cell_s_face_is_put_together_by_third_vectors():
    atoms = copper()
    atoms.positions[:, 2] += 11.0
    atoms.wrap()
    assert np.diff(np.sort(atoms.positions[:, 2])).max() > 8.0
    given = Structure.from_oc_atoms(atoms)
    system = assemble(SlabSubmission(slab=given.to_document(), adsorbate=lookup("*CO")))
    moved = np.linalg.solve(atoms.cell.array.T, (system.slab.positions - atoms.positions).T).T
    assert np.abs(moved - np.rint(moved)).max() < 1e-9
    assert not np.rint(moved)[:, :2].any()
    assert np.ptp(system.slab.heights) == pytest.approx(np.ptp(copper().positions[:, 2]))
    assert system.slab.surface.sum() == 9
    assert any("cut in two by the cell's face" in note for note in system.warnings)


def test_a_slab_in_one_piece_stays_where_it_is_and_nothing_is_said_of_it():
    atoms = copper(0, 1)
    atoms.positions += [2.0, -31.0, 9.0]
    atoms.set_tags([*[0] * 18, *[1] * 9])
    system = assemble(SlabSubmission(slab=Structure.from_oc_atoms(atoms).to_document(), adsorbate=lookup("*CO")))
    assert np.array_equal(system.slab.positions, atoms.positions)
    assert system.warnings == ()


@pytest.mark.parametrize("told_by", ["marked layer", "adsorbate", "fixed atoms"])
def test_a_surface_may_look_against_the_third_vector(told_by):
    atoms = adslab(molecule("CO"), (0.3, 0.3), slab=copper(*range(9)))
    tags = [*[0] * 18, *[1] * 9, 2, 2]
    if told_by == "fixed atoms":
        atoms = atoms[:27]
    elif told_by == "adsorbate":
        atoms.set_constraint()
    atoms.set_tags(tags[: len(atoms)] if told_by == "marked layer" else [0] * len(atoms))
    atoms.positions[:, 2] *= -1  # the third vector still points up
    adsorbate = np.arange(len(atoms)) >= 27
    given = Structure.from_atoms(atoms, adsorbate=adsorbate, surface=atoms.get_tags() == 1)
    submission = (
        AdslabSubmission(structure=given.to_document())
        if adsorbate.any()
        else SlabSubmission(slab=given.to_document(), adsorbate=lookup("*CO"))
    )
    system = assemble(submission)
    assert np.flatnonzero(system.slab.surface).tolist() == list(range(18, 27))
    assert system.slab.normal[2] == pytest.approx(-1.0)
    assert any(f"as its {told_by}" in note for note in system.warnings)
    for one in place(system.slab, system.adsorbate, Placement(count=3), np.random.default_rng(0)):
        assert one.structure.positions[27:, 2].max() < system.slab.positions[:, 2].min()


def test_an_adsorbate_at_the_other_end_of_the_vacuum_is_brought_to_its_surface():
    atoms = adslab(molecule("CO"), (0.3, 0.3))
    atoms.set_tags([*[0] * 18, *[1] * 9, 2, 2])
    here = atoms.positions[27:].copy()
    atoms.positions[27:] -= atoms.cell[2]
    system = submit(atoms)
    assert system.first is not None
    assert system.first.positions[27:] == pytest.approx(here, abs=1e-9)
    assert any("onto the slab's surface" in note for note in system.warnings)
