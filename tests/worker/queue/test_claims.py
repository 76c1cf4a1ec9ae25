"""Claims on a real PostgreSQL: one winner, fenced writes, leases that end, turns that are fair."""

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.orm import Session

from shared.database.session import Sessions, sessions
from shared.database.tables import Attempt, JobReference, Reference, Walker
from shared.errors import Broken, Diverged, LostLease
from shared.states import State
from tests.shared.database.jobs import add_job, add_reference
from worker.queue import claims, eligible


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
        claims.end_expired(session, max_attempts=5)
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
    claims.end_expired(session, max_attempts=3)
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
        assert claims.end_expired(session, max_attempts=3) == {job.id}
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


def test_a_users_many_jobs_do_not_delay_another_ones_first(session):
    for _ in range(20):
        add_job(session, user="busy")
    late = add_job(session, user="late")
    order = [take(session)[0].job_id for _ in range(4)]
    assert late.id in order[:2]
    assert order.count(late.id) == 1


def test_rows_that_run_count_for_their_users_turn(session):
    for _ in range(6):
        add_job(session, user="busy")
    take(session, limit=4)
    late = add_job(session, user="late", walkers=3)
    assert {row.job_id for row in take(session, limit=3)} == {late.id}


def test_priority_orders_a_users_own_jobs_only(session):
    low = add_job(session, user="first", priority=0)
    high = add_job(session, user="first", priority=50)
    other = add_job(session, user="second", priority=-100)
    order = [take(session)[0].job_id for _ in range(3)]
    assert order.index(high.id) < order.index(low.id)
    assert order.index(other.id) < 2


def test_work_waits_for_its_references(session):
    job = add_job(session)
    reference = add_reference(session, job)
    assert not take(session)
    reference.state, reference.energy = State.SUCCEEDED, -1.0
    session.flush()
    assert take(session)


def test_no_walker_runs_further_ahead_than_the_lag(session):
    job = add_job(session, walkers=2)
    lag = job.lag
    ahead = session.scalars(select(Walker).order_by(Walker.id)).first()
    ahead.hop = lag
    session.flush()
    slow = take(session, limit=5)
    assert [row.hop for row in slow] == [0]
    claims.finish(session, claims.lease_of(slow[0]), State.QUEUED, hop=1)
    session.expire_all()
    assert {row.hop for row in take(session, limit=5)} == {1, lag}


def test_nobody_hops_before_every_placement_is_relaxed(session):
    add_job(session, walkers=3)
    first = session.scalars(select(Walker).order_by(Walker.id)).first()
    first.hop = 1
    session.flush()
    rows = take(session, limit=5)
    assert [row.hop for row in rows] == [0, 0]
    claims.finish(session, claims.lease_of(rows[0]), State.QUEUED, hop=1)
    session.expire_all()
    assert not take(session, limit=5)  # the last one still runs
    claims.fail(session, claims.lease_of(rows[1]), Diverged("far"), "worker")
    session.expire_all()
    assert [row.hop for row in take(session, limit=5)] == [1, 1]  # one that failed keeps nobody waiting


def test_work_of_an_ended_job_is_not_claimed(session):
    job = add_job(session)
    job.state, job.ended_at = State.CANCELLED, func.now()
    session.flush()
    assert not take(session)


def trial(session: Session, kind: claims.Trial, limit: int = 5) -> list[int]:
    rows = claims.claim(
        session, Walker, eligible.walkers("emt"), owner="worker", lease_s=60, limit=limit, trial=kind, max_attempts=3
    )
    return [row.attempts for row in rows]


def test_a_rows_last_attempt_is_claimed_apart_from_the_others(session):
    add_job(session, walkers=4)
    for walker, attempts in zip(session.scalars(select(Walker).order_by(Walker.id)), (0, 1, 2, 2), strict=True):
        walker.attempts = attempts
    session.flush()
    assert trial(session, claims.Trial.SHARED) == [1, 2]
    assert trial(session, claims.Trial.ALONE, limit=1) == [3]


def test_a_row_that_waits_for_its_last_attempt_is_told_until_it_is_taken_and_only_where_it_may_be(session):
    def waits() -> bool:
        return claims.last_attempt_waits(session, Walker, eligible.walkers("emt"), max_attempts=3)

    def members() -> set[str]:
        return claims.on_last_attempt(session, Walker, max_attempts=3)

    job = add_job(session, walkers=2)
    assert (waits(), members()) == (False, set())
    session.scalars(select(Walker)).first().attempts = 2
    session.flush()
    assert (waits(), members()) == (True, {"emt"})
    job.state, job.ended_at = State.CANCELLED, func.now()
    session.flush()
    assert (waits(), members()) == (False, {"emt"})
    job.state, job.ended_at = State.RUNNING, None
    session.flush()
    assert trial(session, claims.Trial.ALONE, limit=1) == [3]
    assert not waits()


def test_where_one_attempt_is_all_there_is_it_is_shared(session):
    add_job(session)
    rows = claims.claim(
        session,
        Walker,
        eligible.walkers("emt"),
        owner="worker",
        lease_s=60,
        limit=1,
        trial=claims.Trial.SHARED,
        max_attempts=1,
    )
    assert len(rows) == 1


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


def test_references_go_round_the_users_and_one_that_is_shared_has_the_earliest_turn(session):
    flood = [add_job(session, user="first", walkers=0) for _ in range(5)]
    wanted = [add_reference(session, job) for job in flood]
    late = add_job(session, user="late", walkers=0)
    own = add_reference(session, late)
    session.add(JobReference(job_id=late.id, reference_id=wanted[4].id))
    session.flush()

    def next_one() -> int:
        rows = eligible.references("emt")
        return claims.claim(session, Reference, rows, owner="worker", lease_s=60, limit=1)[0].id

    order = [next_one() for _ in range(6)]
    assert sorted(order) == sorted(one.id for one in [*wanted, own])
    assert {wanted[0].id, own.id} & set(order[:2])
    assert order.index(own.id) < 3
    assert order.index(wanted[4].id) < 4


def test_one_worker_serves_the_users_in_turn(session):
    """Nothing runs between its claims: only the past says whose turn it is."""
    for _ in range(4):
        add_job(session, user="first")
    late = [add_job(session, user="late").id for _ in range(2)]
    order = []
    for _ in range(4):
        row = take(session)[0]
        order.append(row.job_id in late)
        claims.finish(session, claims.lease_of(row), State.SUCCEEDED)
        session.expire_all()
    assert order == [False, True, False, True]
