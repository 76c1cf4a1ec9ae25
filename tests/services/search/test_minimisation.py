"""Relaxations against ASE's BFGS move by move, and against steps worked by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc100, fcc111
from ase.calculators.emt import EMT
from ase.cluster import Octahedron
from ase.constraints import FixAtoms, Hookean
from ase.optimize import BFGS

from services.forces.answers import reply
from services.forces.potential import Evaluation, Potential, Walk
from services.search.minimisation import GROWTH, Relaxation, relax
from services.search.quasi_newton import START_CURVATURE
from shared.errors import Diverged
from shared.structures import Floats, Structure
from worker.potentials import registry

EMT_MEMBER: Potential = registry.load("emt")


def co_on_copper() -> Atoms:
    slab = fcc111("Cu", (2, 2, 3), vacuum=7.0, periodic=True)
    layers = slab.get_tags()
    add_adsorbate(slab, Atoms("CO", [(0, 0, 0), (0.1, 0, 1.2)]), 1.1, "fcc")
    slab.set_constraint(FixAtoms(np.flatnonzero(layers > 1)))
    return slab


def oxygen_on_palladium() -> Atoms:
    slab = fcc100("Pd", (2, 2, 2), vacuum=7.0, periodic=True)
    add_adsorbate(slab, "O", 1.7, (0.8, 0.5))
    slab.rattle(0.15, seed=2)
    slab.set_constraint(FixAtoms([0, 3]))
    return slab


def cluster() -> Atoms:
    atoms = Octahedron("Au", 3, cutoff=1)
    atoms.rattle(0.2, seed=4)
    atoms.set_constraint(FixAtoms([5]))
    return atoms


SYSTEMS = [co_on_copper, oxygen_on_palladium, cluster]


def structure_of(atoms: Atoms) -> Structure:
    none = np.zeros(len(atoms), dtype=bool)
    return Structure.from_atoms(atoms, adsorbate=none, surface=none)


def drive(walk: Walk[Relaxation], potential: Potential = EMT_MEMBER) -> tuple[Relaxation, list[Structure]]:
    """The result, and every structure that was asked for."""
    asked: list[Structure] = []
    try:
        wants = next(walk)
        while True:
            asked.append(wants.structure)
            wants = reply(walk, wants, potential.evaluate(asked[-1:])[0])
    except StopIteration as stop:
        return stop.value, asked


def by_ase(atoms: Atoms, *, fmax: float, steps: int, maxstep: float) -> list[Floats]:
    """Positions at the start and after each move of ASE's BFGS."""
    atoms.calc = EMT()
    path: list[Floats] = []
    optimizer = BFGS(atoms, logfile=None, maxstep=maxstep)
    optimizer.attach(lambda: path.append(atoms.get_positions()))
    optimizer.run(fmax=fmax, steps=steps)
    return path


@dataclass(frozen=True)
class Well:
    """Springs to the origin, eV/Å², one for each axis; a constant force where they are zero."""

    stiffness: tuple[float, float, float]
    constant: float = 0.0

    def evaluate(self, structures: list[Structure]) -> list[Evaluation]:
        springs = np.array(self.stiffness)
        return [
            Evaluation(float(0.5 * (springs * one.positions**2).sum()), self.constant - springs * one.positions)
            for one in structures
        ]


def atom_at(*position: float) -> Structure:
    return structure_of(Atoms("H", [position]))


@pytest.mark.parametrize("build", SYSTEMS)
@pytest.mark.parametrize("max_step", [0.2, 0.04])
def test_every_move_is_that_of_ases_bfgs(build, max_step):
    expected = by_ase(build(), fmax=0.02, steps=200, maxstep=max_step)
    result, asked = drive(relax(structure_of(build()), fmax=0.02, max_steps=200, max_step=max_step))
    assert result.converged
    assert 5 < result.steps == len(expected) - 1
    for ours, theirs in zip(asked, expected, strict=True):
        assert np.abs(ours.positions - theirs).max() < 1e-8
    assert result.structure is asked[-1]


def test_a_restrained_relaxation_is_that_of_ase_with_its_hookean():
    atoms = co_on_copper()
    carbon, oxygen = len(atoms) - 2, len(atoms) - 1
    spring = Hookean(carbon, oxygen, k=15.0, rt=1.0)

    class Stretch:
        def evaluate(self, positions: Floats) -> tuple[float, Floats]:
            vector = positions[oxygen] - positions[carbon]
            excess = float(np.linalg.norm(vector)) - 1.0
            forces = np.zeros_like(positions)
            forces[carbon] = 15.0 * excess * vector / np.linalg.norm(vector)
            forces[oxygen] = -forces[carbon]
            return 7.5 * excess**2, forces

    start = structure_of(atoms)
    result, _ = drive(relax(start, fmax=0.03, max_steps=100, restraints=Stretch()))
    atoms.set_constraint([*atoms.constraints, spring])
    expected = by_ase(atoms, fmax=0.03, steps=100, maxstep=0.2)
    assert np.abs(result.structure.positions - expected[-1]).max() < 1e-8
    assert result.restraint_energy > 0.01
    bare = EMT_MEMBER.evaluate([result.structure])[0]
    assert result.energy == bare.energy
    assert np.array_equal(result.forces, bare.forces)
    assert result.energy + result.restraint_energy == pytest.approx(atoms.get_potential_energy(), abs=1e-9)


