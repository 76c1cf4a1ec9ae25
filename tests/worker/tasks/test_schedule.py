"""When results are stored: together where few of many walks ended, at once where a walk of few would wait."""

import pytest

from worker.tasks.schedule import KEPT_S, LOOK_S, REST_S, Schedule


def paced(*, turned: float = 100.0, took: float = 0.01, full: bool = False) -> Schedule:
    schedule = Schedule()
    schedule.turn(turned)
    schedule.rest(turned + took, full=full)
    return schedule


def test_one_of_few_walks_is_stored_at_once():
    assert paced().due(100.03, held=8, ended=1)
    assert paced().due(100.03, held=16, ended=1)


def test_one_of_many_waits_for_others_but_not_for_long():
    schedule = paced()
    assert not schedule.due(100.03, held=80, ended=4)
    assert schedule.due(100.03, held=80, ended=5)
    assert not schedule.due(100.0 + KEPT_S - 0.01, held=80, ended=1)
    assert schedule.due(100.0 + KEPT_S, held=80, ended=1)


def test_work_is_looked_for_now_and_then_though_nothing_ended_and_at_once_where_nothing_is_held():
    schedule = paced()
    assert not schedule.due(100.0 + LOOK_S - 0.01, held=80, ended=0)
    assert schedule.due(100.0 + LOOK_S, held=80, ended=0)
    assert schedule.due(100.03, held=0, ended=0)


def test_a_turn_is_followed_by_a_rest_as_long_as_it_was_where_the_device_has_its_fill():
    full, lacking = paced(took=0.3, full=True), paced(took=0.3)
    assert not full.due(100.59, held=8, ended=8)
    assert full.due(100.61, held=8, ended=8)
    assert lacking.rest_left(100.3) == pytest.approx(REST_S)
    assert lacking.due(100.41, held=8, ended=8)


def test_the_next_turn_can_be_asked_for_at_once():
    schedule = paced(took=0.3, full=True)
    schedule.at_once()
    assert schedule.due(100.31, held=80, ended=0)
