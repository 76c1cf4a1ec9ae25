"""Many jobs cancelled at once: a few dozen in one transaction, so that no lock is held for long and none is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import select

from api.jobs.access import owned
from shared.database.repositories.audit import Actor, record
from shared.database.repositories.users import Identity
from shared.database.session import Sessions
from shared.database.tables import Job
from shared.database.workflow import transitions
from shared.states import OPEN, State

MOST = 1000
_TOGETHER = 50
"""Jobs of one transaction."""


class CancelRequest(BaseModel):
    """Which jobs to cancel: those named, or all of yours that have not ended."""

    model_config = ConfigDict(extra="forbid")

    jobs: Annotated[list[UUID], Field(max_length=MOST, description=f"up to {MOST} jobs")] = []
    all: Annotated[bool, Field(description="every open job of yours, in place of a list")] = False

    @model_validator(mode="after")
    def _one_of_both(self) -> CancelRequest:
        if self.all == bool(self.jobs):
            raise ValueError('name the jobs in "jobs", or ask for all of yours by "all": true')
        return self


class CancelledJobs(BaseModel):
    """What became of them."""

    cancelled: list[UUID]
    ended: Annotated[list[UUID], Field(description="had ended before, and stay as they are")]


def cancel_jobs(opened: Sessions, identity: Identity, actor: Actor, asked: CancelRequest) -> CancelledJobs:
    """End the jobs and all of their open work. Raises NotFound and Forbidden before any is cancelled."""
    ids = _open_jobs(opened, identity) if asked.all else _named(opened, identity, asked.jobs)
    cancelled: list[UUID] = []
    for first in range(0, len(ids), _TOGETHER):
        with opened.begin() as session:
            jobs = [job for job in transitions.lock_jobs(session, ids[first : first + _TOGETHER]) if job.state in OPEN]
            transitions.end_jobs(session, jobs, State.CANCELLED)
            for job in jobs:
                record(session, actor, "job.cancel", job_id=job.id, owner_id=job.user_id, subject=job.name)
            cancelled += [job.id for job in jobs]
    return CancelledJobs(cancelled=cancelled, ended=sorted(set(ids) - set(cancelled)))


def _open_jobs(opened: Sessions, identity: Identity) -> list[UUID]:
    with opened() as session:
        mine = select(Job.id).where(Job.user_id == identity.user_id, Job.state.in_(OPEN)).order_by(Job.id)
        return list(session.scalars(mine))


def _named(opened: Sessions, identity: Identity, ids: Sequence[UUID]) -> list[UUID]:
    """In the order that everybody locks them in."""
    with opened() as session:
        found = {job.id: job for job in session.scalars(select(Job).where(Job.id.in_(ids)))}
        for job_id in ids:
            owned(session, found.get(job_id), identity, job_id)
    return sorted(found)
