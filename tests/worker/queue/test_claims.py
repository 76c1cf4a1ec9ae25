"""Claims on a real PostgreSQL: one winner, fenced writes, leases that end, turns that are fair."""

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.orm import Session

from shared.database.session import Sessions, sessions
from shared.database.tables import Attempt, Walker
from shared.errors import Broken, Diverged, LostLease
from shared.states import State
from tests.shared.database.jobs import add_job
from worker.queue import claims, eligible, expiry


@pytest.fixture
def opened(engine: Engine) -> Sessions:
    return sessions(engine)


def take(session: Session, limit: int = 1, owner: str = "worker", lease_s: float = 60) -> Sequence[Walker]:
    return claims.claim(session, Walker, eligible.walkers("emt"), owner=owner, lease_s=lease_s, limit=limit)


def expire(session: Session) -> None:
    """As if the leases' time had passed."""
    session.execute(update(Walker).values(lease_until=func.now() - text("interval '1 second'")))


def test_many_workers_at_once_take_each_row_once(opened):
    with opened.begin() as session:
        add_job(session, walkers=40)

    def worker(name: int) -> list[int]:
        taken: list[int] = []
        while True:
            with opened.begin() as session:
                rows = take(session, limit=3, owner=str(name))
                taken += [row.id for row in rows]
            if not rows:
                return taken

    with ThreadPoolExecutor(6) as pool:
        taken = [key for found in pool.map(worker, range(6)) for key in found]
    # skip_locked may let a worker leave early while another one is just claiming; nothing is ever taken twice
    with opened() as session:
        running = session.scalars(select(Walker.id).where(Walker.state == State.RUNNING)).all()
    assert sorted(taken) == sorted(running)
    assert len(set(taken)) == len(taken)


def test_a_row_that_is_being_claimed_is_skipped_not_waited_for(opened):
    with opened.begin() as session:
        add_job(session, walkers=2)
    with opened.begin() as first, opened.begin() as second:
        one = take(first)
        second.execute(text("SET LOCAL lock_timeout = '1s'"))
        other = take(second)
        assert {one[0].id} != {other[0].id}


def test_every_claim_has_a_larger_token_and_counts_as_an_attempt(session):
    add_job(session)
    tokens = []
    for attempt in (1, 2, 3):
        row = take(session)[0]
        assert row.attempts == attempt
        tokens.append(row.token)
        expire(session)
        expiry.end_expired(session, max_attempts=5)
        session.expire_all()
    assert tokens == sorted(set(tokens))


def test_a_result_is_written_once_and_starts_the_attempts_again(session):
    add_job(session)
    lease = claims.lease_of(take(session)[0])
    claims.finish(session, lease, State.QUEUED, hop=1)
    session.expire_all()
    row = session.get_one(Walker, lease.id)
    assert (row.state, row.hop, row.attempts, row.owner, row.lease_until) == (State.QUEUED, 1, 0, None, None)
    with pytest.raises(LostLease):
        claims.finish(session, lease, State.QUEUED, hop=1)


def test_a_stale_token_never_writes(session):
    add_job(session)
    stale = claims.lease_of(take(session, owner="slow")[0])
    expire(session)
    expiry.end_expired(session, max_attempts=3)
    session.expire_all()
    fresh = claims.lease_of(take(session, owner="successor")[0])
    assert fresh.token > stale.token
    for write in (
        lambda: claims.finish(session, stale, State.SUCCEEDED, hop=9),
        lambda: claims.fail(session, stale, Diverged("too late"), "slow"),
    ):
        with pytest.raises(LostLease), session.begin_nested():
            write()
    claims.release(session, stale)
    assert not claims.renew(session, stale, 60)
    assert claims.renew(session, fresh, 60)
    session.expire_all()
    row = session.get_one(Walker, fresh.id)
    assert (row.state, row.owner, row.hop) == (State.RUNNING, "successor", 0)
    assert not session.scalars(select(Attempt.id).where(Attempt.failure_kind == "diverged")).all()


def test_a_late_write_is_refused_even_before_anybody_noticed(session):
    add_job(session)
    lease = claims.lease_of(take(session)[0])
    expire(session)
    with pytest.raises(LostLease):
        claims.finish(session, lease, State.SUCCEEDED)
    assert not claims.renew(session, lease, 60)


def test_a_row_that_keeps_losing_its_worker_is_poison(session):
    job = add_job(session)
    for _ in range(3):
        assert take(session, owner="doomed")
        expire(session)
        assert expiry.end_expired(session, max_attempts=3) == {job.id}
        session.expire_all()
    row = session.scalars(select(Walker)).one()
    assert (row.state, row.failure_kind) == (State.FAILED, "poison")
    assert "3 attempts" in row.failure_reason
    history = session.execute(select(Attempt.number, Attempt.failure_kind, Attempt.worker).order_by(Attempt.id)).all()
    assert [tuple(one) for one in history] == [(n, "worker_lost", "doomed") for n in (1, 2, 3)]
    assert not take(session)


def test_giving_a_row_back_costs_no_attempt(session):
    add_job(session)
    lease = claims.lease_of(take(session)[0])
    claims.release(session, lease)
    session.expire_all()
    row = session.get_one(Walker, lease.id)
    assert (row.state, row.attempts, row.owner, row.lease_until) == (State.QUEUED, 0, None, None)


def test_renewing_counts_from_now_by_the_servers_clock(session):
    add_job(session)
    lease = claims.lease_of(take(session, lease_s=1)[0])
    assert claims.renew(session, lease, 100)
    left = session.scalar(select(func.extract("epoch", Walker.lease_until - func.now())))
    assert float(left) == pytest.approx(100, abs=1)


def test_rows_given_back_by_a_broken_worker_keep_the_reason_and_fail_with_it_in_the_end(session):
    add_job(session, walkers=2)
    for _ in range(2):
        first, second = [claims.lease_of(row) for row in take(session, limit=2)]
        claims.finish(session, second, State.QUEUED)
        session.expire_all()
        for lease in (first, second):
            with contextlib.suppress(LostLease), session.begin_nested():
                claims.end_attempt(session, lease, Broken("ValueError: odd"), "worker", 2)
        session.flush()
        session.expire_all()
    failed, fine = session.scalars(select(Walker).order_by(Walker.id))
    assert (failed.state, failed.failure_kind, failed.failure_reason) == (State.FAILED, "broken", "ValueError: odd")
    assert (fine.state, fine.attempts) == (State.QUEUED, 0)
    assert [one.number for one in session.scalars(select(Attempt).order_by(Attempt.id))] == [1, 2]


def test_a_lease_that_ended_is_not_held_while_its_result_is_written(session):
    add_job(session)
    lease = claims.lease_of(take(session)[0])
    claims.check(session, lease)
    expire(session)
    with pytest.raises(LostLease):
        claims.check(session, lease)
