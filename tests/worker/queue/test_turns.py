"""Whose turn it is, what waits for what, and last attempts, which are made alone."""

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from shared.database.tables import STRIPES, Job, JobReference, Reference, Turn, Usage, Walker
from shared.database.workflow import lanes, progression, turns
from shared.database.workflow.turns import Spent
from shared.errors import Diverged
from shared.states import State, Work
from tests.shared.database.jobs import add_job, add_reference
from tests.worker.queue.test_claims import take
from worker.queue import claims, eligible, waiting


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
    progression.move_all_on(session, [job.id])
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
        return waiting.last_attempt_waits(session, eligible.walkers("emt"), max_attempts=3)

    def members() -> set[tuple[Work, str]]:
        return waiting.on_last_attempt(session, max_attempts=3)

    job = add_job(session, walkers=2)
    assert (waits(), members()) == (False, set())
    session.scalars(select(Walker)).first().attempts = 2
    session.flush()
    assert (waits(), members()) == (True, {(Work.WALKER, "emt")})
    job.state, job.ended_at = State.CANCELLED, func.now()
    session.flush()
    assert (waits(), members()) == (False, {(Work.WALKER, "emt")})
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
    lanes.refresh(session, [late.id])

    def next_one() -> int:
        rows = eligible.references("emt")
        return claims.claim(session, Reference, rows, owner="worker", lease_s=60, limit=1)[0].id

    order = [next_one() for _ in range(6)]
    assert sorted(order) == sorted(one.id for one in [*wanted, own])
    assert {wanted[4].id, own.id} & set(order[:2])
    assert order.index(own.id) < 4
    assert order.index(wanted[4].id) < 4


def add_jobs(session: Session, user: str, n: int) -> int:
    """Jobs of one walker each. Returns the user's number."""
    return [add_job(session, user=user).user_id for _ in range(n)].pop()


def serve(session: Session, seconds: dict[object, float]) -> object:
    """One worker claims a row, takes its user's time for it, and commits. Returns whose it was."""
    row = take(session)[0]
    session.flush()
    claims.finish(session, claims.lease_of(row), State.SUCCEEDED)
    turns.charge(session, row.claimed_for, "emt", Spent(seconds[row.claimed_for]), by="worker")
    session.expire_all()
    return row.claimed_for


def test_one_worker_serves_the_users_in_turn(session):
    """Nothing runs between its claims: only the past says whose turn it is."""
    first = add_jobs(session, "first", 4)
    late = add_jobs(session, "late", 2)
    assert [serve(session, {first: 1.0, late: 1.0}) for _ in range(4)] == [first, late, first, late]


def test_turns_are_of_time_not_of_pieces(session):
    large = add_jobs(session, "large", 4)
    small = add_jobs(session, "small", 20)
    served = [serve(session, {large: 10.0, small: 1.0}) for _ in range(22)]
    assert served.count(small) == 20
    assert served.count(large) == 2


def test_one_claim_does_not_hand_every_slot_to_whoever_needs_longest(session):
    large, small = add_job(session, user="large", walkers=20), add_job(session, user="small", walkers=20)
    for job, seconds in ((large, 9.0), (small, 1.0)):
        turns.learn_cost(session, job.id, "emt", Work.WALKER, seconds)
    taken = [row.claimed_for for row in take(session, limit=8)]
    assert taken.count(large.user_id) == 1
    assert taken.count(small.user_id) == 7


def test_idle_time_is_not_saved_up(session):
    stays = add_jobs(session, "stays", 12)
    for _ in range(5):
        serve(session, {stays: 100.0})
    back = add_jobs(session, "back", 4)
    served = [serve(session, {stays: 100.0, back: 100.0}) for _ in range(4)]
    assert served.count(back) == 2


def test_who_comes_when_nobody_is_there_owes_nobody_and_is_owed_nothing(session):
    gone = add_job(session, user="gone").user_id
    serve(session, {gone: 1000.0})
    end_lanes(session)
    new = add_jobs(session, "new", 4)
    add_jobs(session, "gone", 4)
    served = [serve(session, {gone: 10.0, new: 10.0}) for _ in range(4)]
    assert served.count(gone) == 2


def end_lanes(session: Session) -> None:
    for job in session.scalars(select(Job)):
        lanes.refresh(session, [job.id])


def test_nobody_is_owed_more_than_the_limit(session):
    """Both have work all the time, but one could not use their turns."""
    held = add_job(session, user="held", walkers=30).user_id
    goes = add_job(session, user="goes", walkers=30).user_id
    turns.charge(session, goes, "emt", Spent(10 * eligible.OWED_S), by="worker")
    served = [serve(session, {held: eligible.OWED_S / 2, goes: 1.0}) for _ in range(10)]
    assert served.count(held) < 5
    assert goes in served


def test_a_members_turns_are_its_own(session):
    busy = add_job(session, user="busy").user_id
    add_job(session, user="other")
    turns.charge(session, busy, "another-member", Spent(1000.0), by="worker")
    assert take(session)[0].claimed_for == busy


def test_time_of_many_workers_adds_up(session):
    user = add_job(session).user_id
    for number in range(40):
        turns.charge(session, user, "emt", Spent(0.25, force_calls=3), by=f"host:{number}")
    assert session.scalar(select(func.sum(Turn.device_s))) == 10.0
    assert session.execute(select(func.sum(Usage.device_s), func.sum(Usage.force_calls))).one() == (10.0, 120)
    assert 1 < session.scalar(select(func.count()).select_from(Turn)) <= STRIPES


def test_users_who_are_passed_over_get_nothing(session):
    first, second = add_job(session, user="first", walkers=3), add_job(session, user="second")
    rows = claims.claim(
        session, Walker, eligible.walkers("emt"), owner="worker", lease_s=60, limit=5, besides=(first.user_id,)
    )
    assert [row.job_id for row in rows] == [second.id]


def test_a_claim_looks_at_the_rows_of_those_whose_turn_it_is_however_many_wait(session):
    """Users wait with a job each; the one who used least is not the first that a look through them would find."""
    users = [add_job(session, user=f"user {number:02}").user_id for number in range(40)]
    for number, user in enumerate(users):
        turns.charge(session, user, "emt", Spent(100.0 - number), by="worker")
    session.flush()
    session.execute(text("SET LOCAL enable_seqscan = off"))
    before = lookups(session)
    assert take(session)[0].claimed_for == users[-1]
    assert lookups(session) - before < 20


def lookups(session: Session) -> int:
    """Jumps into the indexes of walkers in this transaction."""
    counted = text("SELECT idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'walkers'")
    return int(session.scalars(counted).one())


def test_whether_anything_is_open_says_what_a_claim_would_find(session):
    assert not waiting.anything_open(session, "emt")
    job = add_job(session)
    assert waiting.anything_open(session, "emt")
    assert not waiting.anything_open(session, "another-member")
    reference = add_reference(session, job)
    progression.move_all_on(session, [job.id])
    assert waiting.anything_open(session, "emt")  # the reference
    claimed = claims.claim(session, Reference, eligible.references("emt"), owner="worker", lease_s=60, limit=1)
    assert claimed == [reference]
    assert not waiting.anything_open(session, "emt")
    claims.finish(session, claims.lease_of(reference), State.SUCCEEDED, energy=-1.0)
    progression.move_all_on(session, [job.id])
    assert waiting.anything_open(session, "emt")
    take(session)
    assert not waiting.anything_open(session, "emt")
