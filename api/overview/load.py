"""GET /v1/load: how much waits for each member, how fast its work goes, and why a worker that could work doesn't."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import ColumnElement, and_, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from api.dependencies import Caller, UseSnapshot
from api.overview.idle import Pieces, why_idle
from api.problems import responses
from api.view import View
from shared.database.repositories.workers import fresh_workers
from shared.database.tables import Candidate, Job, JobReference, MemberEnergy, Reference, StageRow, Walker, Worker
from shared.states import OPEN, State, WorkerKind

router = APIRouter(prefix="/v1/load", tags=["workers"])

WINDOW_S = 600.0


class MemberLoad(View):
    """Work of one member, of everybody's jobs together."""

    member: str
    queued: Pieces = Field(description="that waits, whether it may be claimed yet or not")
    held: Pieces = Field(description="that workers have in hand")
    hops_per_minute: float = Field(description=f"made within the last {WINDOW_S:.0f} s")
    force_calls_per_second: float = Field(description="of these hops, evaluations and references not counted")


class WorkerLoad(View):
    """What one worker process has in hand."""

    worker: str
    held: Pieces
    idle: str | None = Field(description="why it has nothing in hand; null where it has")


class Load(View):
    """How busy the service is."""

    window_s: float = Field(description="s, that the speeds are of")
    members: list[MemberLoad] = Field(description="those with work that waits, is held, or was done within the window")
    workers: list[WorkerLoad] = Field(description="those with a heartbeat within the last minute")


@router.get("", responses=responses(401))
def get_load(caller: Caller, session: UseSnapshot) -> Load:
    """What waits, what is held, and how fast members hop."""
    work = _open_work(session)
    speeds = _speeds(session)
    names = sorted({*work.queued, *work.held, *speeds} - {""})
    return Load(
        window_s=WINDOW_S,
        members=[_member(name, work, *speeds.get(name, (0, 0))) for name in names],
        workers=[_worker(row, work) for row in fresh_workers(session)],
    )


@dataclass(frozen=True)
class _Open:
    """Open work. CPU stages stand under the empty member."""

    queued: dict[str, Pieces] = field(default_factory=dict)
    """By member."""
    held: dict[str, Pieces] = field(default_factory=dict)
    """By member."""
    by_worker: dict[str, Pieces] = field(default_factory=dict)
    """That each has in hand."""


def _member(name: str, work: _Open, hops: int, force_calls: int) -> MemberLoad:
    return MemberLoad(
        member=name,
        queued=work.queued.get(name, Pieces()),
        held=work.held.get(name, Pieces()),
        hops_per_minute=60 * hops / WINDOW_S,
        force_calls_per_second=force_calls / WINDOW_S,
    )


def _worker(row: Worker, work: _Open) -> WorkerLoad:
    held = work.by_worker.get(row.name, Pieces())
    idle = why_idle(
        cpu=row.kind == WorkerKind.CPU,
        ready=row.ready,
        reason=row.reason,
        members=row.members,
        held=held,
        queued=work.queued,
        held_by_member=work.held,
    )
    return WorkerLoad(worker=row.name, held=held, idle=idle)


def _open_work(session: Session) -> _Open:
    open_rows = [
        select(literal("stages").label("work"), literal("").label("member"), StageRow.state, StageRow.owner)
        .join(Job, Job.id == StageRow.job_id)
        .where(StageRow.state.in_(OPEN), Job.state.in_(OPEN)),
        select(literal("walkers"), Walker.member, Walker.state, Walker.owner).where(Walker.state.in_(OPEN)),
        select(literal("evaluations"), MemberEnergy.member, MemberEnergy.state, MemberEnergy.owner).where(
            MemberEnergy.state.in_(OPEN)
        ),
        select(literal("references"), Reference.member, Reference.state, Reference.owner).where(
            Reference.state.in_(OPEN), or_(Reference.state == State.RUNNING, _wanted())
        ),
    ]
    rows = union_all(*open_rows).subquery()
    counted = session.execute(
        select(rows.c.work, rows.c.member, rows.c.state, rows.c.owner, func.count()).group_by(*rows.c)
    )
    found = _Open()
    for work, member, state, owner, count in counted:
        if state == State.QUEUED:
            found.queued.setdefault(member, Pieces()).add(work, count)
        else:
            found.held.setdefault(member, Pieces()).add(work, count)
            found.by_worker.setdefault(owner, Pieces()).add(work, count)
    return found


def _wanted() -> ColumnElement[bool]:
    """Whether an open job rests on this reference."""
    asked = select(JobReference.job_id).join(Job, Job.id == JobReference.job_id)
    return asked.where(JobReference.reference_id == Reference.id, Job.state.in_(OPEN)).exists()


def _speeds(session: Session) -> dict[str, tuple[int, int]]:
    """Hops within the window, and their force calls, by member. Looked for in open jobs and those that ended within it: candidates
    have no index by time."""
    since = func.now() - timedelta(seconds=WINDOW_S)
    lately = select(Job.id).where(or_(Job.state.in_(OPEN), and_(Job.ended_at.is_not(None), Job.ended_at > since)))
    made = (
        select(Candidate.member, func.count(), func.sum(Candidate.force_calls))
        .where(Candidate.job_id.in_(lately), Candidate.created_at > since)
        .group_by(Candidate.member)
    )
    return {member: (hops, int(calls)) for member, hops, calls in session.execute(made)}
