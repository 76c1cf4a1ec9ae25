"""Why an open job isn't moving, in words for its user; None while some worker holds a piece of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.members.fleet import Fleet, fleet
from shared.database.tables import Job, JobReference, MemberEnergy, Reference, StageRow, Walker
from shared.states import OPEN, Stage, State


@dataclass
class _Queue:
    """The open work of a job."""

    members: set[str] = field(default_factory=set)
    """Those that something is queued for."""
    running: int = 0
    """Rows that a worker holds."""


def waiting_for(session: Session, jobs: Sequence[Job]) -> dict[UUID, str | None]:
    """One sentence for each of these jobs."""
    answers: dict[UUID, str | None] = dict.fromkeys((job.id for job in jobs), None)
    open_jobs = [job for job in jobs if State(job.state) in OPEN]
    if not open_jobs:
        return answers
    ids = [job.id for job in open_jobs]
    workers, queues, ahead = fleet(session), _queues(session, ids), _ahead(session, ids)
    for job in open_jobs:
        answers[job.id] = _sentence(job, queues[job.id], workers, ahead.get(job.id, 0))
    return answers


def _sentence(job: Job, queue: _Queue, workers: Fleet, ahead: int) -> str | None:
    if job.stage in (Stage.PLACING, Stage.SELECTING):
        if queue.running:
            return None
        what = "placements" if job.stage == Stage.PLACING else "choice of the minima"
        reason = "for its turn at a CPU worker" if workers.cpu else "no CPU worker is running"
        return f"{what}: {reason}{_behind(ahead)}"
    homeless = [workers.absence(member) for member in sorted(queue.members) if member not in workers.members]
    if homeless:
        return "; ".join(homeless)
    if queue.running or not queue.members:
        return None
    return f"for its turn at {', '.join(sorted(queue.members))}{_behind(ahead)}"


def _behind(ahead: int) -> str:
    return f", behind {ahead} older job{'s' if ahead > 1 else ''}" if ahead else ""


def _queues(session: Session, ids: list[UUID]) -> dict[UUID, _Queue]:
    queues: dict[UUID, _Queue] = defaultdict(_Queue)
    queries = [
        select(table.job_id, table.member, table.state, func.count())
        .where(table.job_id.in_(ids), table.state.in_(OPEN))
        .group_by(table.job_id, table.member, table.state)
        for table in (Walker, MemberEnergy)
    ]
    queries.append(
        select(JobReference.job_id, Reference.member, Reference.state, func.count())
        .join(Reference, Reference.id == JobReference.reference_id)
        .where(JobReference.job_id.in_(ids), Reference.state.in_(OPEN))
        .group_by(JobReference.job_id, Reference.member, Reference.state)
    )
    for query in queries:
        for job_id, member, state, n in session.execute(query):
            if state == State.RUNNING:
                queues[job_id].running += n
            else:
                queues[job_id].members.add(member)
    stages = select(StageRow.job_id, func.count()).where(StageRow.job_id.in_(ids), StageRow.state == State.RUNNING)
    for job_id, n in session.execute(stages.group_by(StageRow.job_id)):
        queues[job_id].running += n
    return queues


def _ahead(session: Session, ids: list[UUID]) -> dict[UUID, int]:
    """How many open jobs are older than each of these."""
    turn = (func.row_number().over(order_by=(Job.created_at, Job.id)) - 1).label("ahead")
    line = select(Job.id, turn).where(Job.state.in_(OPEN)).subquery()
    return {key: n for key, n in session.execute(select(line.c.id, line.c.ahead).where(line.c.id.in_(ids)))}
