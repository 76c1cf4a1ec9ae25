"""POST and GET of a job's selections. Choosing is arithmetic on stored energies: it is done here, while the request waits."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from sqlalchemy.orm import Session

from api.dependencies import Caller, Submitter, UseSession
from api.jobs import repository as jobs
from api.problems import BODY, responses
from api.results import queries as results
from api.results.responses import Minima, minimum_view
from api.selections.requests import SelectionRequest, rules
from api.selections.responses import SelectionAnswer, SelectionList, selection_view
from services.scoring.selection import choose
from shared.database.repositories import selections
from shared.database.tables import Selection
from shared.errors import NotFound

router = APIRouter(prefix="/v1/jobs/{job_id}/selections", tags=["selections"])

Number = Annotated[int, Path(ge=0, lt=2**31)]


@router.post("", status_code=201, responses=responses(*BODY, 401, 403, 404, 409, 422))
def select_again(job_id: UUID, request: SelectionRequest, caller: Submitter, session: UseSession) -> SelectionAnswer:
    """Score and choose again among the candidates of a job that has succeeded. Nothing is searched or computed anew, and the answers
    it had before stay."""
    job = jobs.get(session, caller, job_id)
    selections.check_ended(job)
    asked = rules(request, job)
    limit = selections.limit_of(session, asked)
    pool = selections.pool(session, job.id, asked.members)
    outcome = choose(pool, asked, limit.value)
    return _answer(session, selections.store(session, job.id, asked, limit, pool, outcome, user_id=caller.user_id))


@router.get("", responses=responses(401, 404, 422))
def list_selections(job_id: UUID, caller: Caller, session: UseSession) -> SelectionList:
    """The job's own selection, and those that were asked for since."""
    job = jobs.get(session, caller, job_id)
    return SelectionList(selections=[selection_view(one) for one in selections.of_job(session, job.id)])


@router.get("/{number}", responses=responses(401, 404, 422))
def get_selection(job_id: UUID, number: Number, caller: Caller, session: UseSession) -> SelectionAnswer:
    """A selection and its minima."""
    job = jobs.get(session, caller, job_id)
    found = selections.find(session, job.id, number)
    if found is None:
        raise NotFound(f"job {job_id} has not chosen yet")
    return _answer(session, found)


def _answer(session: Session, row: Selection) -> SelectionAnswer:
    chosen = results.minima(session, row)
    minima = Minima(
        minima=[minimum_view(one) for one in chosen], reference=results.reference_of(chosen), selection=row.number
    )
    return SelectionAnswer(**selection_view(row).model_dump(), minima=minima)
