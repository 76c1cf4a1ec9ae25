"""Open jobs of users who were disabled are cancelled: by whoever disables them, and by the dispatcher where that was cut short."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.database.repositories.audit import Actor, record
from shared.database.session import Sessions
from shared.database.tables import Job, User
from shared.database.workflow import transitions
from shared.states import OPEN, State

_AT_ONCE = 50
"""Jobs of one transaction: their rows stay locked until it ends."""


def cancel_jobs_of_disabled(opened: Sessions, actor: Actor) -> int:
    """Cancel every open job of every disabled user, some at a time; returns how many. Who is ending one already goes first."""
    cancelled = 0
    while True:
        with opened.begin() as session:
            jobs = _some(session)
            transitions.end_jobs(session, jobs, State.CANCELLED)
            for job in jobs:
                detail = {"because": "its user was disabled"}
                record(
                    session, actor, "job.cancel", job_id=job.id, owner_id=job.user_id, subject=job.name, detail=detail
                )
        cancelled += len(jobs)
        if not jobs:
            return cancelled


def _some(session: Session) -> list[Job]:
    query = (
        select(Job)
        .join(User, User.id == Job.user_id)
        .where(Job.state.in_(OPEN), User.disabled_at.is_not(None))
        .order_by(Job.id)
        .limit(_AT_ONCE)
        .with_for_update(of=Job, key_share=True)
    )
    return list(session.scalars(query, execution_options={"populate_existing": True}))
