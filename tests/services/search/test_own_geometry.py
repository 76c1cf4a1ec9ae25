"""A scoring member's own relaxation of a candidate: against the minimiser on EMT, and worked by hand on springs and scripts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc111
from ase.constraints import FixAtoms

from services.forces.answers import reply
from services.forces.engine import run
from services.forces.potential import Evaluation, Potential
from services.search.curvature import model_hessian
from services.search.minimisation import relax
from services.search.own_geometry import FURTHEST, Scored, scored
from shared.errors import Diverged
from shared.parameters import Hopping
from shared.structures import Floats, Structure
from worker.potentials import registry

EMT_MEMBER: Potential = registry.load("emt")
PLAIN = Hopping(model_curvature=False, damped=False, fmax=0.01)
"""Steps of force / 70 eV/Å² at first, as ASE's."""


def carbon_monoxide() -> Structure:
    """CO above Cu(111), the molecule and the top layer free; a little off EMT's minimum."""
    slab = fcc111("Cu", (2, 2, 2), vacuum=7.0, periodic=True)
    layers = slab.get_tags()
    add_adsorbate(slab, Atoms("CO", [(0, 0, 0), (0.05, 0, 1.15)]), 1.3, "fcc")
    slab.set_constraint(FixAtoms(np.flatnonzero(layers > 1)))
    surface = np.append(layers == 1, [False, False])
    return Structure.from_atoms(slab, adsorbate=np.arange(len(slab)) >= len(layers), surface=surface)


CANDIDATE = carbon_monoxide()
SLAB = CANDIDATE.only(CANDIDATE.slab)
MOLECULE = [8, 9]


@dataclass
class Pulling:
    """A potential of one's own: energy, eV, and force, eV/Å [3], on the molecule's atoms by how far it went, Å [2, 3]."""

    answer: Callable[[Floats], tuple[float, Sequence[Sequence[float]]]]

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        return [self._one(structure) for structure in structures]

    def _one(self, structure: Structure) -> Evaluation:
        energy, pulls = self.answer(structure.positions[MOLECULE] - CANDIDATE.positions[MOLECULE])
        forces = np.zeros((len(structure), 3))
        forces[MOLECULE] = pulls
        return Evaluation(energy, forces)


def by(potential: object, steps: int, parameters: Hopping = PLAIN, slab: Structure = SLAB) -> Scored:
    return run(scored(CANDIDATE, slab, steps=steps, parameters=parameters), potential)  # type: ignore[arg-type]


def test_no_steps_are_one_evaluation_of_the_candidate():
    walk = scored(CANDIDATE, SLAB, steps=0, parameters=Hopping())
    wants = next(walk)
    assert wants.structure is CANDIDATE
    assert wants.restraints is None
    with pytest.raises(StopIteration) as stop:
        reply(walk, wants, Evaluation(-3.0, np.ones((len(CANDIDATE), 3))))
    result = stop.value.value
    assert (result.evaluation.energy, result.steps, result.displacement, result.left_minimum) == (-3.0, 0, None, None)


@pytest.mark.parametrize("steps", [1, 3, 6, 100])
def test_the_geometry_is_the_lowest_of_the_minimisers_path(steps):
    settings, asked = Hopping(), []
    walk = relax(CANDIDATE, fmax=0.05, max_steps=steps, max_step=0.2, hessian=model_hessian(CANDIDATE), damped=True)
    try:
        wants = next(walk)
        while True:
            found = EMT_MEMBER.evaluate([wants.structure])[0]
            asked.append((found.energy, wants.structure))
            wants = reply(walk, wants, found)
    except StopIteration as stop:
        whole = stop.value
    energy, lowest = min(asked, key=lambda one: one[0])

    result = by(EMT_MEMBER, steps, settings)
    assert result.evaluation.energy == energy < asked[0][0]
    np.testing.assert_array_equal(result.structure.positions, lowest.positions)
    np.testing.assert_array_equal(result.structure.positions[CANDIDATE.fixed], CANDIDATE.positions[CANDIDATE.fixed])
    assert result.steps == whole.steps == len(asked) - 1
    assert result.displacement == np.linalg.norm(lowest.positions - CANDIDATE.positions, axis=1).max()
    assert result.left_minimum is None
    assert steps < 100 or whole.converged