@pytest.mark.parametrize("build", SYSTEMS)
def test_fixed_atoms_keep_every_bit_and_no_move_is_longer_than_allowed(build):
    start = structure_of(build())
    _, asked = drive(relax(start, fmax=0.02, max_steps=40, max_step=0.03))
    moves = np.array([np.linalg.norm(b.positions - a.positions, axis=1) for a, b in pairwise(asked)])
    assert moves.max() == pytest.approx(0.03)
    assert moves.max() <= 0.03 + 1e-12
    assert all(np.array_equal(one.positions[start.fixed], start.positions[start.fixed]) for one in asked)


def test_where_the_first_move_is_held_short_the_next_ones_grow_from_it():
    start = structure_of(oxygen_on_palladium())
    _, asked = drive(relax(start, fmax=0.02, max_steps=40, max_step=0.1, first_step=0.01))
    moves = [np.linalg.norm(b.positions - a.positions, axis=1).max() for a, b in pairwise(asked)]
    limits = [min(0.1, 0.01 * GROWTH**index) for index in range(len(moves))]
    assert moves[0] == pytest.approx(0.01)
    assert all(move <= limit + 1e-12 for move, limit in zip(moves, limits, strict=True))
    assert max(moves) > 0.05


def test_running_out_of_steps_is_said_not_raised():
    start = structure_of(oxygen_on_palladium())
    result, asked = drive(relax(start, fmax=0.01, max_steps=4))
    assert not result.converged
    assert (result.steps, result.force_calls, len(asked)) == (4, 5, 5)
    felt = np.linalg.norm(result.evaluation.forces[start.free], axis=1).max()
    assert result.fmax == pytest.approx(felt)
    assert result.fmax > 0.01


def test_an_evaluation_that_is_known_is_not_asked_for_again():
    start = structure_of(co_on_copper())
    known = EMT_MEMBER.evaluate([start])[0]
    full, asked = drive(relax(start, fmax=0.05, max_steps=100))
    shorter, fewer = drive(relax(start, fmax=0.05, max_steps=100, first=known))
    assert shorter.structure.digest == full.structure.digest
    assert shorter.force_calls == len(fewer) == len(asked) - 1
    still, none = drive(relax(start, fmax=0.001, max_steps=0, first=known))
    assert (still.converged, still.steps, still.force_calls, none) == (False, 0, 0, [])


def test_only_free_atoms_decide_on_convergence():
    start = replace(structure_of(oxygen_on_palladium()), fixed=np.ones(9, dtype=bool))
    result, _ = drive(relax(start, fmax=0.05, max_steps=10))
    assert result.converged
    assert (result.steps, result.fmax) == (0, 0.0)
    assert np.linalg.norm(result.forces, axis=1).max() > 0.5


def test_in_a_harmonic_well_the_second_move_arrives():
    # first move: force / start curvature; then the curvature along it is known exactly
    result, asked = drive(relax(atom_at(0.1, 0, 0), fmax=1e-9, max_steps=5), Well((10.0, 10.0, 10.0)))
    assert asked[1].positions[0, 0] == pytest.approx(0.1 - 1.0 / START_CURVATURE)
    assert np.abs(asked[2].positions).max() < 1e-15
    assert (result.converged, result.steps) == (True, 2)


def test_a_force_that_does_not_change_teaches_no_curvature():
    result, asked = drive(relax(atom_at(0, 0, 0), fmax=0.05, max_steps=4), Well((0.0, 0.0, 0.0), constant=0.7))
    assert asked[-1].positions[0] == pytest.approx([4 * 0.7 / START_CURVATURE] * 3)
    assert (result.converged, result.steps) == (False, 4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1001.0, -1001.0])
def test_forces_that_can_not_be_meant_are_refused(bad):
    with pytest.raises(Diverged):
        drive(relax(atom_at(0, 0, 0), fmax=0.05, max_steps=4), Well((0.0, 0.0, 0.0), constant=bad))


def test_an_energy_that_is_not_finite_is_refused():
    walk = relax(atom_at(0, 0, 0), fmax=0.05, max_steps=4)
    wants = next(walk)
    with pytest.raises(Diverged, match="not finite"):
        reply(walk, wants, Evaluation(np.nan, np.zeros((1, 3))))
