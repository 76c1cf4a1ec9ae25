"""The history of attempts that did not end well, of a job's own work and of the references it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Text, and_, cast, or_, select
from sqlalchemy.orm import Session

from shared.database.tables import Attempt, JobReference
from shared.states import Work


def of_job(
    session: Session, job_id: UUID, *, limit: int, after: int | None = None
) -> tuple[Sequence[Attempt], int | None]:
    """A page of attempts, oldest first, and the id that the next page starts after."""
    references = select(cast(JobReference.reference_id, Text)).where(JobReference.job_id == job_id)
    query = (
        select(Attempt)
        .where(
            or_(
                Attempt.job_id == job_id,
                and_(Attempt.job_id.is_(None), Attempt.work == Work.REFERENCE, Attempt.work_id.in_(references)),
            )
        )
        .order_by(Attempt.id)
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(Attempt.id > after)
    rows = session.scalars(query).all()
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None