def test_steps_on_a_spring_are_those_worked_by_hand():
    """C on a spring of 35 eV/Å², 0.1 Å from its rest: a step of force / 70 eV/Å² goes half of the way, and the next one, with the
    curvature learnt, all of it."""

    def spring(moved: Floats) -> tuple[float, list[list[float]]]:
        left = moved[0, 2] - 0.1
        return 0.5 * 35 * left**2, [[0, 0, -35 * left], [0, 0, 0]]

    once, twice, more = (by(Pulling(spring), steps) for steps in (1, 2, 50))
    assert once.evaluation.energy == pytest.approx(0.5 * 35 * 0.05**2)
    assert once.displacement == pytest.approx(0.05)
    assert twice.evaluation.energy == pytest.approx(0, abs=1e-12)
    assert twice.displacement == pytest.approx(0.1)
    assert (once.steps, twice.steps, more.steps) == (1, 2, 2)


def test_the_energy_is_never_above_that_of_the_candidate():
    """Where the forces point uphill, the candidate's own geometry is the lowest."""
    result = by(Pulling(lambda moved: (float(np.abs(moved).max()), [[0, 0, 1], [0, 0, 1]])), 4)
    assert result.structure is CANDIDATE
    assert (result.evaluation.energy, result.steps, result.displacement, result.left_minimum) == (0.0, 4, None, None)


def drift(direction: list[float], atoms: Sequence[int]) -> Pulling:
    """Downhill without end: the further these of the two atoms go, the lower."""
    force = [direction if atom in atoms else [0, 0, 0] for atom in (0, 1)]
    return Pulling(lambda moved: (-float((moved * np.array(force)).sum()), force))


def test_a_molecule_that_leaves_its_site_counts_where_it_was():
    sideways = drift([20, 0, 0], [0, 1])
    near = by(sideways, 3)
    assert near.left_minimum is None
    assert near.displacement == pytest.approx(0.6)
    gone = by(sideways, 4)
    assert gone.left_minimum in ("C moved 0.80 Å", "O moved 0.80 Å")
    assert gone.structure is CANDIDATE
    assert (gone.evaluation.energy, gone.steps, gone.displacement) == (0.0, 4, None)
    assert near.displacement < FURTHEST < 0.72


def test_a_molecule_that_falls_apart_counts_as_it_was():
    gone = by(drift([0, 0, 20], [1]), 5)
    assert gone.left_minimum == "dissociated"
    assert gone.structure is CANDIDATE


def test_what_the_candidate_shows_too_is_nothing_that_the_walk_did():
    """A clean slab with one atom far away: the candidate is reconstructed against it from the beginning."""
    positions = SLAB.positions.copy()
    positions[7] += [0, 0, 3.0]
    result = by(drift([0, 0, -1], [0, 1]), 3, slab=SLAB.moved(positions))
    assert result.left_minimum is None
    assert result.displacement > 0


def test_a_walk_that_runs_away_counts_as_one_that_left():
    def cliff(moved: Floats) -> tuple[float, list[list[float]]]:
        force = 5.0 if moved[0, 2] < 0.05 else 5000.0
        return -float(moved[0, 2]), [[0, 0, force], [0, 0, 0]]

    result = by(Pulling(cliff), 5)
    assert result.structure is CANDIDATE
    assert result.evaluation.energy == 0.0
    assert result.left_minimum == "a force of 5e+03 eV/Å is beyond 1000 eV/Å"


def test_a_candidate_that_cannot_be_evaluated_has_no_energy():
    with pytest.raises(Diverged, match="not finite"):
        by(Pulling(lambda moved: (float("nan"), [[0, 0, 0], [0, 0, 0]])), 5)
