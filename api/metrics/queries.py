"""Numbers of the whole service, counted in the database when somebody asks: no process keeps a counter that it could lose."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, literal, select, union_all
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from shared.database.tables import (
    Attempt,
    Candidate,
    Job,
    JobReference,
    MemberEnergy,
    Reference,
    StageRow,
    Walker,
    Worker,
)
from shared.states import OPEN, State, Work


@dataclass(frozen=True)
class Metric:
    """One number."""

    name: str
    help: str
    labels: dict[str, str]
    value: float
    total: bool = False
    """It only grows."""


def counted(session: Session) -> Iterator[Metric]:
    """What takes the longer the more there is: jobs, their work, and what came of it."""
    for state, n in session.execute(select(Job.state, func.count()).group_by(Job.state).order_by(Job.state)):
        yield Metric("adhop_jobs", "Jobs by state.", {"state": state}, n)
    open_rows = session.execute(_open()).all()
    for row in open_rows:
        labels = {"work": row.work, "member": row.member}
        yield Metric("adhop_queued", "Pieces of work that wait for a worker.", labels, row.queued)
    for row in open_rows:
        labels = {"work": row.work, "member": row.member}
        yield Metric("adhop_oldest_seconds", "Age of the oldest job with work that waits.", labels, row.oldest or 0.0)
    for row in open_rows:
        labels = {"work": row.work, "member": row.member}
        yield Metric("adhop_leases", "Pieces of work that a worker holds.", labels, row.held)
    for row in open_rows:
        labels = {"work": row.work, "member": row.member}
        yield Metric("adhop_leases_overdue", "Leases that ran out and were not ended yet.", labels, row.overdue)
    for work, kind, n in session.execute(
        select(Attempt.work, Attempt.failure_kind, func.count())
        .group_by(Attempt.work, Attempt.failure_kind)
        .order_by(Attempt.work, Attempt.failure_kind)
    ):
        labels = {"work": work, "kind": kind}
        yield Metric("adhop_attempts_failed_total", "Attempts that did not end well.", labels, n, total=True)
    yield from _done(session)


def _open() -> Select[Any]:
    """Open work by kind and member; CPU stages have no member."""
    parts = [
        _open_rows(StageRow.work, literal(""), StageRow).join(Job, Job.id == StageRow.job_id),
        _open_rows(literal(Work.WALKER.value), Walker.member, Walker).join(Job, Job.id == Walker.job_id),
        _open_rows(literal(Work.EVALUATION.value), MemberEnergy.member, MemberEnergy).join(
            Job, Job.id == MemberEnergy.job_id
        ),
        _open_rows(literal(Work.REFERENCE.value), Reference.member, Reference)
        .join(JobReference, JobReference.reference_id == Reference.id)
        .join(Job, Job.id == JobReference.job_id)
        .where(Job.state.in_(OPEN))
        .ext(distinct_on(Reference.id))
        .order_by(Reference.id, Job.created_at),
    ]
    rows = union_all(*[select(part.subquery()) for part in parts]).subquery()
    waits = rows.c.state == State.QUEUED
    return (
        select(
            rows.c.work,
            rows.c.member,
            func.count().filter(waits).label("queued"),
            func.count().filter(rows.c.state == State.RUNNING).label("held"),
            func.count().filter(rows.c.lease_until < func.now()).label("overdue"),
            func.extract("epoch", func.now() - func.min(rows.c.created_at).filter(waits)).label("oldest"),
        )
        .group_by(rows.c.work, rows.c.member)
        .order_by(rows.c.work, rows.c.member)
    )


def _open_rows(work: Any, member: Any, table: Any) -> Select[Any]:
    return select(work.label("work"), member.label("member"), table.state, table.lease_until, Job.created_at).where(
        table.state.in_(OPEN)
    )


def _done(session: Session) -> Iterator[Metric]:
    hopped: dict[str, int] = {}
    spent: dict[str, int] = {}
    walked = select(Walker.member, func.sum(Walker.hop), func.sum(Walker.force_calls)).group_by(Walker.member)
    for member, hops, calls in session.execute(walked):
        hopped[member], spent[member] = int(hops), int(calls)
    # one at the candidate's geometry, and one for each step from it
    scored = select(MemberEnergy.member, func.count(), func.sum(MemberEnergy.relaxation_steps))
    done = session.execute(scored.where(MemberEnergy.state == State.SUCCEEDED).group_by(MemberEnergy.member))
    evaluated = {member: int(n) + int(steps) for member, n, steps in done}
    relaxed = select(Reference.member, func.sum(Reference.force_calls)).group_by(Reference.member)
    referred = {member: int(calls or 0) for member, calls in session.execute(relaxed)}
    members = sorted({*hopped, *evaluated, *referred})
    for member in members:
        n = hopped.get(member, 0)
        yield Metric("adhop_hops_total", "Hops made, first relaxations included.", {"member": member}, n, total=True)
    for member in members:
        n = spent.get(member, 0) + evaluated.get(member, 0) + referred.get(member, 0)
        yield Metric("adhop_force_calls_total", "Structures evaluated.", {"member": member}, n, total=True)
    found = select(Candidate.member, func.count()).group_by(Candidate.member).order_by(Candidate.member)
    for member, n in session.execute(found):
        yield Metric("adhop_candidates_total", "Local minima found.", {"member": member}, n, total=True)


def workers(session: Session) -> Iterator[Metric]:
    """Workers as they last reported."""
    age = func.extract("epoch", func.now() - Worker.heartbeat_at)
    rows = session.execute(select(Worker, age).order_by(Worker.name)).all()
    for worker, _ in rows:
        labels = {"worker": worker.name, "kind": worker.kind, "device": worker.device}
        yield Metric("adhop_worker_ready", "1 where the worker takes work.", labels, int(worker.ready))
    for worker, seconds in rows:
        yield Metric(
            "adhop_worker_heartbeat_age_seconds", "Since its last heartbeat.", {"worker": worker.name}, float(seconds)
        )
    for worker, _ in rows:
        if worker.memory_bytes is not None:
            labels = {"worker": worker.name, "device": worker.device}
            yield Metric("adhop_worker_memory_bytes", "Memory in use.", labels, worker.memory_bytes)
