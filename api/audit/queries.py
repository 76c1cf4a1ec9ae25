"""The audit trail, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from shared.database.repositories.users import Identity
from shared.database.tables import AuditEntry


@dataclass(frozen=True)
class Asked:
    """Which acts; None: any."""

    user: str | None = None
    """Who did them, by name."""
    action: str | None = None
    """Such as job.cancel; job, for all of jobs."""
    job_id: UUID | None = None
    since: datetime | None = None


def page(
    session: Session, identity: Identity, asked: Asked, *, limit: int, after: int | None = None
) -> tuple[Sequence[AuditEntry], int | None]:
    """What the user did, and what was done to their account and jobs; all of it for an admin. And the id that the next page starts
    after."""
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit + 1)
    if not identity.sees_all:
        query = query.where(or_(AuditEntry.owner_id == identity.user_id, AuditEntry.user_id == identity.user_id))
    if asked.user is not None:
        query = query.where(AuditEntry.user_name == asked.user)
    if asked.action is not None:
        family = AuditEntry.action.startswith(f"{asked.action}.", autoescape=True)
        query = query.where(or_(AuditEntry.action == asked.action, family))
    if asked.job_id is not None:
        query = query.where(AuditEntry.job_id == asked.job_id)
    if asked.since is not None:
        query = query.where(AuditEntry.at >= asked.since)
    if after is not None:
        query = query.where(AuditEntry.id < after)
    found = session.scalars(query).all()
    return found[:limit], found[limit - 1].id if len(found) > limit else None
