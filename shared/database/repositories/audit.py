"""Who did what to which job, from where: written in the transaction of what it tells of, and logged once that is committed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from shared.database.tables import AuditEntry, Job

log = logging.getLogger(__name__)

_TO_LOG = "acts to log"


@dataclass(frozen=True)
class Actor:
    """Whoever does something, as it is remembered."""

    user_id: int | None
    """Null for the server itself and for commands run next to the database."""
    user_name: str
    key_prefix: str = ""
    """The public part of the key."""
    address: str = ""
    """Where the request came from."""
    request_id: str = ""


SERVER = Actor(None, "(server)")
"""The dispatcher, by the server's own rules."""
COMMAND = Actor(None, "(command on the server)")
"""`python -m shared.database.admin`."""


def record(
    session: Session,
    actor: Actor,
    action: str,
    *,
    job_id: UUID | None = None,
    owner_id: int | None = None,
    subject: str = "",
    detail: dict[str, Any] | None = None,
) -> None:
    """Remember an act, such as job.cancel, if the transaction is committed.

    owner_id: whose account it was done to; of a job, its owner. subject: what it was done to, for people. detail: what changed, as
    JSON; never a secret.
    """
    if owner_id is None and job_id is not None:
        owner_id = session.scalars(select(Job.user_id).where(Job.id == job_id)).one_or_none()
    session.add(
        AuditEntry(
            user_id=actor.user_id,
            user_name=actor.user_name,
            key_prefix=actor.key_prefix,
            address=actor.address,
            request_id=actor.request_id,
            action=action,
            job_id=job_id,
            owner_id=owner_id,
            subject=subject,
            detail=detail or {},
        )
    )
    fields = {
        "action": action,
        "user": actor.user_name,
        "key": actor.key_prefix,
        "address": actor.address,
        "job": str(job_id or ""),
        "subject": subject,
    }
    session.info.setdefault(_TO_LOG, []).append({name: value for name, value in fields.items() if value})


@event.listens_for(Session, "after_commit")
def _log(session: Session) -> None:
    for fields in session.info.pop(_TO_LOG, []):
        log.info("audit", extra=fields)


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop(_TO_LOG, None)
