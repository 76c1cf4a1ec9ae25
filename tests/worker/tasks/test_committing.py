"""A result is committed while its lease lasts: against an engine that is away, comes back, or stays away."""

import logging
import time

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from shared.database.tables import Walker
from shared.errors import LostLease
from worker.queue.claims import Lease
from worker.tasks.committing import commit_while_held

LEASE = Lease(Walker, 7, 3, 1)


class Engine:
    """Can't be reached the first `away` times; `applied` tells what it took."""

    def __init__(self, away: int = 0, error: type[Exception] | None = None) -> None:
        self.away, self.error, self.asked, self.applied = away, error, 0, 0

    def write(self) -> str:
        self.asked += 1
        if self.error is not None:
            raise self.error("COMMIT", None, Exception("refused"))
        if self.asked <= self.away:
            raise OperationalError("COMMIT", None, Exception("the server closed the connection"))
        self.applied += 1
        return "written"


class Lost:
    """The keeper's word: the lease is lost after so many looks."""

    def __init__(self, after: float = float("inf")) -> None:
        self.looks, self.after = 0, after

    def __call__(self) -> set[Lease]:
        self.looks += 1
        return {LEASE} if self.looks > self.after else {Lease(Walker, 8, 3, 1)}


def test_what_can_be_written_is_written_once():
    engine, lost = Engine(), Lost()
    assert commit_while_held(LEASE, lost, engine.write) == "written"
    assert (engine.asked, engine.applied) == (1, 1)


def test_a_database_that_is_away_is_asked_again_until_it_is_back(caplog):
    engine, began = Engine(away=3), time.monotonic()
    with caplog.at_level(logging.WARNING):
        assert commit_while_held(LEASE, Lost(), engine.write, retry_s=0.02, fields={"job": "some"}) == "written"
    assert (engine.asked, engine.applied) == (4, 1)
    assert time.monotonic() - began >= 3 * 0.02
    assert [record.message.split(":")[0] for record in caplog.records] == ["not committed yet"] * 3
    assert {record.__dict__["job"] for record in caplog.records} == {"some"}


def test_nothing_is_written_once_the_lease_is_lost():
    engine = Engine(away=100)
    with pytest.raises(LostLease, match="the lease on walkers 7 can't be kept"):
        commit_while_held(LEASE, Lost(after=2), engine.write, retry_s=0.0)
    assert (engine.asked, engine.applied) == (2, 0)

    already = Engine()
    with pytest.raises(LostLease):
        commit_while_held(LEASE, Lost(after=0), already.write)
    assert already.asked == 0


@pytest.mark.parametrize("error", [IntegrityError, LostLease])
def test_other_errors_are_the_callers(error):
    engine = Engine(error=error)
    with pytest.raises(error):
        commit_while_held(LEASE, Lost(), engine.write)
    assert engine.asked == 1
