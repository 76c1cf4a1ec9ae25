"""GET of /v1/jobs/{id}/overview, all candidates of a job without their geometries; and of one candidate, with its geometry."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response
from fastapi.responses import JSONResponse
from pydantic import Field
from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from api.dependencies import Caller, UseSession
from api.jobs import access
from api.problems import responses
from api.results import queries as results
from api.results.responses import CandidateView, candidate_view
from api.view import View
from shared.database.tables import Candidate, MemberEnergy, ReferenceEnergy
from shared.errors import NotFound
from shared.plain_text import shown
from shared.states import State

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"])

CandidateId = Annotated[int, Path(ge=1, lt=2**63)]


class CandidateLine(View):
    """A relaxed local minimum in one line. Energies in eV."""

    id: int
    walker: int
    hop: int
    member: str = Field(description="that found it")
    site: str
    energy: float = Field(description="bare, by the member that found it")
    fmax: float = Field(description="largest force by that member on a free atom, eV/Å")
    converged: bool
    anomalies: list[str]
    duplicate_of: int | None
    accepted: bool = Field(description="whether its walker went on from it")
    temperature_k: float | None = Field(description="of the escape, K; null for the relaxation of a placement")
    force_calls: int = Field(description="of its hop")
    energies: dict[str, float] = Field(description="adsorption energy per adslab by each member that has scored it, eV")
    n_labels: int = Field(description="reference energies that were fed back for it")


class Overview(View):
    """All candidates that a job has so far."""

    candidates: list[CandidateLine] = Field(description="in the order they were stored")


@router.get("/overview", response_model=Overview, responses=responses(401, 404, 422))
def get_overview(job_id: UUID, caller: Caller, session: UseSession) -> Response:
    """Every minimum found so far in one line each: what a chart or a table needs."""
    job = access.get(session, caller, job_id)
    energies, labels = _energies(session, job.id), _labels(session, job.id)
    columns = [getattr(Candidate, name) for name in _STORED]
    found = session.execute(select(*columns).where(Candidate.job_id == job.id).order_by(Candidate.id))
    # written as it is: checking two hundred lines as models takes 6 ms of a processor, and writing them 1 ms
    return JSONResponse({"candidates": [_line(row, energies, labels) for row in found]})


def _line(row: Row[Any], energies: dict[int, dict[str, float]], labels: dict[int, int]) -> dict[str, Any]:
    """A CandidateLine; texts are shown as in every answer (api.view)."""
    line = dict(zip(_SHOWN, row, strict=True))
    line["member"], line["site"] = _seen(row.member), _seen(row.site)
    line["anomalies"] = [_seen(name) for name in row.anomalies]
    return line | {"energies": energies.get(row.id, {}), "n_labels": labels.get(row.id, 0)}


_seen = lru_cache(maxsize=4096)(shown)


_STORED = (
    "id",
    "walker_id",
    "hop",
    "member",
    "site",
    "energy",
    "fmax",
    "converged",
    "anomalies",
    "duplicate_of",
    "accepted",
    "temperature_k",
    "force_calls",
)
_SHOWN = tuple("walker" if name == "walker_id" else name for name in _STORED)


@router.get("/candidates/{candidate_id}", responses=responses(401, 404, 422))
def get_candidate(job_id: UUID, candidate_id: CandidateId, caller: Caller, session: UseSession) -> CandidateView:
    """One candidate with its geometry, each member's energy, and the verdict of the job's own selection."""
    job = access.get(session, caller, job_id)
    candidate = session.get(Candidate, candidate_id)
    if candidate is None or candidate.job_id != job.id:
        raise NotFound(f"job {job_id} has no candidate {candidate_id}")
    return candidate_view(results.one(session, candidate))


def _energies(session: Session, job_id: UUID) -> dict[int, dict[str, float]]:
    found: dict[int, dict[str, float]] = {}
    scored = select(MemberEnergy.candidate_id, MemberEnergy.member, MemberEnergy.adsorption_energy).where(
        MemberEnergy.job_id == job_id, MemberEnergy.state == State.SUCCEEDED
    )
    for candidate, member, energy in session.execute(scored.order_by(MemberEnergy.member)):
        if energy is not None:
            found.setdefault(candidate, {})[_seen(member)] = energy
    return found


def _labels(session: Session, job_id: UUID) -> dict[int, int]:
    counted = (
        select(ReferenceEnergy.candidate_id, func.count())
        .join(Candidate)
        .where(Candidate.job_id == job_id)
        .group_by(ReferenceEnergy.candidate_id)
    )
    return {candidate: count for candidate, count in session.execute(counted)}
