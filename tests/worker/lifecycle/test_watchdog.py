import pytest

from worker.lifecycle.watchdog import Watchdog

LIMIT_S = 60.0


def check(watchdog: Watchdog, *, until: float, waiting: bool = True, every: float = 5.0) -> list[float]:
    """Times of the checks, from the last one on, at which the worker would be ended."""
    now = watchdog.last_check if watchdog.last_check is not None else 0.0
    expired = []
    while (now := now + every) <= until:
        if watchdog.expired(now, waiting=waiting):
            expired.append(now)
    return expired


@pytest.fixture
def watchdog() -> Watchdog:
    return Watchdog(LIMIT_S)


def test_no_worker_is_ended_where_no_message_waits(watchdog: Watchdog):
    assert check(watchdog, until=1000, waiting=False) == []


def test_an_idle_worker_beside_which_a_message_waits_is_ended_after_the_limit(watchdog: Watchdog):
    check(watchdog, until=100, waiting=False)
    assert check(watchdog, until=200)[0] == 170.0  # it waits since 105


def test_one_message_that_was_taken_begins_the_time_again(watchdog: Watchdog):
    check(watchdog, until=50)
    check(watchdog, until=55, waiting=False)
    assert check(watchdog, until=200)[0] == 125.0  # it waits since 60


def test_a_process_that_was_stopped_for_long_gets_the_whole_time(watchdog: Watchdog):
    check(watchdog, until=50)
    assert not watchdog.expired(650.0, waiting=True)
    assert check(watchdog, until=800)[0] == 715.0
