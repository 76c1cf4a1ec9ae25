"""GET of /v1/audit."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field

from api.audit import queries
from api.dependencies import Caller, UseSession
from api.paging import Cursor, Limit, id_cursor, id_position
from api.problems import responses
from api.view import View
from shared.database.tables import AuditEntry

router = APIRouter(prefix="/v1/audit", tags=["audit"])


class AuditView(View):
    """An act."""

    at: datetime
    user: str = Field(description="who did it, by the name they had; in brackets where it was the server itself")
    key: str = Field(description="the public part of the key; empty where none was used")
    address: str = Field(description="where the request came from")
    request_id: str = Field(description="as in the server's log")
    action: str
    job: UUID | None
    subject: str = Field(description="what it was done to")
    detail: dict[str, Any] = Field(description="what changed")


class AuditPage(View):
    """A page of acts."""

    entries: list[AuditView] = Field(description="the newest first")
    next: str | None = Field(description="the cursor of the next page")


@router.get("", responses=responses(401, 422))
def list_audit(
    caller: Caller,
    session: UseSession,
    user: Annotated[str | None, Query(max_length=200, description="who did it, by name")] = None,
    action: Annotated[
        str | None, Query(max_length=100, description="such as `job.cancel`; `job` for all that was done to jobs")
    ] = None,
    job: Annotated[UUID | None, Query(description="what was done to this job")] = None,
    since: Annotated[AwareDatetime | None, Query(description="nothing before this moment")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AuditPage:
    """What you did, and what was done to your account and your jobs, deleted ones included; an admin's key lists everything."""
    asked = queries.Asked(user=user, action=action, job_id=job, since=since)
    found, last = queries.page(session, caller, asked, limit=limit, after=id_position(cursor))
    return AuditPage(entries=[_view(one) for one in found], next=id_cursor(last))


def _view(entry: AuditEntry) -> AuditView:
    return AuditView(
        at=entry.at,
        user=entry.user_name,
        key=entry.key_prefix,
        address=entry.address,
        request_id=entry.request_id,
        action=entry.action,
        job=entry.job_id,
        subject=entry.subject,
        detail=entry.detail,
    )
