"""Which placements are hopped from, and how the budget is shared."""

import numpy as np
import pytest

from services.search.allocation import First, promising, share
from services.search.walker import Minimum
from shared.parameters import Hopping, JobParameters
from tests.services.search.test_curvature import adslab

PARAMETERS = JobParameters(hopping=Hopping(walkers=2))
HERE = adslab()


def first(energy: float, *, moved: float = 0.0, sound: bool = True, calls: int = 10) -> First:
    """moved: Å along the surface, of the adsorbate: another minimum where it is more than the tolerance."""
    positions = HERE.positions + np.outer(HERE.adsorbate, [moved, 0, 0])
    return First(Minimum(HERE.moved(positions), energy), sound, calls)


def test_the_lowest_distinct_sound_minima_go_on():
    firsts = [first(-1.0), None, first(-2.0, moved=0.6), first(-2.005, moved=0.6), first(-3.0, sound=False)]
    assert promising(firsts, PARAMETERS) == [3, 0]


def test_no_more_than_asked_and_ties_go_to_the_earlier_placement():
    firsts = [first(-1.0, moved=0.0), first(-1.0, moved=0.6), first(-1.0, moved=1.2)]
    assert promising(firsts, PARAMETERS) == [0, 1]


def test_where_nothing_is_sound_the_lowest_go_on_all_the_same():
    assert promising([first(-1.0, sound=False), None, first(-2.0, moved=0.6, sound=False)], PARAMETERS) == [2, 0]
    assert promising([None, None], PARAMETERS) == []


@pytest.mark.parametrize(("budget", "expected"), [(1000, 10 + 235), (60, 10), (10, 10)])
def test_what_the_placements_left_of_a_members_part_is_shared_by_those_that_go_on(budget, expected):
    firsts = [first(-1.0), first(-2.0, calls=20), None]
    assert share(budget, 2, firsts, [1, 0], 0) == expected
