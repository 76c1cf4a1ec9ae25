"""References as their users see them: those that a job of theirs rests on; an administrator sees all."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, exists, func, select, true
from sqlalchemy.orm import Session

from shared.database.repositories.users import Identity
from shared.database.tables import Job, JobReference, Reference
from shared.errors import NotFound
from shared.states import State


def page(
    session: Session, identity: Identity, *, state: State | None, member: str | None, limit: int, after: int | None
) -> tuple[Sequence[Reference], int | None]:
    """A page of references, the newest first, and the id that the next page starts after."""
    query = select(Reference).where(_seen(identity)).order_by(Reference.id.desc()).limit(limit + 1)
    if state is not None:
        query = query.where(Reference.state == state)
    if member is not None:
        query = query.where(Reference.member == member)
    if after is not None:
        query = query.where(Reference.id < after)
    rows = session.scalars(query).all()
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def get(session: Session, identity: Identity, reference_id: int) -> Reference:
    """One of them. Raises NotFound."""
    found = session.scalars(select(Reference).where(Reference.id == reference_id, _seen(identity))).one_or_none()
    if found is None:
        raise NotFound(f"there is no reference {reference_id} that a job of yours rests on")
    return found


def resting(session: Session, identity: Identity, rows: Sequence[Reference]) -> dict[int, int]:
    """How many jobs that this user sees rest on each of these."""
    counts = (
        select(JobReference.reference_id, func.count())
        .join(Job, Job.id == JobReference.job_id)
        .where(JobReference.reference_id.in_([row.id for row in rows]), *_own(identity))
        .group_by(JobReference.reference_id)
    )
    return {key: n for key, n in session.execute(counts)}


def _seen(identity: Identity) -> ColumnElement[bool]:
    if identity.sees_all:
        return true()
    return exists().where(JobReference.reference_id == Reference.id, Job.id == JobReference.job_id, *_own(identity))


def _own(identity: Identity) -> tuple[ColumnElement[bool], ...]:
    mine = (Job.deleted_at.is_(None),)
    return mine if identity.sees_all else (*mine, Job.user_id == identity.user_id)
