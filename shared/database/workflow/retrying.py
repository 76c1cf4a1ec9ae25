"""References that failed are tried again: they are shared, and a failure would be everybody's for good.

Administrators may at any time. So may a user whose job rests on one, and a new job that needs one which the machinery failed; these
together `MOST` times, and not sooner than `WAIT` after the last time. An administrator's retry starts the count again.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from shared.database.tables import Job, JobReference, Reference
from shared.database.workflow import transitions
from shared.errors import MACHINERY, Conflict, NotFound
from shared.states import State

MOST = 3
WAIT = timedelta(minutes=10)


def way_out(reference: Reference) -> str:
    """Who may have a reference that failed tried again, and how; for the reason of whatever rests on it."""
    return (
        f"it can be tried again by whoever has a job that rests on it, or by an administrator "
        f"(adhop references retry {reference.id}); then submit the job again"
    )


def retry(session: Session, reference_id: int, user_id: int, *, administrator: bool) -> tuple[Reference, bool]:
    """The reference, and whether it was queued again: one that hasn't failed is left as it is.

    Raises NotFound where it isn't there, or none of the user's jobs rests on it, and Conflict where only an administrator may now.
    """
    # its structure is joined to it, and isn't locked
    query = select(Reference).where(Reference.id == reference_id).with_for_update(of=Reference, key_share=True)
    row = session.scalars(query, execution_options={"populate_existing": True}).one_or_none()
    if row is None or not (administrator or rests_on(session, user_id, row)):
        raise NotFound(f"there is no reference {reference_id} that a job of yours rests on")
    if row.state != State.FAILED:
        return row, False
    refusal = "" if administrator else refused(session, row)
    if refusal:
        raise Conflict(refusal)
    transitions.retry_reference(row, retries=0 if administrator else row.retries + 1)
    session.flush()
    session.refresh(row)
    return row, True


def retry_for(session: Session, job_id: UUID) -> list[tuple[Reference, str]]:
    """For a new job: those of its references that the machinery failed are queued again, where that may be. Returns them, each with
    the reason it had failed for."""
    rows = session.scalars(
        select(Reference)
        .join(JobReference, JobReference.reference_id == Reference.id)
        .where(
            JobReference.job_id == job_id,
            Reference.state == State.FAILED,
            Reference.failure_kind.in_(sorted(MACHINERY)),
        )
        .order_by(Reference.id)
        .with_for_update(of=Reference, key_share=True),
        execution_options={"populate_existing": True},
    ).all()
    retried = []
    for row in rows:
        if not refused(session, row):
            retried.append((row, row.failure_reason or ""))
            transitions.retry_reference(row, retries=row.retries + 1)
    session.flush()
    return retried


def rests_on(session: Session, user_id: int, reference: Reference) -> bool:
    """Whether a job of this user rests on a reference."""
    one = exists().where(
        JobReference.reference_id == reference.id, Job.id == JobReference.job_id, Job.user_id == user_id
    )
    return bool(session.scalar(select(one)))


def refused(session: Session, reference: Reference) -> str:
    """Why nobody but an administrator may have it tried again now; empty where others may."""
    if reference.retries >= MOST:
        return (
            f"{reference.title} was tried again {reference.retries} times and failed each time "
            f"({reference.failure_reason}): an administrator may have it tried once more, when the cause is mended"
        )
    if reference.retried_at is None:
        return ""
    left = session.scalar(select(func.extract("epoch", reference.retried_at + WAIT - func.now())))
    if left is None or left <= 0:
        return ""
    return (
        f"{reference.title} was tried again less than {WAIT.total_seconds() / 60:.0f} min ago: "
        f"wait for {float(left):.0f} s, or ask an administrator, who needn't wait"
    )
