import pytest

from worker.lifecycle.watchdog import Hearing

LIMIT_S = 60.0


def looks(hearing: Hearing, *, until: float, unheard: bool = True, every: float = 5.0) -> list[float]:
    """Times at which the worker counted as deaf, looked at from its last look on."""
    now = hearing.last_look if hearing.last_look is not None else 0.0
    deaf = []
    while (now := now + every) <= until:
        if hearing.deaf(now, unheard=unheard):
            deaf.append(now)
    return deaf


@pytest.fixture
def hearing() -> Hearing:
    return Hearing(LIMIT_S)


def test_nobody_is_deaf_where_nothing_rings(hearing: Hearing):
    assert looks(hearing, until=1000, unheard=False) == []


def test_a_bell_that_waits_beside_an_idle_worker_makes_it_deaf_after_the_limit(hearing: Hearing):
    looks(hearing, until=100, unheard=False)
    assert looks(hearing, until=200)[0] == 170.0  # unheard since 105


def test_one_bell_that_was_heard_begins_the_time_again(hearing: Hearing):
    looks(hearing, until=50)
    looks(hearing, until=55, unheard=False)
    assert looks(hearing, until=200)[0] == 125.0  # unheard since 60


def test_a_process_that_was_stopped_for_long_gets_the_whole_time(hearing: Hearing):
    looks(hearing, until=50)
    assert not hearing.deaf(650.0, unheard=True)
    assert looks(hearing, until=800)[0] == 715.0
