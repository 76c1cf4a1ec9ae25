"""Jobs as their users see them: submitted once, listed in pages, cancelled at any time, shared with a group, deleted once ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from api.jobs import limits
from api.jobs.access import hold_own, joined, shared_with
from api.paging import Position
from shared.database.repositories import calibrations
from shared.database.repositories.audit import Actor, record
from shared.database.repositories.users import REFUSAL, Identity
from shared.database.tables import Candidate, GivenStructures, Job, ReferenceEnergy, StageRow, User
from shared.database.workflow import transitions
from shared.errors import AdhopError, Conflict, Unauthorised
from shared.given import Given
from shared.settings import Settings
from shared.states import State, Work


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
    estimated_force_calls: int
    stored_bytes: int
    """Likely to be, until it is measured."""
    calibration_id: int | None = None
    """In force for it."""
    priority: int = 0
    idempotency_key: str | None = None
    warnings: tuple[str, ...] = ()
    """What was ignored, simplified or decided for the user, and what is to be minded."""
    scales: dict[str, Any] = field(default_factory=dict)
    """Documents of shared.scales.Scale, by score member."""
    cautions: list[str] = field(default_factory=list)
    """What is to be minded, alone."""
    request_digest: str | None = None
    """Tells two requests with the same idempotency key apart."""
    given: Given | None = None
    """The structures, where many were given."""
    group: str | None = None
    """Whose members may read it."""


def submitted(session: Session, user_id: int, idempotency_key: str, request_digest: str) -> Job | None:
    """The job that this user made with this key before. Raises Conflict when it was for another request."""
    job = made_with(session, user_id, [idempotency_key]).get(idempotency_key)
    if job is not None:
        check_same(job, request_digest)
    return job


def made_with(session: Session, user_id: int, keys: Sequence[str]) -> dict[str, Job]:
    """This user's jobs by the idempotency keys that they were made with."""
    if not keys:
        return {}
    mine = select(Job).where(Job.user_id == user_id, Job.idempotency_key.in_(keys))
    return {str(job.idempotency_key): job for job in session.scalars(mine)}


def check_same(job: Job, request_digest: str | None) -> None:
    """Raise Conflict where a job was made with its idempotency key by another request."""
    if job.request_digest != request_digest:
        raise Conflict(f"Idempotency-Key {job.idempotency_key!r} was used for another request (job {job.id})")


def submit(session: Session, actor: Actor, user_id: int, new: NewJob, settings: Settings) -> tuple[Job, bool]:
    """Insert a job and its first stage, or find the one that the same request made before.

    Returns the job and whether it is new. Raises Conflict (idempotency key of another request, a calibration that is no more),
    LimitReached, InvalidInput for a group that the user isn't in, and Unauthorised where the user was disabled meanwhile.
    """
    (made,) = submit_all(session, actor, user_id, [new], settings)
    if isinstance(made, AdhopError):
        raise made
    return made


def submit_all(
    session: Session, actor: Actor, user_id: int, news: Sequence[NewJob], settings: Settings
) -> list[tuple[Job, bool] | AdhopError]:
    """The same of several, in their order, each judged with those before it: the job and whether it is new, or why it isn't stored.
    Raises Unauthorised where the user was disabled meanwhile."""
    # One submit per user at a time: without it, two equal requests could both pass the look-ups below.
    user = session.scalars(select(User).where(User.id == user_id).with_for_update(key_share=True)).one()
    if user.disabled_at is not None:
        raise Unauthorised(REFUSAL)
    known = made_with(session, user_id, [new.idempotency_key for new in news if new.idempotency_key is not None])
    desk = _Desk(session, user, limits.limits_of(user, settings), known)
    made: list[tuple[Job, bool] | AdhopError] = []
    for new in news:
        try:
            made.append(desk.take(new))
        except AdhopError as refusal:
            made.append(refusal)
    session.flush()
    for job in desk.fresh:
        session.add(StageRow(job_id=job.id, work=Work.PLACEMENT))
        record(session, actor, "job.submit", job_id=job.id, owner_id=user_id, subject=job.name)
    session.flush()
    return made


