"""The challenge's metric against the definition, written out a second time with arrays, and against cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.evaluation.challenge import MISSING, judge, success

SYSTEMS, CANDIDATES = ("s0", "s1", "s2"), ("c0", "c1", "c2")


@pytest.mark.parametrize(
    ("ml", "dft", "lowest", "succeeds", "why"),
    [
        ({"a": -1.0}, {"a": -1.05}, -1.05, True, "+0.05 eV from the lowest"),
        ({"a": -1.0, "b": -0.5}, {"a": -0.5, "b": -0.5}, -0.5, False, "-0.50 eV from the reference"),  # the lowest lies
        ({"a": -1.0}, {"a": -1.0}, -1.5, False, "+0.50 eV from the lowest"),
        ({"a": -1.5}, {"a": -1.45}, -1.0, True, "-0.50 eV from the lowest"),  # better than any known
        ({"a": 0.125 - 0.125}, {"a": 0.0}, -0.1, True, "+0.10 eV from the lowest"),  # the border itself
        ({}, {"a": -1.0}, -1.0, False, "no candidate"),
        ({"a": MISSING, "b": float("nan")}, {"a": -1.0}, -1.0, False, "no candidate"),
        ({"a": -1.0}, {"a": MISSING}, -1.0, False, "no reference energy of this structure"),
        ({"a": -1.0}, {}, -1.0, False, "no reference energy of this structure"),
        ({"a": -1.0}, {"a": -1.0}, MISSING, False, "no reference energy of the system"),
        ({"a": -1.0, "b": -1.0}, {"a": -1.0, "b": 0.0}, -1.0, True, "+0.00 eV from the lowest"),  # a tie: the first one
        ({"b": -1.0, "a": -1.0}, {"a": -1.0, "b": 0.0}, -1.0, False, "-1.00 eV from the reference"),
    ],
)
def test_worked_by_hand(ml, dft, lowest, succeeds, why) -> None:
    (verdict,) = judge({"x": ml}, {"x": dft}, {"x": lowest})
    assert (verdict.succeeds, verdict.why) == (succeeds, why)


def test_a_missing_system_fails_and_the_share_counts_it() -> None:
    verdicts = judge({"x": {"a": -1.0}}, {"x": {"a": -1.0}}, {"x": -1.0, "y": -2.0})
    assert [one.succeeds for one in verdicts] == [True, False]
    found = success(verdicts)
    assert (found.hits, found.count, found.value) == (1, 2, 0.5)
    assert judge({}, {}, {}) == []
    assert str(success([])) == "- (0)"


def by_arrays(ml: np.ndarray, dft: np.ndarray, lowest: np.ndarray) -> int:
    """Successes by the definition: tables [system, candidate], 1e10 where missing."""
    if not ml.size:
        return 0
    first = np.argmin(ml, axis=1)
    rows = np.arange(len(ml))
    own, true = ml[rows, first], dft[rows, first]
    answered = (own < 1e9) & (true < 1e9) & (lowest < 1e9)
    fails = np.abs(own - true) > 0.1
    return int((answered & ~fails & (own - lowest <= 0.1)).sum())


energies = st.sampled_from([-1.0, -0.95, -0.9, -0.85, -0.5, 0.0, 0.05, MISSING]) | st.floats(-3, 3)


@settings(max_examples=300)
@given(st.lists(st.tuples(st.lists(st.tuples(energies, energies), min_size=3, max_size=3), energies), max_size=4))
def test_equals_the_definition_by_arrays(rows) -> None:
    names = [f"s{index}" for index in range(len(rows))]
    ml = {
        name: {c: pair[0] for c, pair in zip(CANDIDATES, row[0], strict=True)}
        for name, row in zip(names, rows, strict=True)
    }
    dft = {
        name: {c: pair[1] for c, pair in zip(CANDIDATES, row[0], strict=True)}
        for name, row in zip(names, rows, strict=True)
    }
    verdicts = judge(ml, dft, {name: row[1] for name, row in zip(names, rows, strict=True)})
    table = np.array([[list(pair) for pair in row[0]] for row in rows], dtype=float).reshape(-1, 3, 2)
    lowest = np.array([row[1] for row in rows], dtype=float)
    assert success(verdicts).hits == by_arrays(table[..., 0], table[..., 1], lowest)
