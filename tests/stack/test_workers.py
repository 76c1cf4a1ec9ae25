"""Whole jobs on EMT through real processes: undisturbed, with the worker killed, and cancelled."""

import os
import signal
from pathlib import Path

import pytest
from sqlalchemy import func, select

from local.stack import Stack
from shared.database.session import Sessions
from shared.database.tables import Attempt, Candidate, Job, MemberEnergy, Minimum, Walker
from shared.database.workflow import transitions
from shared.parameters import Hopping, JobParameters, Placement
from shared.states import State
from tests.stack.jobs import insert_job, submission

from .conftest import start_workers, wait_for_end, wait_until

pytestmark = pytest.mark.stack


def parameters(hops: int) -> JobParameters:
    return JobParameters(seed=11, placement=Placement(count=3), hopping=Hopping(hops=hops))


def submit(opened: Sessions, hops: int) -> Job:
    with opened.begin() as session:
        return insert_job(session, submission(), parameters(hops), ["emt"])


def outcome(opened: Sessions, job: Job) -> list[tuple]:
    """What a job found, without row numbers: those depend on who came first."""
    with opened() as session:
        rows = session.execute(
            select(Walker.placement_id, Candidate.hop, Candidate.energy, Candidate.positions, Minimum.rank)
            .join(Walker, Walker.id == Candidate.walker_id)
            .outerjoin(Minimum, Minimum.candidate_id == Candidate.id)
            .where(Candidate.job_id == job.id)
        ).all()
        first = min(row[0] for row in rows)
        return sorted(
            ((row[0] - first, row[1], row[2], row[3].tobytes(), row[4]) for row in rows), key=lambda row: row[:2]
        )


def test_a_job_ends_in_minima_the_same_after_its_worker_was_killed(stack: Stack, opened: Sessions):
    start_workers(stack, "emt")
    undisturbed = submit(opened, hops=4)
    assert wait_for_end(opened, undisturbed.id).state == State.SUCCEEDED

    disturbed = submit(opened, hops=4)
    wait_until(lambda: hops_done(opened, disturbed) >= 4, 60, "some hops")
    os.killpg(stack.child("potentials").process.pid, signal.SIGKILL)

    def mended() -> bool:
        stack.watch()
        with opened() as session:
            return State(session.get_one(Job, disturbed.id).state).ended

    wait_until(mended, 120, "the job's end")
    with opened() as session:
        assert session.get_one(Job, disturbed.id).state == State.SUCCEEDED
        lost = session.scalars(select(Attempt.failure_kind).where(Attempt.job_id == disturbed.id)).all()
        assert set(lost) == {"worker_lost"}
        twice = session.execute(
            select(Candidate.walker_id, Candidate.hop)
            .group_by(Candidate.walker_id, Candidate.hop)
            .having(func.count() > 1)
        ).all()
        assert not twice
    assert outcome(opened, disturbed) == outcome(opened, undisturbed)


def test_an_orderly_stop_releases_the_leases_and_costs_no_attempt(stack: Stack, opened: Sessions):
    start_workers(stack, "emt")
    job = submit(opened, hops=200)
    wait_until(lambda: hops_done(opened, job) >= 2, 60, "some hops")
    child = stack.child("potentials")
    stack.stop_role("potentials", grace_s=15)
    assert child.process.returncode == 0, child.tail()
    with opened() as session:
        held = session.scalars(select(Walker.state).where(Walker.job_id == job.id)).all()
        assert set(held) == {State.QUEUED}
        assert not session.scalars(select(Attempt.id)).all()


def test_a_cancelled_job_frees_its_worker(stack: Stack, opened: Sessions):
    start_workers(stack, "emt")
    long = submit(opened, hops=500)
    wait_until(lambda: hops_done(opened, long) >= 1, 60, "some hops")
    with opened.begin() as session:
        transitions.end_job(session, transitions.lock_job(session, long.id), State.CANCELLED)
    short = submit(opened, hops=0)
    assert wait_for_end(opened, short.id, 60).state == State.SUCCEEDED
    with opened() as session:
        assert session.get_one(Job, long.id).state == State.CANCELLED
        states = session.scalars(select(Walker.state).where(Walker.job_id == long.id)).all()
        assert set(states) == {State.CANCELLED}
        after = session.scalars(
            select(func.count()).select_from(MemberEnergy).where(MemberEnergy.state == "running")
        ).one()
        assert after == 0


def test_only_the_lowest_placement_is_hopped_from_where_one_walker_is_asked_for(stack: Stack, opened: Sessions):
    start_workers(stack, "emt")
    settings = parameters(2).model_copy(update={"hopping": Hopping(hops=2, walkers=1), "placement": Placement(count=5)})
    with opened.begin() as session:
        job = insert_job(session, submission(), settings, ["emt"])
    assert wait_for_end(opened, job.id).state == State.SUCCEEDED
    with opened() as session:
        walkers = session.scalars(select(Walker).where(Walker.job_id == job.id)).all()
        firsts = session.scalars(select(Candidate).where(Candidate.job_id == job.id, Candidate.hop == 0)).all()
        later = session.scalars(select(Candidate).where(Candidate.job_id == job.id, Candidate.hop > 0)).all()
    reasons = sorted(str(walker.ended_because) for walker in walkers)
    assert reasons == ["hops", *["not promising"] * 4]
    sound = [one for one in firsts if one.converged and not one.anomalies]
    lowest = min(sound, key=lambda one: one.energy)
    assert {one.walker_id for one in later} <= {lowest.walker_id}


def hops_done(opened: Sessions, job: Job) -> int:
    with opened() as session:
        return session.scalars(select(func.count()).select_from(Candidate).where(Candidate.job_id == job.id)).one()


def test_no_process_of_a_stack_outlives_it(stack: Stack, opened: Sessions):
    start_workers(stack, "emt")
    job = submit(opened, hops=500)
    wait_until(lambda: hops_done(opened, job) >= 1, 60, "some hops")
    groups = [stack.child(name).process.pid for name in ("dispatcher", "cpu", "potentials")]
    stack.stop()
    wait_until(lambda: not running_in(groups), 30, "the last process's end")


def running_in(groups: list[int]) -> list[str]:
    """Processes of these groups that still run; one that only waits to be reaped does not."""
    return [path.name for path in Path("/proc").glob("[0-9]*") if _group_of(path) in groups]


def _group_of(path: Path) -> int:
    try:
        state, _, group = (path / "stat").read_text().rsplit(")", 1)[1].split()[:3]
    except (FileNotFoundError, ProcessLookupError):
        return -1
    return -1 if state == "Z" else int(group)
