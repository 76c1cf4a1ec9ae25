"""POST, GET, PATCH and DELETE of /v1/jobs."""

from __future__ import annotations

import json
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from api.dependencies import Caller, Submitter, UseActor, UseContext, UseSession
from api.jobs import access, cancelling
from api.jobs import repository as jobs
from api.jobs.acceptance import calibration_of
from api.jobs.batch import BatchRequest, BatchView, submit_batch
from api.jobs.cancelling import CancelledJobs, CancelRequest
from api.jobs.preparation import prepare
from api.jobs.requests import JobChange, JobRequest
from api.jobs.responses import JobPage, JobView
from api.jobs.settled import Settled
from api.jobs.views import views
from api.members.fleet import known_members
from api.paging import Cursor, Limit, job_cursor, job_position
from api.problems import BODY, responses
from api.unchanged import UNCHANGED, IfNoneMatch, answer
from shared.states import State

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern=r"^[ -~]+$",
        description="the same key with the same body gives the same job (200), with another body 409",
    ),
]


@router.post(
    "",
    status_code=201,
    responses={
        200: {"model": JobView, "description": "The same request came before"},
        **responses(*BODY, 401, 403, 409, 422, 429),
    },
)
def submit_job(
    request: JobRequest,
    caller: Submitter,
    actor: UseActor,
    context: UseContext,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> JobView:
    """Queue a job. It is stored before this answers; a broker that is away delays its start, nothing else."""
    with context.readings() as session:
        if idempotency_key is not None:
            existing = jobs.submitted(session, caller.user_id, idempotency_key, request.digest)
            if existing is not None:
                response.status_code = 200
                return views(session, [existing])[0]
        known = known_members(session)
        calibration_id = calibration_of(session, request, context, caller)
    new = prepare(request, context, known, calibration_id, idempotency_key)
    with context.sessions.begin() as session:
        job, created = jobs.submit(session, actor, caller.user_id, new, context.settings)
        view = views(session, [job])[0]
    if created:
        context.notifier.notify_cpu()
    else:
        response.status_code = 200
    response.headers["Location"] = f"/v1/jobs/{view.id}"
    return view


@router.post(":batch", responses=responses(*BODY, 401, 403, 422))
def submit_jobs(asked: BatchRequest, caller: Submitter, actor: UseActor, context: UseContext) -> BatchView:
    """Queue many jobs, up to 1,000. Each is judged by itself, your limits by all together and in their order: what can't be queued is
    refused with its reason, and the others are queued. Those that are accepted are stored before this answers."""
    return submit_batch(context, caller, actor, asked)


@router.get("", response_model=JobPage, responses=UNCHANGED | responses(401, 422))
def list_jobs(
    caller: Caller,
    context: UseContext,
    state: Annotated[State | None, Query(description="only jobs in this state")] = None,
    shared: Annotated[bool, Query(description="those that others share with your groups, instead of yours")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Your jobs, newest first; an admin's key lists everybody's."""
    after = job_position(cursor)
    with context.readings() as session:
        found, position = jobs.page(session, caller, state=state, shared=shared, limit=limit, after=after)
        documents = [told.document for told in context.own(Settled).told(session, found)]
    after_these = json.dumps(job_cursor(position)).encode()
    return answer(b'{"jobs":[%b],"next":%b}' % (b",".join(documents), after_these), if_none_match)


@router.get("/{job_id}", response_model=JobView, responses=UNCHANGED | responses(401, 404, 422))
def get_job(job_id: UUID, caller: Caller, context: UseContext, if_none_match: IfNoneMatch = None) -> Response:
    """A job: its state, how far it is, and what it waits for."""
    with context.readings() as session:
        told = context.own(Settled).told(session, [job_id])
        access.readable(session, told[0].job if told else None, caller, job_id)
    return answer(told[0].document, if_none_match)


@router.patch("/{job_id}", responses=responses(*BODY, 401, 403, 404, 422))
def change_job(job_id: UUID, change: JobChange, caller: Submitter, actor: UseActor, session: UseSession) -> JobView:
    """Let one of your groups read a job, or nobody but you again."""
    return views(session, [jobs.share(session, caller, actor, job_id, change.group)])[0]


@router.delete("/{job_id}", responses=responses(401, 403, 404, 409, 422))
def cancel_job(job_id: UUID, caller: Submitter, actor: UseActor, session: UseSession) -> JobView:
    """Cancel a job. What it has found stays readable; workers drop what they hold of it."""
    return views(session, [jobs.cancel(session, caller, actor, job_id)])[0]


@router.post(":cancel", responses=responses(*BODY, 401, 403, 404, 422))
def cancel_jobs(asked: CancelRequest, caller: Submitter, actor: UseActor, context: UseContext) -> CancelledJobs:
    """Cancel many jobs: up to 1,000 that you name, or all of yours that have not ended. Those that had ended stay as they are."""
    return cancelling.cancel_jobs(context.sessions, caller, actor, asked)


@router.delete("/{job_id}/data", status_code=204, responses=responses(401, 403, 404, 409, 422))
def delete_job(
    job_id: UUID,
    caller: Submitter,
    actor: UseActor,
    session: UseSession,
    with_labels: Annotated[
        bool, Query(description="reference energies fed back for its candidates, which calibrations learn from, go too")
    ] = False,
) -> None:
    """Delete an ended job and all that was found. Nobody sees it from now on, and there is no way back; references, which other jobs
    share, stay."""
    jobs.delete(session, caller, actor, job_id, with_labels=with_labels)
