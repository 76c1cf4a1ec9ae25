"""The keeper of leases, against a real PostgreSQL."""

import time
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, func, select, text, update

from shared.database.session import Sessions, sessions
from shared.database.tables import Walker
from tests.shared.database.jobs import add_job
from worker.lifecycle.lease_keeper import LeaseKeeper
from worker.queue import claims, eligible

LEASE_S = 6.0
"""It may be renewed half of it late, and given up a fifth of it late: as much as a loaded machine may stand still."""


@pytest.fixture
def opened(engine: Engine) -> Sessions:
    return sessions(engine)


@pytest.fixture
def lease(opened: Sessions) -> claims.Lease:
    with opened.begin() as session:
        add_job(session)
        return claims.lease_of(
            claims.claim(session, Walker, eligible.walkers("emt"), owner="me", lease_s=LEASE_S, limit=1)[0]
        )


def within(timeout_s: float, true: Callable[[], object]) -> bool:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.02)
    return False


def test_a_lease_is_kept_for_longer_than_it_lasts(opened, lease):
    with LeaseKeeper(opened, LEASE_S) as keeper:
        keeper.hold(lease)
        assert not within(2.5 * LEASE_S, keeper.lost)
        with opened() as session:
            assert session.scalar(select(Walker.lease_until > func.now()))


def test_a_lease_that_somebody_else_has_now_is_lost(opened, lease):
    with LeaseKeeper(opened, LEASE_S) as keeper:
        keeper.hold(lease)
        with opened.begin() as session:
            session.execute(update(Walker).values(token=lease.token + 1))
        assert within(LEASE_S, lambda: keeper.lost() == {lease})
        keeper.drop(lease)
        assert keeper.lost() == set()


def test_a_lease_that_cannot_be_renewed_in_time_is_given_up_before_it_ends(opened, lease):
    with opened() as blocking, LeaseKeeper(opened, LEASE_S) as keeper:
        keeper.hold(lease)
        began = time.monotonic()
        blocking.execute(text("LOCK TABLE walkers IN ACCESS EXCLUSIVE MODE"))
        assert within(LEASE_S, lambda: keeper.lost() == {lease})
        assert time.monotonic() - began < 1.1 * LEASE_S
        blocking.rollback()
