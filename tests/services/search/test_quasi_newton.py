"""Limited memory against the dense update, and both against what a quadratic says."""

import numpy as np
import pytest

from services.search.quasi_newton import LARGE, MEMORY, START_CURVATURE, DenseBfgs, LimitedMemory, QuasiNewton, begin
from shared.structures import Floats


def quadratic(n: int, seed: int = 0, *, lowest: float = 1.0) -> Floats:
    rng = np.random.default_rng(seed)
    modes, _ = np.linalg.qr(rng.normal(size=(n, n)))
    return np.asarray(modes * rng.uniform(lowest, 40.0, size=n) @ modes.T)


def descend(learnt: QuasiNewton, hessian: Floats, steps: int) -> list[Floats]:
    """Positions on ½ xᵀ H x from a fixed start, each move as the curvature learnt so far says, shortened as in a relaxation."""
    x = np.random.default_rng(5).normal(scale=0.3, size=len(hessian))
    path = [x]
    for _ in range(steps):
        step = learnt.step(hessian @ x)
        step = step * min(1.0, 0.2 / np.abs(step).max())
        learnt.learn(step, hessian @ step)
        x = x + step
        path.append(x)
    return path


@pytest.mark.parametrize("first", [None, "model"])
def test_limited_memory_takes_the_dense_steps_while_it_remembers_all(first):
    n = 30
    hessian = quadratic(n)
    start = quadratic(n, 1) if first else np.eye(n) * START_CURVATURE
    dense = descend(DenseBfgs(start), hessian, 20)
    limited = descend(LimitedMemory(start if first else None), hessian, 20)
    assert np.abs(np.array(dense) - limited).max() < 1e-9
    assert np.linalg.norm(dense[-1]) < 0.1 * np.linalg.norm(dense[0])


def test_the_first_step_solves_the_first_hessian():
    hessian, gradient = quadratic(12), np.arange(12.0)
    for learnt in (DenseBfgs(hessian), LimitedMemory(hessian)):
        assert hessian @ learnt.step(gradient) == pytest.approx(-gradient)


def test_beyond_its_memory_it_still_descends():
    n = LARGE + 3
    learnt = begin(n, None)
    assert isinstance(learnt, LimitedMemory)
    path = descend(learnt, quadratic(n, lowest=5.0), MEMORY + 40)
    assert np.linalg.norm(path[-1]) < 1e-3 * np.linalg.norm(path[0])


def test_moves_that_teach_nothing_are_left_out():
    gradient = np.array([1.0, -2.0])
    for learnt in (DenseBfgs(np.eye(2) * 10), LimitedMemory(np.eye(2) * 10)):
        learnt.learn(np.full(2, 1e-9), np.full(2, 3.0))
        learnt.learn(np.array([0.1, 0.0]), np.zeros(2))
        assert learnt.step(gradient) == pytest.approx(-gradient / 10)


def test_negative_curvature_leads_downhill_in_both():
    gradient = np.array([1.0, 0.5])
    for learnt in (DenseBfgs(np.eye(2) * 10), LimitedMemory(np.eye(2) * 10)):
        learnt.learn(np.array([0.1, 0.0]), np.array([-0.4, 0.0]))
        assert learnt.step(gradient) @ gradient < 0
    dense = DenseBfgs(np.eye(2) * 10)
    dense.learn(np.array([0.1, 0.0]), np.array([-0.4, 0.0]))
    assert dense.step(gradient) == pytest.approx([-1 / 4, -0.5 / 10])


def test_the_hessian_that_is_given_stays_as_it_is():
    hessian = quadratic(6)
    kept = hessian.copy()
    descend(DenseBfgs(hessian), quadratic(6, 2), 3)
    assert np.array_equal(hessian, kept)


@pytest.mark.parametrize("learner", [DenseBfgs, LimitedMemory])
def test_a_damped_update_keeps_a_fifth_of_what_was_expected(learner):
    """Powell's bound, by hand: 10 eV/Å² were expected along the move, and -4 were met."""
    learnt = learner(np.eye(2) * 10, damped=True)
    learnt.learn(np.array([0.1, 0.0]), np.array([-0.4, 0.0]))
    assert learnt.step(np.array([1.0, 0.5])) == pytest.approx([-1 / 2, -0.5 / 10])


@pytest.mark.parametrize("learner", [DenseBfgs, LimitedMemory])
def test_a_damped_update_is_the_plain_one_where_enough_curvature_was_met(learner):
    gradient, (moved, change) = np.array([1.0, 0.5]), (np.array([0.1, 0.02]), np.array([0.9, 0.3]))
    plain, damped = learner(np.eye(2) * 10), learner(np.eye(2) * 10, damped=True)
    for learnt in (plain, damped):
        learnt.learn(moved, change)
    assert np.array_equal(plain.step(gradient), damped.step(gradient))


def test_a_force_that_hardly_changes_along_a_move_teaches_no_stiffness_without_bounds():
    """Undamped, the change across the move is divided by next to nothing: by hand, 0.5² / (0.1 * 1e-4) = 25,000 eV/Å²."""
    moved, change = np.array([0.1, 0.0]), np.array([1e-4, 0.5])
    stiffest = np.array([2e-4, 1.0])
    plain, damped = DenseBfgs(np.eye(2) * 10), DenseBfgs(np.eye(2) * 10, damped=True)
    for learnt in (plain, damped):
        learnt.learn(moved, change)
    assert stiffest @ plain.step(stiffest) == pytest.approx(-1 / 25_010, rel=1e-3)
    assert stiffest @ damped.step(stiffest) < -1 / 20


@pytest.mark.parametrize("n", [12, LARGE + 3])
def test_damped_steps_always_lead_downhill(n):
    rng = np.random.default_rng(3)
    learnt = begin(n, quadratic(n, 4), damped=True)
    for _ in range(30):
        learnt.learn(rng.normal(size=n), rng.normal(size=n) * 20)
        gradient = rng.normal(size=n)
        assert learnt.step(gradient) @ gradient < 0