class _Desk:
    """Where one user's jobs are taken in, while nobody else takes in any of theirs."""

    def __init__(self, session: Session, user: User, allowed: limits.Limits, known: dict[str, Job]) -> None:
        """known: jobs by their idempotency key."""
        self.fresh: list[Job] = []
        self._session = session
        self._user = user
        self._limits = allowed
        self._use: limits.Use | None = None
        self._known = known
        self._groups: dict[str, int] = {}

    def take(self, new: NewJob) -> tuple[Job, bool]:
        existing = None if new.idempotency_key is None else self._known.get(new.idempotency_key)
        if existing is not None:
            check_same(existing, new.request_digest)
            return existing, False
        use = self._use or limits.use_of(self._session, self._user.id, self._limits)
        limits.check(self._limits, use, force_calls=new.estimated_force_calls, stored_bytes=new.stored_bytes)
        calibrations.keep(self._session, new.calibration_id)
        job = Job(id=uuid4(), user_id=self._user.id, group_id=self._group(new.group), **_columns(new))
        self._session.add(job)
        if new.given is not None:
            self._session.flush()
            self._session.add(
                GivenStructures(job_id=job.id, labels=list(new.given.labels), positions=new.given.packed())
            )
        self._use = use.with_one_more(new.estimated_force_calls, new.stored_bytes)
        self.fresh.append(job)
        if new.idempotency_key is not None:
            self._known[new.idempotency_key] = job
        return job, True

    def _group(self, name: str | None) -> int | None:
        if name is None:
            return None
        if name not in self._groups:
            self._groups[name] = joined(self._session, self._user.id, name).id
        return self._groups[name]


_NO_COLUMNS = frozenset({"given", "group", "warnings"})


def _columns(new: NewJob) -> dict[str, Any]:
    named = {one.name: getattr(new, one.name) for one in fields(new) if one.name not in _NO_COLUMNS}
    return named | {"warnings": list(new.warnings)}


def page(
    session: Session,
    identity: Identity,
    *,
    state: State | None = None,
    shared: bool = False,
    limit: int,
    after: Position | None = None,
) -> tuple[Sequence[UUID], Position | None]:
    """Ids of the user's jobs (an admin's: everybody's), newest first, and where the next page starts. shared: instead those of others
    that a group of theirs may read."""
    query = (
        select(Job.created_at, Job.id)
        .where(Job.deleted_at.is_(None))
        .order_by(Job.created_at.desc(), Job.id.desc())
        .limit(limit + 1)
    )
    if shared:
        query = query.where(shared_with(identity), Job.user_id != identity.user_id)
    elif not identity.sees_all:
        query = query.where(Job.user_id == identity.user_id)
    if state is not None:
        query = query.where(Job.state == state)
    if after is not None:
        query = query.where(tuple_(Job.created_at, Job.id) < tuple_(after.created_at, after.id))
    found = session.execute(query).all()
    ids = [row.id for row in found[:limit]]
    return ids, None if len(found) <= limit else Position(*found[limit - 1])


def cancel(session: Session, identity: Identity, actor: Actor, job_id: UUID) -> Job:
    """End a job and all of its open work; a worker that holds some of it finds its lease gone.

    References are shared with other jobs and stay. Raises NotFound, Forbidden, and Conflict when the job has ended.
    """
    job = hold_own(session, identity, job_id)
    if State(job.state).ended:
        was = "was already cancelled" if job.state == State.CANCELLED else f"has already {job.state}"
        raise Conflict(f"job {job.id} {was}")
    transitions.end_job(session, job, State.CANCELLED)
    record(session, actor, "job.cancel", job_id=job.id, owner_id=job.user_id, subject=job.name)
    session.flush()
    return job


def share(session: Session, identity: Identity, actor: Actor, job_id: UUID, group: str | None) -> Job:
    """Let a group read the job, in place of the one that could before; None: nobody but its owner. Raises NotFound, Forbidden, and
    InvalidInput for a group that the user isn't in."""
    job = hold_own(session, identity, job_id)
    readers = None if group is None else joined(session, job.user_id, group)
    job.group_id = None if readers is None else readers.id
    detail = {"group": group}
    record(session, actor, "job.share", job_id=job.id, owner_id=job.user_id, subject=job.name, detail=detail)
    session.flush()
    return job


def delete(session: Session, identity: Identity, actor: Actor, job_id: UUID, *, with_labels: bool = False) -> None:
    """Nobody sees an ended job any more; the dispatcher removes its rows, in small pieces. Its idempotency key is free again.

    Raises NotFound, Forbidden, and Conflict for a job that is open, or whose candidates have reference energies, which calibrations
    learn from, unless these may go too.
    """
    job = hold_own(session, identity, job_id)
    if not State(job.state).ended:
        raise Conflict(f"job {job.id} is {job.state}: cancel it first, then delete it")
    n_labels = session.scalars(
        select(func.count())
        .select_from(ReferenceEnergy)
        .join(Candidate, Candidate.id == ReferenceEnergy.candidate_id)
        .where(Candidate.job_id == job.id)
    ).one()
    if n_labels and not with_labels:
        raise Conflict(
            f"{n_labels} reference energies were fed back for candidates of job {job.id}, and calibrations learn from them: say "
            "with_labels=true where they may go with it"
        )
    job.deleted_at, job.idempotency_key = session.scalar(select(func.now())), None
    detail = {"reference_energies": n_labels} if n_labels else None
    record(session, actor, "job.delete", job_id=job.id, owner_id=job.user_id, subject=job.name, detail=detail)
    session.flush()
