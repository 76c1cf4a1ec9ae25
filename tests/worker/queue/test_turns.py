"""Whose turn it is, what waits for what, and last attempts, which are made alone."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.database.tables import JobReference, Reference, Walker
from shared.errors import Diverged
from shared.states import State
from tests.shared.database.jobs import add_job, add_reference
from tests.worker.queue.test_claims import take
from worker.queue import claims, eligible


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
