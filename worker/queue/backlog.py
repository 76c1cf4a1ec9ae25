"""Who has something queued, and should be notified of it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.database.tables import MemberEnergy, Reference, StageRow, Walker
from shared.states import State


def members_of_job(session: Session, job_id: UUID) -> list[str]:
    """Members that have something queued in this job."""
    evaluations = select(MemberEnergy.member).where(MemberEnergy.job_id == job_id, MemberEnergy.state == State.QUEUED)
    walkers = select(Walker.member).where(Walker.job_id == job_id, Walker.state == State.QUEUED)
    return sorted(session.scalars(evaluations.union(walkers)))


def members(session: Session) -> list[str]:
    """Members for which a row waits to be claimed, whatever the job."""
    queries = [
        select(table.member).where(table.state == State.QUEUED).distinct()
        for table in (MemberEnergy, Walker, Reference)
    ]
    return sorted(session.scalars(queries[0].union(*queries[1:])))


def stages(session: Session) -> bool:
    """Whether a CPU stage waits to be claimed."""
    return session.scalar(select(StageRow.id).where(StageRow.state == State.QUEUED).limit(1)) is not None
