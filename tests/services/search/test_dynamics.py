"""The escape against ASE's velocity Verlet, the conservation laws, and ends worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import add_adsorbate, fcc111
from ase.calculators.emt import EMT
from ase.cluster import Octahedron
from ase.constraints import FixAtoms
from ase.data import atomic_masses
from ase.md.verlet import VelocityVerlet
from scipy.signal import argrelmin

from services.forces.answers import reply
from services.forces.potential import Evaluation, Potential, Walk
from services.search.dynamics import LONGEST_MOVE, Escape, EscapeEnd, escape
from services.search.inertia import AtomicMasses
from shared.errors import Diverged
from shared.parameters import Hopping, Masses
from shared.structures import Floats, Structure
from worker.potentials import registry

EMT_MEMBER: Potential = registry.load("emt")
ENDLESS = Hopping(masses=Masses.ATOMIC, mdmin=20, max_md_steps=80)


def slab_with_co() -> Atoms:
    slab = fcc111("Cu", (2, 2, 3), vacuum=7.0, periodic=True)
    layers = slab.get_tags()
    add_adsorbate(slab, Atoms("CO", [(0, 0, 0), (0, 0, 1.2)]), 1.1, "fcc")
    slab.set_constraint(FixAtoms(np.flatnonzero(layers > 1)))
    return slab


def cluster() -> Atoms:
    return Octahedron("Au", 3, cutoff=1)


def structure_of(atoms: Atoms) -> Structure:
    none = np.zeros(len(atoms), dtype=bool)
    return Structure.from_atoms(atoms, adsorbate=none, surface=none)


def begin(start: Structure, parameters: Hopping, temperature_k: float = 600.0, **others: Any) -> Walk[Escape]:
    first = EMT_MEMBER.evaluate([start])[0]
    rng = np.random.default_rng(3)
    return escape(start, first, temperature_k=temperature_k, rng=rng, parameters=parameters, **others)


def follow(walk: Walk[Escape], start: Structure) -> tuple[Escape, list[Floats], list[float]]:
    """How it ended, and positions and bare energies along the way, the start included."""
    evaluation = EMT_MEMBER.evaluate([start])[0]
    path, energies = [start.positions], [evaluation.energy]
    try:
        wants = next(walk)
        while True:
            evaluation = EMT_MEMBER.evaluate([wants.structure])[0]
            path.append(wants.structure.positions)
            energies.append(evaluation.energy)
            wants = reply(walk, wants, evaluation)
    except StopIteration as stop:
        return stop.value, path, energies


def scripted(energies: list[float], *, mdmin: int = 1, max_md_steps: int = 50, restraints: Any = None) -> Escape:
    """An escape that feels no force, on a potential that answers these energies one after the other."""
    start = structure_of(Atoms("H", [(0, 0, 0)]))
    first, *later = [Evaluation(energy, np.zeros((1, 3))) for energy in energies]
    parameters = Hopping(masses=Masses.ATOMIC, mdmin=mdmin, max_md_steps=max_md_steps)
    rng = np.random.default_rng(0)
    walk = escape(start, first, temperature_k=1.0, rng=rng, parameters=parameters, restraints=restraints)
    wants = next(walk)
    try:
        for evaluation in later:
            wants = reply(walk, wants, evaluation)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the escape goes on")


def total_energies(path: list[Floats], energies: list[float], masses: Floats, timestep_fs: float) -> Floats:
    """Kinetic plus potential energy, eV, at every point but the ends: Verlet's velocity is the central difference."""
    positions = np.array(path)
    velocities = (positions[2:] - positions[:-2]) / (2 * timestep_fs * units.fs)
    return np.array(energies)[1:-1] + 0.5 * (masses[:, None] * velocities**2).sum(axis=(1, 2))


