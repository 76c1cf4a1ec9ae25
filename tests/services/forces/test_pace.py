"""How long a forward takes, against NumPy's weighted least squares."""

from math import inf

import numpy as np
import pytest

from services.forces.pace import Pace


def learnt(forwards: list[tuple[int, float]]) -> Pace:
    pace = Pace()
    for atoms, seconds in forwards:
        pace.learn(atoms, seconds)
    return pace


def test_base_and_slope_are_those_of_weighted_least_squares():
    rng = np.random.default_rng(0)
    atoms = rng.integers(100, 4000, 30)
    seconds = 0.005 + 8e-6 * atoms + 1e-4 * rng.standard_normal(30)
    weights = 0.9 ** np.arange(30)[::-1]
    slope, base = np.polyfit(atoms, seconds, 1, w=np.sqrt(weights))
    pace = learnt(list(zip(atoms.tolist(), seconds.tolist(), strict=True)))
    assert pace.seconds(1000) == pytest.approx(base + 1000 * slope)
    assert pace.atoms_in(0.02) == pytest.approx((0.02 - base) / slope)


def test_a_device_whose_forwards_cost_the_same_has_room_without_bound():
    pace = learnt([(100, 0.02), (1000, 0.02), (4000, 0.02)])
    assert pace.seconds(10_000) == pytest.approx(0.02)
    assert pace.atoms_in(0.04) == inf


def test_forwards_of_one_size_count_by_their_atoms():
    pace = learnt([(200, 0.1)] * 5)
    assert pace.seconds(400) == pytest.approx(0.2)


def test_nothing_is_known_before_the_first_forward():
    assert not Pace().known
    assert Pace().atoms_in(1.0) == 0.0


def test_no_part_is_negative():
    assert learnt([(100, 0.03), (1000, 0.02), (4000, 0.01)]).seconds(10) > 0
    assert learnt([(100, 0.0), (1000, 0.02), (4000, 0.2)]).seconds(10) > 0
