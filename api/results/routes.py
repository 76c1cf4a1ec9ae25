"""GET of a job's candidates and minima, as JSON or extended XYZ."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse

from api.dependencies import Caller, UseSnapshot
from api.jobs import access
from api.jobs.file_names import attachment, stem
from api.paging import Cursor, Limit, id_cursor, id_position
from api.problems import responses
from api.results import queries as results
from api.results.extxyz import MEDIA_TYPE, candidates_text, minima_text
from api.results.responses import CandidatePage, Minima, candidate_view, minima_view
from shared.database.repositories import selections

SelectionNumber = Annotated[
    int, Query(ge=0, lt=2**31, description="by whose rules: 0 is the job's own selection, others were asked for later")
]
Format = Annotated[Literal["json", "extxyz"], Query(description="JSON, or extended XYZ for ASE")]

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"])


@router.get(
    "/candidates",
    response_model=CandidatePage,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "A page of them"}, **responses(401, 404, 422)},
)
def list_candidates(
    job_id: UUID,
    caller: Caller,
    session: UseSnapshot,
    request: Request,
    limit: Limit = 50,
    cursor: Cursor = None,
    selection: SelectionNumber = 0,
    format: Format = "json",
) -> CandidatePage | Response:
    """Every minimum found so far, anomalous ones and duplicates included; each with the verdict on it once the job has chosen.

    As extended XYZ, the address of the next page stands in the header `Link`."""
    job = access.get(session, caller, job_id)
    judged_by = selections.find(session, job.id, selection)
    found, last = results.candidates(session, job.id, limit=limit, after=id_position(cursor), selection=judged_by)
    following = id_cursor(last)
    if format == "json":
        return CandidatePage(
            candidates=[candidate_view(one) for one in found],
            candidates_dropped_at=job.candidates_dropped_at,
            next=following,
        )
    written = _extxyz(candidates_text(found, results.ranks(session, judged_by)), f"{stem(job.name, job.id)}-candidates")
    if following is not None:
        address = request.url.include_query_params(cursor=following)
        written.headers["Link"] = f'<{address.path}?{address.query}>; rel="next"'
    return written


@router.get(
    "/minima",
    response_model=Minima,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "The minima"}, **responses(401, 404, 422)},
)
def list_minima(
    job_id: UUID,
    caller: Caller,
    session: UseSnapshot,
    format: Format = "json",
    selection: SelectionNumber = 0,
) -> Minima | Response:
    """The chosen minima by rank; none before the job has succeeded."""
    job = access.get(session, caller, job_id)
    found = selections.find(session, job.id, selection)
    chosen = results.minima(session, found)
    if format == "extxyz":
        return _extxyz(minima_text(chosen), f"{stem(job.name, job.id)}-minima")
    return minima_view(job, found, chosen, number=selection)


def _extxyz(text: str, name: str) -> Response:
    return PlainTextResponse(text, media_type=MEDIA_TYPE, headers=attachment(f"{name}.extxyz"))