@pytest.mark.parametrize("build", [slab_with_co, cluster])
def test_the_trajectory_is_that_of_ases_velocity_verlet(build):
    start = structure_of(build())
    ended, path, _ = follow(begin(start, ENDLESS), start)
    assert (ended.end, ended.steps) == (EscapeEnd.STEPS, 80)
    atoms = build()
    atoms.calc = EMT()
    atoms.set_velocities(AtomicMasses(start, 1.0).velocities(600.0, np.random.default_rng(3)))
    expected: list[Floats] = []
    dynamics = VelocityVerlet(atoms, timestep=1.0 * units.fs, logfile=None)
    dynamics.attach(lambda: expected.append(atoms.get_positions()))
    dynamics.run(80)
    assert len(path) == len(expected)
    for ours, theirs in zip(path, expected, strict=True):
        assert np.abs(ours - theirs).max() < 1e-8
    assert np.abs(path[-1] - path[0]).max() > 0.2


def test_energy_is_conserved_to_second_order_in_the_time_step():
    start = structure_of(slab_with_co())
    drifts = []
    for timestep_fs in (1.0, 0.5):
        parameters = Hopping(
            masses=Masses.ATOMIC, mdmin=20, max_md_steps=round(80 / timestep_fs), timestep_fs=timestep_fs
        )
        _, path, energies = follow(begin(start, parameters), start)
        total = total_energies(path, energies, atomic_masses[start.numbers], timestep_fs)
        drifts.append(np.ptp(total))
        assert np.ptp(energies) > 0.2  # against the potential energy, which does change
    assert drifts[0] < 0.01
    assert 3 < drifts[0] / drifts[1] < 5


def test_momentum_of_a_free_cluster_is_kept():
    start = structure_of(cluster())
    _, path, _ = follow(begin(start, ENDLESS), start)
    centres = np.array(path).mean(axis=1)
    drawn = AtomicMasses(start, 1.0).velocities(600.0, np.random.default_rng(3)).mean(axis=0)
    assert np.abs(drawn).max() > 1e-4  # as drawn, not taken out
    assert np.diff(centres, axis=0) == pytest.approx(np.tile(drawn * units.fs, (80, 1)), abs=1e-12)


def test_fixed_atoms_are_at_rest_and_stay_to_the_last_bit():
    start = structure_of(slab_with_co())
    velocities = AtomicMasses(start, 1.0).velocities(600.0, np.random.default_rng(3))
    assert not velocities[start.fixed].any()
    assert velocities[start.free].all()
    _, path, _ = follow(begin(start, ENDLESS), start)
    assert all(np.array_equal(positions[start.fixed], start.positions[start.fixed]) for positions in path)


def test_start_velocities_are_maxwells():
    n = 3000
    gas = structure_of(Atoms("H" * n + "Pt" * n, np.zeros((2 * n, 3))))
    velocities = AtomicMasses(gas, 1.0).velocities(850.0, np.random.default_rng(1))
    for element in (slice(0, n), slice(n, 2 * n)):
        squares = atomic_masses[gas.numbers[element], None] * velocities[element] ** 2 / (units.kB * 850.0)
        # chi squared with 3n degrees of freedom: mean 1, five standard deviations; kurtosis of a normal distribution
        assert abs(squares.mean() - 1) < 5 * np.sqrt(2 / (3 * n))
        assert (squares**2).mean() == pytest.approx(3.0, rel=0.15)
    doubled = AtomicMasses(gas, 1.0).velocities(4 * 850.0, np.random.default_rng(1))
    assert doubled == pytest.approx(2 * velocities)


def test_an_escape_ends_at_the_minimum_asked_for():
    #        start  up   down  up: 1st   up   down  up: 2nd
    energies = [0.0, 0.4, 0.2, 0.3, 0.6, 0.5, 0.7]
    first = scripted(energies[:4], mdmin=1)
    assert (first.end, first.steps, first.evaluation.energy) == (EscapeEnd.MINIMA, 3, 0.3)
    second = scripted(energies, mdmin=2)
    assert (second.end, second.steps, second.evaluation.energy) == (EscapeEnd.MINIMA, 6, 0.7)


