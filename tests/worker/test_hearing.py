import pytest

from worker.hearing import Hearing

LIMIT_S = 60.0


def looks(
    hearing: Hearing, *, until: float, answered: bool = True, every: float = 5.0, signs: bool = False
) -> list[float]:
    """Times at which the worker counted as deaf, looked at from its last look on."""
    deaf = []
    now = hearing.last_look if hearing.last_look is not None else 0.0
    while (now := now + every) <= until:
        if signs:
            hearing.sign(now)
        if hearing.deaf(now, answered=answered):
            deaf.append(now)
    return deaf


@pytest.fixture
def hearing() -> Hearing:
    return Hearing(LIMIT_S, last_sign=0.0)


def test_a_loop_that_turns_is_never_deaf(hearing: Hearing):
    assert looks(hearing, until=1000, signs=True) == []


def test_a_loop_that_stands_still_beside_a_broker_that_answers_is_deaf_after_the_limit(hearing: Hearing):
    looks(hearing, until=100, signs=True)
    assert looks(hearing, until=200)[0] == 165.0


def test_a_broker_that_is_away_makes_nobody_deaf_and_the_time_runs_from_its_return(hearing: Hearing):
    looks(hearing, until=100, signs=True)
    assert looks(hearing, until=500, answered=False) == []
    assert looks(hearing, until=600)[0] == 570.0  # first answer at 505


def test_one_missed_answer_begins_the_time_again(hearing: Hearing):
    looks(hearing, until=50)
    assert looks(hearing, until=55, answered=False) == []
    assert looks(hearing, until=200)[0] == 125.0  # first answer at 60


def test_a_process_that_was_stopped_for_long_gets_the_whole_time(hearing: Hearing):
    looks(hearing, until=50, signs=True)
    assert not hearing.deaf(650.0, answered=True)
    assert looks(hearing, until=800)[0] == 720.0
