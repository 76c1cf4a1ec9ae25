"""The promise on synthetic sets whose truth is known, and bounds against SciPy's exact test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from services.evaluation.calibration import FEWEST, Target, calibrate, design_effect, held_out, learn, lower_bound
from shared.errors import InvalidInput
from shared.structures import Floats, Integers


def drawn(rng: np.random.Generator, n_systems: int, each: int = 1) -> tuple[Floats, Floats, Integers]:
    """Errors that grow with the spread: |N(0, 0.4 spread)|; within 0.1 eV for 90 % up to a spread of 0.229 eV (see `truth`)."""
    spreads = rng.uniform(0.02, 0.6, n_systems * each)
    return spreads, np.abs(rng.normal(0, 0.4 * spreads)), np.repeat(np.arange(n_systems), each)


def truth(limit: float) -> float:
    """Share within 0.1 eV among spreads up to the limit."""
    grid = np.linspace(0.02, limit, 2000)
    return float(np.mean(2 * stats.norm.cdf(0.1 / (0.4 * grid)) - 1))


@pytest.mark.parametrize(("hits", "count"), [(18, 20), (20, 20), (1, 5), (0, 3)])
def test_the_bound_is_the_exact_one(hits: int, count: int) -> None:
    exact = stats.binomtest(hits, count).proportion_ci(0.8, method="exact").low
    assert lower_bound(hits, count, 0.1) == pytest.approx(exact)


def test_a_limit_breaks_its_promise_no_more_often_than_it_says() -> None:
    rng = np.random.default_rng(7)
    limits = []
    for _ in range(300):
        spreads, errors, _ = drawn(rng, 200)
        limits.append(learn(spreads, errors <= 0.1, 0.9))
    given = [limit for limit in limits if limit is not None]
    broken = sum(truth(limit) < 0.9 for limit in given)
    assert len(given) > 240  # it is no promise that keeps nothing
    assert broken <= 30 + 3 * (300 * 0.1 * 0.9) ** 0.5
    assert np.mean(given) > 0.15


def test_the_promise_holds_on_held_out_systems() -> None:
    spreads, errors, systems = drawn(np.random.default_rng(3), 150, each=4)
    found = calibrate(spreads, errors, systems)
    assert found.limit is not None
    assert truth(found.limit) >= 0.9
    assert found.interval[0] <= found.limit <= found.interval[1]
    assert found.held_out.learned > 90
    assert found.held_out.reached >= 0.85 * found.held_out.learned
    assert found.held_out.kept >= 0.95 * found.held_out.learned
    assert found.held_out.within >= 0.9
    assert found.correlation is not None
    assert found.correlation.spearman > 0.3
    assert sum(one.count for one in found.bins) == 600
    assert found.bins[0].mean_error < found.bins[-1].mean_error
    assert (found.count, found.systems) == (600, 150)


def test_a_wider_error_keeps_more_and_an_impossible_one_nothing() -> None:
    spreads, errors, systems = drawn(np.random.default_rng(5), 400)
    limits = [calibrate(spreads, errors, systems, Target(error=error)).limit for error in (0.1, 0.2)]
    assert limits[0] is not None
    assert limits[1] is not None
    assert limits[0] < limits[1]
    none = calibrate(spreads, errors + 1.0, systems)
    assert none.limit is None
    assert none.kept.hits == 0


def test_a_spread_that_tells_nothing_gives_no_limit_or_all() -> None:
    rng = np.random.default_rng(2)
    spreads = rng.uniform(0, 1, 400)
    assert learn(spreads, rng.random(400) < 0.7, 0.9) is None
    assert learn(spreads, np.ones(400, dtype=bool), 0.9) == pytest.approx(spreads.max())


def test_too_few_are_refused() -> None:
    with pytest.raises(InvalidInput, match=f"29 candidates .* needs {FEWEST}"):
        calibrate(np.ones(29), np.ones(29), np.arange(29))


def test_candidates_that_repeat_each_other_count_as_one() -> None:
    good = np.random.default_rng(4).random(60) < 0.6
    assert design_effect(np.repeat(good, 5), np.repeat(np.arange(60), 5)) == pytest.approx(5, rel=0.05)
    assert design_effect(good, np.arange(60)) == pytest.approx(1, rel=0.05)
    # six systems that all went well are worth far less than their 180 candidates
    assert design_effect(np.ones(180, dtype=bool), np.repeat(np.arange(6), 30)) > 10


def test_halves_that_learn_nothing_are_told() -> None:
    spreads, errors, systems = drawn(np.random.default_rng(1), 30)
    found = held_out(spreads, errors > 9, systems, 0.9, halves=10)
    assert (found.halves, found.learned, found.reached, found.kept) == (10, 0, 0, 0)
