"""Dynamics with masses from curvature: conserved energy, equipartition, and the switches of an escape."""

from typing import Any

import numpy as np
import pytest
from ase import units

from services.forces.engine import run
from services.forces.potential import Walk
from services.search.curvature import model_hessian
from services.search.dynamics import Escape, EscapeEnd, escape
from services.search.inertia import LONGEST_STEP, AtomicMasses, CurvatureMasses
from services.search.minimisation import relax
from shared.parameters import Hopping, Masses
from shared.structures import Floats, Structure
from tests.services.search.test_curvature import adslab
from tests.services.search.test_dynamics import follow
from worker.potentials import registry

EMT = registry.load("emt")
ENDLESS: dict[str, Any] = {"mdmin": 20, "confined": False}


@pytest.fixture(scope="module")
def start() -> Structure:
    """A minimum, as every escape starts from one."""
    begin = adslab()
    return run(relax(begin, fmax=0.02, max_steps=200, hessian=model_hessian(begin)), EMT).structure


def begin(start: Structure, temperature_k: float = 300.0, **parameters: Any) -> Walk[Escape]:
    return escape(
        start,
        EMT.evaluate([start])[0],
        temperature_k=temperature_k,
        rng=np.random.default_rng(3),
        parameters=Hopping(**parameters),
    )


def test_every_mode_of_the_model_gets_half_kt(start):
    moving = CurvatureMasses.at(start, 0.6)
    rng = np.random.default_rng(0)
    drawn = [moving.kinetic(moving.velocities(500.0, rng)) for _ in range(400)]
    n_modes = 3 * start.free.sum()
    assert np.mean(drawn) == pytest.approx(0.5 * n_modes * units.kB * 500.0, rel=0.05)


def test_the_kinetic_energy_is_that_of_the_hessian_as_mass_tensor(start):
    moving = CurvatureMasses.at(start, 0.6)
    velocities = moving.velocities(500.0, np.random.default_rng(1))
    flat = velocities[start.free].ravel()
    assert moving.kinetic(velocities) == pytest.approx(0.5 * flat @ model_hessian(start) @ flat)
    forces = np.zeros((len(start), 3))
    forces[start.free] = np.random.default_rng(2).normal(size=(start.free.sum(), 3))
    solved = np.linalg.solve(model_hessian(start), forces[start.free].ravel())
    np.testing.assert_allclose(moving.acceleration(forces)[start.free].ravel(), solved, atol=1e-10)


def test_energy_is_conserved_to_second_order_in_the_stride(start):
    drifts = []
    for stride in (0.4, 0.2):
        steps = round(8 / stride)
        _, path, energies = follow(begin(start, stride=stride, max_md_steps=steps, **ENDLESS), start)
        moving = CurvatureMasses.at(start, stride)
        positions = np.array(path)
        step = moving.timestep(moving.velocities(300.0, np.random.default_rng(3)))
        velocities = (positions[2:] - positions[:-2]) / (2 * step)
        total = np.array(energies)[1:-1] + [moving.kinetic(one) for one in velocities]
        drifts.append(np.ptp(total))
        assert np.ptp(energies) > 0.2
    assert drifts[0] < 0.05
    assert 2.5 < drifts[0] / drifts[1] < 6


def test_fixed_atoms_stay_and_the_slab_starts_at_rest_where_the_escape_is_confined(start):
    ended, path, _ = follow(begin(start, max_md_steps=15, mdmin=20), start)
    np.testing.assert_array_equal(ended.structure.positions[start.fixed], start.positions[start.fixed])
    first = np.linalg.norm(path[1] - path[0], axis=1)
    assert first[start.adsorbate].min() > 5 * first[start.slab].max()


def test_a_hot_escape_takes_shorter_steps_instead_of_running_away(start):
    moving = CurvatureMasses.at(start, 0.6)
    hot = moving.velocities(20000.0, np.random.default_rng(0))
    assert moving.timestep(hot) * np.linalg.norm(hot, axis=1).max() == pytest.approx(LONGEST_STEP)
    cold = moving.velocities(10.0, np.random.default_rng(0))
    assert moving.timestep(cold) == 0.6


def test_softening_keeps_the_energy_lowers_the_curvature_and_is_counted(start):
    def curvature(direction: Floats) -> float:
        unit = direction / np.linalg.norm(direction)
        there = EMT.evaluate([start.moved(start.positions + 0.1 * unit)])[0].forces
        here = EMT.evaluate([start])[0].forces
        return float(-((there - here)[start.free] * unit[start.free]).sum() / 0.1)

    settings: dict[str, Any] = {"masses": Masses.ATOMIC, "confined": False, "max_md_steps": 3, "mdmin": 20}
    plain, straight, _ = follow(begin(start, softening=0, **settings), start)
    soft, path, _ = follow(begin(start, softening=8, **settings), start)
    assert (plain.force_calls, soft.force_calls) == (3, 11)
    before, after = straight[1] - straight[0], path[9] - path[0]
    assert curvature(after) < 0.7 * curvature(before)
    moving = AtomicMasses(start, 1.0)
    forces = np.where(start.fixed[:, None], 0.0, EMT.evaluate([start])[0].forces)
    half = 0.5 * moving.timestep(before) * moving.acceleration(forces)
    kinetic = [moving.kinetic(move / moving.timestep(move) - half) for move in (before, after)]
    assert kinetic[1] == pytest.approx(kinetic[0], rel=1e-6)


def test_an_escape_takes_far_fewer_steps_than_molecular_dynamics(start):
    plain, *_ = follow(begin(start, 1500.0, masses=Masses.ATOMIC, mdmin=4), start)
    ours, *_ = follow(begin(start, 1500.0, mdmin=4), start)
    assert ours.end is plain.end is EscapeEnd.MINIMA
    assert ours.steps < plain.steps / 2