def test_a_start_that_only_climbs_or_only_falls_passes_no_minimum():
    climb = [0.1 * step for step in range(9)]
    assert scripted(climb, max_md_steps=8).end is EscapeEnd.STEPS
    assert scripted(climb[::-1], max_md_steps=8).end is EscapeEnd.STEPS


def test_the_minima_counted_are_those_of_the_energy_with_restraints():
    class Ramp:
        """1 eV more at each step."""

        energy = 0.0

        def evaluate(self, positions: Floats) -> tuple[float, Floats]:
            self.energy += 1.0
            return self.energy, np.zeros_like(positions)

    dips = [0.0, 0.4, 0.2, 0.4, 0.2, 0.4]
    assert scripted(dips, mdmin=2).steps == 5
    ended = scripted(dips, mdmin=1, max_md_steps=5, restraints=Ramp())
    assert (ended.end, ended.evaluation.energy) == (EscapeEnd.STEPS, 0.4)


def test_on_a_real_surface_it_stops_one_step_past_the_second_minimum():
    start = structure_of(slab_with_co())
    ended, path, energies = follow(begin(start, Hopping(masses=Masses.ATOMIC, mdmin=2, max_md_steps=300)), start)
    assert ended.end is EscapeEnd.MINIMA
    minima = argrelmin(np.array(energies))[0].tolist()
    assert len(minima) == 2
    assert minima[-1] == len(energies) - 2
    assert ended.steps == len(path) - 1
    assert np.array_equal(ended.structure.positions, path[-1])
    assert ended.evaluation.energy == energies[-1]


@pytest.mark.parametrize("temperature_k", [1e4, 1e7])
def test_a_step_that_is_too_long_is_shortened(temperature_k):
    start = structure_of(slab_with_co())
    few = ENDLESS.model_copy(update={"max_md_steps": 4})
    ended, path, _ = follow(begin(start, few, temperature_k=temperature_k), start)
    assert (ended.end, ended.steps, len(path)) == (EscapeEnd.STEPS, 4, 5)
    drawn = AtomicMasses(start, 1.0).velocities(temperature_k, np.random.default_rng(3))
    planned = np.linalg.norm(drawn, axis=1).max() * units.fs
    longest = np.linalg.norm(path[1] - path[0], axis=1).max()
    assert all(np.linalg.norm(np.diff(path, axis=0), axis=2).max(axis=1) <= LONGEST_MOVE)
    if planned > LONGEST_MOVE:
        # halved until it fits, no further; the way is the one that was drawn
        assert longest > LONGEST_MOVE / 2
        halvings = np.log2(planned / longest)
        assert halvings == pytest.approx(round(halvings), abs=0.01)
    else:
        assert longest == pytest.approx(planned, rel=0.01)


def test_a_kick_at_the_start_shortens_the_first_step():
    class Kick:
        """500 eV/Å on the last atom, as from a spring that pulls far beyond its threshold."""

        def evaluate(self, positions: Floats) -> tuple[float, Floats]:
            forces = np.zeros_like(positions)
            forces[-1, 2] = 500.0
            return 10.0, forces

    start = structure_of(slab_with_co())
    parameters = Hopping(masses=Masses.CURVATURE, max_md_steps=1, mdmin=20)
    ended, path, _ = follow(begin(start, parameters, restraints=Kick()), start)
    assert (ended.end, ended.steps) == (EscapeEnd.STEPS, 1)
    assert LONGEST_MOVE / 4 < np.linalg.norm(path[1] - path[0], axis=1).max() <= LONGEST_MOVE


def test_an_answer_that_is_not_finite_is_refused():
    with pytest.raises(Diverged, match="not finite"):
        scripted([0.0, np.nan])
