"""GET of a job's attempts that did not end well."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from api.attempts import queries as attempts
from api.dependencies import Caller, UseSession
from api.jobs import access
from api.paging import Cursor, Limit, id_cursor, id_position
from api.problems import responses
from api.view import View
from shared.states import Work

router = APIRouter(prefix="/v1/jobs/{job_id}/attempts", tags=["jobs"])


class AttemptView(View):
    """A claim that did not end well."""

    work: Work
    item: str = Field(description="which walker, evaluation, reference or stage; alike in all of its attempts")
    number: int = Field(description="of that piece of work's attempts, from 1; a result starts the count again")
    worker: str | None
    kind: str
    reason: str
    at: datetime


class AttemptPage(View):
    """A page of attempts."""

    attempts: list[AttemptView] = Field(description="oldest first")
    next: str | None = Field(description="the cursor of the next page")


@router.get("", responses=responses(401, 404, 422))
def list_attempts(
    job_id: UUID, caller: Caller, session: UseSession, limit: Limit = 50, cursor: Cursor = None
) -> AttemptPage:
    """Workers lost and calculations failed, of this job and of the references it rests on, with the reasons."""
    job = access.get(session, caller, job_id)
    found, last = attempts.of_job(session, job.id, limit=limit, after=id_position(cursor))
    return AttemptPage(
        attempts=[
            AttemptView(
                work=Work(one.work),
                item=one.work_id,
                number=one.number,
                worker=one.worker,
                kind=one.failure_kind,
                reason=one.reason,
                at=one.at,
            )
            for one in found
        ],
        next=id_cursor(last),
    )
