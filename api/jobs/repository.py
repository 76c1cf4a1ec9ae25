"""Jobs as their users see them: submitted once, listed in pages, cancelled at any time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from api.paging import Position
from shared.database.repositories.users import Identity
from shared.database.tables import Job, StageRow, User
from shared.database.workflow import transitions
from shared.errors import Conflict, LimitReached, NotFound
from shared.states import OPEN, State, Work


@dataclass(frozen=True)
class NewJob:
    """A validated job; the members are the ones that will be used."""

    name: str
    adsorbate: str
    surface: str
    submission: dict[str, Any]
    """JSON document of a shared.submissions.Submission."""
    parameters: dict[str, Any]
    """JSON document of shared.parameters.JobParameters."""
    search_members: list[str]
    refine_members: list[str]
    score_members: list[str]
    priority: int = 0
    idempotency_key: str | None = None
    warnings: tuple[str, ...] = ()
    """What was ignored, simplified or decided for the user."""
    request_digest: str | None = None
    """Tells two requests with the same idempotency key apart."""


def submitted(session: Session, user_id: int, idempotency_key: str, request_digest: str) -> Job | None:
    """The job that this user made with this key before. Raises Conflict when it was for another request."""
    job = session.scalars(
        select(Job).where(Job.user_id == user_id, Job.idempotency_key == idempotency_key)
    ).one_or_none()
    if job is not None and job.request_digest != request_digest:
        raise Conflict(f"Idempotency-Key {idempotency_key!r} was used for another request (job {job.id})")
    return job


def submit(session: Session, user_id: int, new: NewJob, *, max_open: int) -> tuple[Job, bool]:
    """Insert a job and its first stage, or find the one that the same request made before.

    Returns the job and whether it is new. Raises Conflict (idempotency key of another request) and LimitReached.
    """
    # One submit per user at a time: without it, two equal requests could both pass the look-up below.
    session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    if new.idempotency_key is not None and new.request_digest is not None:
        existing = submitted(session, user_id, new.idempotency_key, new.request_digest)
        if existing is not None:
            return existing, False
    n_open = session.scalars(
        select(func.count()).select_from(Job).where(Job.user_id == user_id, Job.state.in_(OPEN))
    ).one()
    if n_open >= max_open:
        raise LimitReached(f"{n_open} of your jobs are open and {max_open} are allowed; wait for some, or cancel them")
    job = Job(user_id=user_id, **asdict(new) | {"warnings": list(new.warnings)})
    session.add(job)
    session.flush()
    session.add(StageRow(job_id=job.id, work=Work.PLACEMENT))
    session.flush()
    session.refresh(job)
    return job, True


def get(session: Session, identity: Identity, job_id: UUID) -> Job:
    """A job that this user may see. Raises NotFound, in the same words for one that is someone else's."""
    job = session.get(Job, job_id)
    return _visible(job, identity, job_id)


def _visible(job: Job | None, identity: Identity, job_id: UUID) -> Job:
    if job is None or not (identity.sees_all or job.user_id == identity.user_id):
        raise NotFound(f"there is no job {job_id}")
    return job


def page(
    session: Session, identity: Identity, *, state: State | None = None, limit: int, after: Position | None = None
) -> tuple[Sequence[Job], Position | None]:
    """The user's jobs (an admin's: everybody's), newest first, and where the next page starts."""
    query = select(Job).order_by(Job.created_at.desc(), Job.id.desc()).limit(limit + 1)
    if not identity.sees_all:
        query = query.where(Job.user_id == identity.user_id)
    if state is not None:
        query = query.where(Job.state == state)
    if after is not None:
        query = query.where(tuple_(Job.created_at, Job.id) < tuple_(after.created_at, after.id))
    jobs = session.scalars(query).all()
    if len(jobs) <= limit:
        return jobs, None
    last = jobs[limit - 1]
    return jobs[:limit], Position(last.created_at, last.id)


def cancel(session: Session, identity: Identity, job_id: UUID) -> Job:
    """End a job and all of its open work; a worker that holds some of it finds its lease gone.

    References are shared with other jobs and stay. Raises NotFound, and Conflict when the job has ended.
    """
    job = _visible(transitions.lock_job(session, job_id), identity, job_id)
    if State(job.state).ended:
        was = "was already cancelled" if job.state == State.CANCELLED else f"has already {job.state}"
        raise Conflict(f"job {job.id} {was}")
    transitions.end_job(session, job, State.CANCELLED)
    session.flush()
    return job


def owners(session: Session, jobs: Sequence[Job]) -> dict[int, str]:
    """Names of the jobs' users, by user id."""
    ids = {job.user_id for job in jobs}
    return {key: name for key, name in session.execute(select(User.id, User.name).where(User.id.in_(ids)))}
