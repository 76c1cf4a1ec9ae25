"""GET of references, and POST to try one again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy.orm import Session

from api.dependencies import Caller, Submitter, UseActor, UseSession
from api.jobs.responses import FailureView
from api.paging import Cursor, Limit, id_cursor, id_position
from api.problems import responses
from api.references import queries as references
from api.view import View
from shared.database.repositories.audit import record
from shared.database.repositories.users import Identity
from shared.database.tables import Reference
from shared.database.workflow import retrying
from shared.parameters import MemberName
from shared.references import ReferenceKind
from shared.states import State

router = APIRouter(prefix="/v1/references", tags=["references"])

Number = Annotated[int, Path(ge=1, lt=2**63)]


class ReferenceView(View):
    """A clean slab or a gas molecule, relaxed by one member once for all jobs that rest on it."""

    id: int
    kind: ReferenceKind
    label: str = Field(description="the molecule, or the slab's formula")
    member: str
    checkpoint: str = Field(description="SHA-256 of the member's: another checkpoint has references of its own")
    state: State
    energy: float | None = Field(description="relaxed, by the member, eV; null until it has succeeded")
    failure: FailureView | None
    retries: int = Field(description="how often it was tried again since an administrator last saw to it")
    retried_at: datetime | None
    retry: str | None = Field(description="of one that failed: who may have it tried again now, and what to wait for")
    jobs: int = Field(description="yours that rest on it; everybody's for an administrator")


class ReferencePage(View):
    """A page of references."""

    references: list[ReferenceView] = Field(description="the newest first")
    next: str | None = Field(description="the cursor of the next page")


@router.get("", responses=responses(401, 422))
def list_references(
    caller: Caller,
    session: UseSession,
    state: Annotated[State | None, Query(description="only those in this state, such as failed")] = None,
    member: Annotated[MemberName | None, Query(description="only those by this member")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ReferencePage:
    """References that jobs of yours rest on; an administrator sees everybody's."""
    rows, last = references.page(session, caller, state=state, member=member, limit=limit, after=id_position(cursor))
    return ReferencePage(references=_views(session, caller, rows), next=id_cursor(last))


@router.get("/{number}", responses=responses(401, 404, 422))
def get_reference(number: Number, caller: Caller, session: UseSession) -> ReferenceView:
    """One reference."""
    return _views(session, caller, [references.get(session, caller, number)])[0]


@router.post("/{number}/retry", responses=responses(401, 403, 404, 409, 422))
def retry_reference(number: Number, caller: Submitter, actor: UseActor, session: UseSession) -> ReferenceView:
    """Have a reference that failed tried again, by whichever worker hosts its member: at once where an open job rests on it, else
    when the next one does. Whoever has a job that rests on it may, a few times and after a wait (409 says which); administrators may
    at any time. One that hasn't failed is left as it is. Jobs that failed with it are not searched again: submit them anew."""
    row, again = retrying.retry(session, number, caller.user_id, administrator=caller.sees_all)
    if again:
        record(
            session, actor, "reference.retry", subject=row.title, detail={"reference": row.id, "retries": row.retries}
        )
    return _views(session, caller, [row])[0]


def _views(session: Session, caller: Identity, rows: Sequence[Reference]) -> list[ReferenceView]:
    resting = references.resting(session, caller, rows)
    return [
        ReferenceView(
            id=row.id,
            kind=ReferenceKind(row.kind),
            label=row.label,
            member=row.member,
            checkpoint=row.member_sha256,
            state=State(row.state),
            energy=row.energy,
            failure=None
            if row.failure_kind is None
            else FailureView(kind=row.failure_kind, reason=row.failure_reason or ""),
            retries=row.retries,
            retried_at=row.retried_at,
            retry=_retry(session, caller, row),
            jobs=resting.get(row.id, 0),
        )
        for row in rows
    ]


def _retry(session: Session, caller: Identity, row: Reference) -> str | None:
    if row.state != State.FAILED:
        return None
    refused = "" if caller.sees_all else retrying.refused(session, row)
    return refused or "you may have it tried again now"
