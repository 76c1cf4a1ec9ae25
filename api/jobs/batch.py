"""Many jobs in one request: each is judged by itself, and told by itself whether it is queued or why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from api import problems
from api.context import Context
from api.jobs import limits
from api.jobs import repository as jobs
from api.jobs.acceptance import calibration_of
from api.jobs.places import fields_at
from api.jobs.preparation import prepare
from api.jobs.repository import NewJob
from api.jobs.requests import JobRequest, dotted
from api.members.choice import KnownMember
from api.members.fleet import known_members
from api.problems import Problem
from api.view import View
from shared.database.repositories.audit import Actor
from shared.database.repositories.users import Identity
from shared.database.tables import Job, User
from shared.errors import AdhopError, LimitReached

MOST = 1000
_TOGETHER = 50
"""Jobs of one transaction."""


class BatchEntry(BaseModel):
    """A job of many."""

    model_config = ConfigDict(extra="forbid")

    job: Annotated[dict[str, Any], Field(description="as it is posted to /v1/jobs")]
    idempotency_key: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[ -~]+$")] | None = Field(
        default=None,
        description="the same key with the same job gives the same job, with another one a refusal (409), as the header "
        "Idempotency-Key of a single one does",
    )


class BatchRequest(BaseModel):
    """Jobs to be queued, each with its own parameters."""

    model_config = ConfigDict(extra="forbid")

    jobs: Annotated[list[BatchEntry], Field(min_length=1, max_length=MOST, description=f"up to {MOST:,} jobs")]


class BatchEntryView(View):
    """What became of one of them: a job, or a refusal."""

    id: UUID | None = Field(description="of the job; null where it was refused")
    created: bool = Field(description="whether it is new: not where its idempotency key came before")
    name: str | None
    state: str | None
    stage: str | None
    adsorbate: str | None
    surface: str | None
    warnings: list[str] = Field(description="what was ignored, simplified or decided for you in reading it")
    refused: Problem | None = Field(description="what a job of this alone would have been refused with")


class BatchView(View):
    """What became of each."""

    accepted: int = Field(description="jobs that are queued now, or were by an earlier request with their keys")
    refused: int
    jobs: list[BatchEntryView] = Field(description="in the order of the request")


Outcome = tuple[Job, bool] | AdhopError | ValidationError | DataError
"""A job and whether it is new, or why there is none."""


def submit_batch(context: Context, caller: Identity, actor: Actor, asked: BatchRequest) -> BatchView:
    """Queue those that can be. No connection is held while one of them is read; a few dozen are stored in one transaction. Raises
    Unauthorised where the user was disabled meanwhile."""
    with context.readings() as session:
        known = known_members(session)
    outcomes: list[Outcome] = []
    for first in range(0, len(asked.jobs), _TOGETHER):
        some = asked.jobs[first : first + _TOGETHER]
        outcomes += _store(context, caller, actor, _prepare_all(context, caller, known, some))
    if any(isinstance(one, tuple) and one[1] for one in outcomes):
        context.notifier.notify_cpu()
    views = [_view(one) for one in outcomes]
    accepted = sum(view.id is not None for view in views)
    return BatchView(accepted=accepted, refused=len(views) - accepted, jobs=views)


def _prepare_all(
    context: Context, caller: Identity, known: Mapping[str, KnownMember], some: Sequence[BatchEntry]
) -> list[NewJob | Outcome]:
    """Those that could be stored, and what is to be said of the others. Where the user has no room for one more job, none is looked
    into that wasn't made before."""
    with context.readings() as session:
        full = _full(session, caller, context)
        made = jobs.made_with(session, caller.user_id, [one.idempotency_key for one in some if one.idempotency_key])
    prepared: list[NewJob | Outcome] = []
    for one in some:
        try:
            request = JobRequest.model_validate(one.job)
            job = made.get(one.idempotency_key or "")
            if job is not None:
                jobs.check_same(job, request.digest)
                prepared.append((job, False))
            elif full is not None:
                prepared.append(full)
            else:
                prepared.append(_prepared(context, caller, known, request, one.idempotency_key))
        except (AdhopError, ValidationError) as refusal:
            prepared.append(refusal)
    return prepared


def _prepared(
    context: Context, caller: Identity, known: Mapping[str, KnownMember], request: JobRequest, key: str | None
) -> NewJob:
    with context.readings() as session:
        calibration_id = calibration_of(session, request, context, caller)
    return prepare(request, context, known, calibration_id, key)


def _full(session: Session, caller: Identity, context: Context) -> LimitReached | None:
    """The refusal of any further job, where there would be one."""
    allowed = limits.limits_of(session.get_one(User, caller.user_id), context.settings)
    try:
        limits.check(allowed, limits.use_of(session, caller.user_id, allowed), force_calls=0, stored_bytes=0)
    except LimitReached as refusal:
        return refusal
    return None


def _store(context: Context, caller: Identity, actor: Actor, prepared: Sequence[NewJob | Outcome]) -> list[Outcome]:
    """In one transaction; where a value can't be stored, each in its own, to find which."""
    news = [one for one in prepared if isinstance(one, NewJob)]
    try:
        made = iter(_stored(context, caller, actor, news))
    except DataError:
        made = iter([outcome for new in news for outcome in _stored_alone(context, caller, actor, new)])
    return [next(made) if isinstance(one, NewJob) else one for one in prepared]


def _stored(context: Context, caller: Identity, actor: Actor, news: Sequence[NewJob]) -> Sequence[Outcome]:
    if not news:
        return []
    with context.sessions.begin() as session:
        return jobs.submit_all(session, actor, caller.user_id, news, context.settings)


def _stored_alone(context: Context, caller: Identity, actor: Actor, new: NewJob) -> Sequence[Outcome]:
    try:
        return _stored(context, caller, actor, [new])
    except DataError as refusal:
        return [refusal]


def _view(outcome: Outcome) -> BatchEntryView:
    if isinstance(outcome, tuple):
        job, created = outcome
        return BatchEntryView(
            id=job.id, created=created, name=job.name, state=job.state, stage=job.stage, adsorbate=job.adsorbate,
            surface=job.surface, warnings=job.warnings, refused=None,
        )  # fmt: skip
    if isinstance(outcome, ValidationError):
        errors = [{**one, "loc": ("body", *one["loc"])} for one in outcome.errors()]  # as of a request of its own
        refused = problems.of_fields(errors, dotted, fields_at)
    else:
        refused = problems.of_error(outcome)
    return BatchEntryView(
        id=None, created=False, name=None, state=None, stage=None, adsorbate=None, surface=None, warnings=[], refused=refused
    )  # fmt: skip
