"""POST, GET and DELETE of a job's selections. Choosing is arithmetic on stored energies: it is done here, while the request waits."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from sqlalchemy.orm import Session

from api.context import Context
from api.dependencies import Caller, Submitter, UseActor, UseContext, UseSession, UseSnapshot
from api.jobs import access
from api.problems import BODY, responses
from api.results import queries as results
from api.results.responses import minima_view
from api.selections.requests import SelectionRequest, keeps_limit, rules
from api.selections.responses import SelectionAnswer, SelectionList, selection_view
from services.scoring.selection import choose
from shared.database.repositories import selections
from shared.database.repositories.audit import record
from shared.database.repositories.members import scale_of
from shared.database.repositories.users import Identity, lock_user
from shared.database.tables import Job, Selection
from shared.errors import NotFound
from shared.parameters import Choosing

router = APIRouter(prefix="/v1/jobs/{job_id}/selections", tags=["selections"])

Number = Annotated[int, Path(ge=0, lt=2**31)]


@router.post("", status_code=201, responses=responses(*BODY, 401, 403, 404, 409, 422))
def select_again(
    job_id: UUID,
    request: SelectionRequest,
    caller: Submitter,
    actor: UseActor,
    context: UseContext,
    session: UseSession,
) -> SelectionAnswer:
    """Score and choose again among the candidates of a job that has succeeded. Nothing is searched or computed anew, and the answers
    it had before stay; there is a limit to their number, and 409 where it is reached."""
    job = access.get_own(session, caller, job_id)
    selections.check_ended(job)
    asked = rules(request, job)
    selections.check_room(
        session, job.id, caller.user_id, _most(context)
    )  # before the work, and again when it is stored
    limit = limit_for(session, request, job, asked, caller)
    pool = selections.pool(session, job.id, asked.members)
    outcome = choose(pool, asked, limit.bound)
    lock_user(session, caller.user_id)
    job = access.hold_own(session, caller, job_id)  # meanwhile it may have been deleted, or its candidates dropped
    selections.check_ended(job)
    number = selections.next_number(session, job, caller.user_id, _most(context))
    made = selections.store(session, job.id, asked, limit, pool, outcome, number=number, user_id=caller.user_id)
    record(session, actor, "selection.create", job_id=job.id, owner_id=job.user_id, subject=f"selection {made.number}")
    job.measured_at = None  # it stores more now
    return _answer(session, job, made)


@router.get("", responses=responses(401, 404, 422))
def list_selections(job_id: UUID, caller: Caller, session: UseSnapshot) -> SelectionList:
    """The job's own selection, and those that were asked for since."""
    job = access.get(session, caller, job_id)
    return SelectionList(selections=[selection_view(one) for one in selections.of_job(session, job.id)])


@router.get("/{number}", responses=responses(401, 404, 422))
def get_selection(job_id: UUID, number: Number, caller: Caller, session: UseSnapshot) -> SelectionAnswer:
    """A selection and its minima."""
    job = access.get(session, caller, job_id)
    found = selections.find(session, job.id, number)
    if found is None:
        raise NotFound(f"job {job_id} has not chosen yet")
    return _answer(session, job, found)


@router.delete("/{number}", status_code=204, responses=responses(401, 403, 404, 409, 422))
def delete_selection(job_id: UUID, number: Number, caller: Submitter, actor: UseActor, session: UseSession) -> None:
    """Delete a selection that was asked for. Its number isn't given again; the job's own, number 0, stays."""
    job = access.hold_own(session, caller, job_id)
    selections.delete(session, job.id, number)
    record(session, actor, "selection.delete", job_id=job.id, owner_id=job.user_id, subject=f"selection {number}")
    job.measured_at = None


def limit_for(
    session: Session, request: SelectionRequest, job: Job, asked: Choosing, caller: Identity
) -> selections.SpreadLimit:
    """The job's own limit where nothing else is asked for, also where its calibration was withdrawn since."""
    if keeps_limit(request, job):
        own = selections.pinned_limit(session, job, asked)
        if own.value is not None:
            return own
    return selections.limit_of(session, asked, caller, scale_of(session, asked.members, job.scales))


def _most(context: Context) -> selections.Most:
    return selections.Most(context.settings.max_selections_per_job, context.settings.max_selections_per_user)


def _answer(session: Session, job: Job, row: Selection) -> SelectionAnswer:
    minima = minima_view(job, row, results.minima(session, row), number=row.number)
    return SelectionAnswer(**selection_view(row).model_dump(), minima=minima)
