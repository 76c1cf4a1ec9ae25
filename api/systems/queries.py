"""What the database knows of a job's system: its stored placements, and how fast its members were in other jobs."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.placing.pool import PlacedView
from shared.database.repositories.structures import restore
from shared.database.tables import Candidate, Job, Placement, StructureRow
from shared.states import State

_LOOKED_AT = 20
"""The newest jobs that tell the members' speed."""


def stored_placements(session: Session, job_id: UUID) -> list[PlacedView]:
    """In their order; none before they are found."""
    rows = session.scalars(select(Placement).where(Placement.job_id == job_id).order_by(Placement.index)).all()
    return [PlacedView(restore(row.structure, row.positions), row.site, row.method) for row in rows]


def speed(session: Session, search_members: Sequence[str]) -> float | None:
    """Seconds for a force call and atom, over the newest jobs that succeeded with exactly these search members: from the first
    candidate to the last, whatever else the workers did meanwhile. None where there is no such job."""
    newest = (
        select(Job.id)
        .where(Job.state == State.SUCCEEDED, Job.search_members == list(search_members))
        .order_by(Job.ended_at.desc())
        .limit(_LOOKED_AT)
    )
    first, last = func.min(Candidate.created_at), func.max(Candidate.created_at)
    work = func.sum(Candidate.force_calls * func.cardinality(StructureRow.numbers))
    jobs = (
        select(func.extract("epoch", last - first).label("seconds"), work.label("work"))
        .join(StructureRow, StructureRow.id == Candidate.structure_id)
        .where(Candidate.job_id.in_(newest))
        .group_by(Candidate.job_id)
        .having(last > first)
        .subquery()
    )
    seconds, done = session.execute(select(func.sum(jobs.c.seconds), func.sum(jobs.c.work))).one()
    return float(seconds) / float(done) if done else None
