"""The members' summary against numbers worked by hand and the statistics module."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.ensemble import Summaries, one_reference, summarise, weights_of
from shared.errors import InvalidInput
from shared.parameters import Spread

NAN = float("nan")


def of(*energies: float, weights: list[float] | None = None) -> Summaries:
    return summarise(np.array([energies]), None if weights is None else np.array(weights))


def test_hand_worked_spread() -> None:
    found = of(-1.0, -1.2, -1.7)
    assert found.mean[0] == pytest.approx(-1.3)
    assert found.std[0] == pytest.approx((0.26 / 2) ** 0.5)  # squares 0.09 + 0.01 + 0.16 over n - 1
    assert found.range[0] == pytest.approx(0.7)
    assert found.n[0] == 3
    assert found.spread(Spread.STD)[0] == found.std[0]
    assert found.spread(Spread.RANGE)[0] == found.range[0]


def test_one_member_has_no_spread_and_none_has_no_mean() -> None:
    for energies in ((-1.0, NAN), (NAN, -1.0)):
        alone = of(*energies)
        assert (alone.mean[0], alone.n[0]) == (-1.0, 1)
        assert np.isnan([alone.std[0], alone.range[0]]).all()
    nobody = of(NAN, NAN)
    assert nobody.n[0] == 0
    assert np.isnan([nobody.mean[0], nobody.std[0], nobody.range[0]]).all()
    empty = summarise(np.zeros((0, 3)))
    assert len(empty.mean) == len(empty.n) == 0


def test_weights_steer_the_mean_over_those_that_are_there_and_never_the_spread() -> None:
    both = summarise(np.array([[-1.0, -2.0, -4.0], [-1.0, NAN, -4.0]]), np.array([1.0, 2.0, 1.0]))
    assert both.mean.tolist() == pytest.approx([-2.25, -2.5])  # (-1 - 4 - 4) / 4; (-1 - 4) / 2
    assert both.std[0] == pytest.approx(statistics.stdev([-1.0, -2.0, -4.0]))
    assert of(-1.0, -3.0, weights=[3.0, 1.0]).mean[0] == pytest.approx(-1.5)


energy = st.floats(-30, 30) | st.just(NAN)


@given(st.lists(st.tuples(energy, energy, energy, energy), max_size=20))
def test_as_the_statistics_module_says(rows: list[tuple[float, ...]]) -> None:
    found = summarise(np.array(rows, dtype=float).reshape(-1, 4))
    for index, row in enumerate(rows):
        values = [value for value in row if value == value]
        assert found.n[index] == len(values)
        if values:
            assert found.mean[index] == pytest.approx(statistics.fmean(values), abs=1e-12)
        if len(values) > 1:
            assert found.std[index] == pytest.approx(statistics.stdev(values), rel=1e-9, abs=1e-12)
            assert found.range[index] == max(values) - min(values)


def test_weights_are_those_of_the_members() -> None:
    assert weights_of(["a", "b"], {}) is None
    weights = weights_of(["a", "b"], {"b": 2.0})
    assert weights is not None
    assert weights.tolist() == [1.0, 2.0]
    with pytest.raises(InvalidInput, match="weights for c, but the members are a, b"):
        weights_of(["a", "b"], {"c": 1.0})


def test_mixed_references_are_an_error() -> None:
    assert one_reference(["relaxed clean slab", "relaxed clean slab"]) == "relaxed clean slab"
    assert one_reference([]) == ""
    with pytest.raises(InvalidInput, match=r"different references: relaxed clean slab; relaxed clean slab \+ CO\(g\)"):
        one_reference(["relaxed clean slab + CO(g)", "relaxed clean slab"])
