"""The members' summary against numbers worked by hand and the statistics module."""

from __future__ import annotations

import statistics

import pytest

from services.ensemble import Summary, summarise
from shared.errors import InvalidInput
from shared.parameters import Spread

SLAB_CO = "relaxed clean slab + CO(g)"


def referenced(energies: dict[str, float]) -> dict[str, str]:
    return dict.fromkeys(energies, SLAB_CO)


def test_hand_worked_spread() -> None:
    energies = {"a": -1.0, "b": -1.2, "c": -1.7}
    summary = summarise(energies, referenced(energies))
    assert summary.mean == pytest.approx(-1.3)
    assert summary.std == pytest.approx((0.26 / 2) ** 0.5)  # squares 0.09 + 0.01 + 0.16 over n - 1
    assert summary.range == pytest.approx(0.7)
    assert summary.n == 3
    assert summary.std == pytest.approx(statistics.stdev(energies.values()))
    assert summary.spread(Spread.STD) == summary.std
    assert summary.spread(Spread.RANGE) == summary.range


def test_one_member_has_no_spread() -> None:
    assert summarise({"a": -1.0}, {"a": SLAB_CO}) == Summary(-1.0, None, None, 1)
    assert summarise({}, {}) == Summary(None, None, None, 0)


def test_the_order_of_the_members_changes_no_bit() -> None:
    energies = {"a": 0.1, "b": 0.2, "c": 0.3, "d": 1e16}
    backwards = dict(reversed(energies.items()))
    assert summarise(energies, referenced(energies)) == summarise(backwards, referenced(energies))


def test_mixed_references_are_an_error() -> None:
    with pytest.raises(InvalidInput, match="different references"):
        summarise({"a": -1.0, "b": -1.1}, {"a": SLAB_CO, "b": "relaxed clean slab"})


def test_references_of_members_without_an_energy_do_not_count() -> None:
    assert summarise({"a": -1.0}, {"a": SLAB_CO, "b": "relaxed clean slab"}).n == 1
