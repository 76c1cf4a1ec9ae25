"""Structures that were given take the place of placements: each as it is, in one piece, with its name."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import add_adsorbate, fcc111
from ase.calculators.emt import EMT

from services.forces.engine import run
from services.search import as_given, hopping
from services.systems.find import find_placements
from shared.given import Given
from shared.parameters import Hopping, JobParameters
from shared.structures import Structure
from shared.submissions import StructuresSubmission, given_order, given_to
from worker.potentials import registry


def copper() -> Atoms:
    slab = fcc111("Cu", (2, 2, 3), vacuum=8.0, periodic=True)
    slab.set_tags(0)
    return slab


def adslabs(count: int = 5) -> list[Atoms]:
    """CO on Cu(111), the molecule's atoms first, none two alike, one of them cut by the cell's face."""
    made = []
    for index in range(count):
        slab = copper()
        add_adsorbate(slab, Atoms("CO", [(0, 0, 0), (0.1 * index, 0, 1.15)], tags=[2, 2]), 1.4 + 0.1 * index, "fcc")
        slab.positions[:12] += np.random.default_rng(index).normal(0, 0.03, (12, 3))
        made.append(slab[[12, 13, *range(12)]])
    made[3].positions[:, 2] -= made[3].positions[7, 2] + 0.1
    made[3].wrap()
    return made


def submitted(atoms: list[Atoms], **others: object) -> tuple[StructuresSubmission, Given]:
    positions = np.array([one.positions for one in atoms])
    given = Given(tuple(f"frame {index}" for index in range(len(atoms))), positions)
    first = Structure.from_oc_atoms(atoms[0]).to_document()
    return StructuresSubmission(structure=first, count=len(atoms), content=given.digest, **others), given


def test_each_structure_is_a_placement_with_its_name_and_energy():
    atoms = adslabs()
    submission, given = submitted(atoms)
    system, placed = find_placements(submission, JobParameters(), given=given)
    assert [one.label for one in placed] == list(given.labels)
    order = given_order(submission.model_dump(mode="json"))
    assert order is not None
    judged = []
    for one, atom in zip(placed, atoms, strict=True):
        inside = one.structure
        assert inside.adsorbate.tolist() == [False] * 12 + [True] * 2, "the slab's atoms first"
        assert inside.numbers[list(order)].tolist() == atom.numbers.tolist()
        assert np.ptp(inside.heights) < 9, "in one piece, the molecule above"
        atom.calc = EMT()
        start = hopping.begin(inside, Hopping(hops=0), (0,))
        walk = as_given.look(start, lambda structure: judged.append(structure) or ("desorbed",))
        result = run(walk, registry.load("emt"))
        assert result.found.energy == np.float64(result.walker.energy)
        assert abs(result.found.energy - atom.get_potential_energy()) < 1e-6
        free = np.linalg.norm(atom.get_forces()[list(np.argsort(order))][inside.free], axis=1)
        assert abs(result.found.fmax - free.max()) < 1e-6
        assert (result.found.converged, result.found.anomalies, result.found.force_calls) == (True, ("desorbed",), 1)
        assert hopping.ended(result.walker, (), JobParameters(hopping=Hopping(hops=0))) == "hops"
    assert [one.digest for one in judged] == [one.structure.digest for one in placed]
    assert len(system.slab) == 12


def test_the_clean_slab_is_the_one_given_or_that_of_the_first():
    atoms = adslabs()
    submission, given = submitted(atoms)
    system, _ = find_placements(submission, JobParameters(), given=given)
    assert np.allclose(system.slab.positions, atoms[0].positions[2:])
    assert not submission.slab_as_given
    clean = Structure.from_oc_atoms(copper())
    submission, given = submitted(atoms, slab=clean.to_document())
    system, placed = find_placements(submission, JobParameters(), given=given)
    assert np.allclose(system.slab.positions, clean.positions)
    assert (system.slab.surface == placed[0].structure.surface[:12]).all()
    assert submission.slab_as_given


def test_positions_survive_to_the_last_bit_and_are_told_apart():
    _, given = submitted(adslabs())
    back = Given.unpacked(list(given.labels), given.packed())
    assert (back.positions == given.positions).all()
    assert back.labels == given.labels
    assert back.digest == given.digest
    moved = given.positions.copy()
    moved[4, 3, 1] = np.nextafter(moved[4, 3, 1], 100)
    assert Given(given.labels, moved).digest != given.digest
    assert Given((*given.labels[:-1], "another"), given.positions).digest != given.digest
    assert given_to({"kind": "adslab"}) is None
