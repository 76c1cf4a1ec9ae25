"""POST of /v1/jobs/{id}/selections:preview: what other rules would choose, at once, with nothing stored."""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from api.dependencies import Caller, UseSession
from api.jobs import access
from api.problems import BODY, responses
from api.results.meaning import Meaning, accuracy_of
from api.selections.requests import SelectionRequest, rules
from api.selections.routes import limit_for
from api.view import View
from services.scoring.selection import choose
from shared.database.repositories import selections

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["selections"])


class OutcomeView(View):
    """What these rules say of one candidate. Energies in eV."""

    candidate: int
    mean: float | None
    std: float | None
    range: float | None
    relative: float | None
    n: int = Field(description="members that scored it")
    passes: bool
    reason: str = Field(description="why it doesn't pass the filter")
    rank: int | None = Field(description="null where it isn't chosen")
    same_as: int | None = Field(description="the candidate that stands for this one's minimum, if another one does")
    verdict: str = Field(description="why it would be chosen, or why not")


class Preview(Meaning):
    """How these rules would choose."""

    rules: dict[str, Any]
    limit: float | None = Field(description="of the spread, eV")
    n_passing: int
    low_confidence: bool
    outcomes: list[OutcomeView] = Field(description="one for each candidate, by id")


@router.post("/selections:preview", responses=responses(*BODY, 401, 404, 409, 422))
def preview(job_id: UUID, request: SelectionRequest, caller: Caller, session: UseSession) -> Preview:
    """As a new selection would choose among the candidates of a job that has succeeded; nothing is stored, and whoever may read the
    job may ask."""
    job = access.get(session, caller, job_id)
    selections.check_ended(job)
    asked = rules(request, job)
    limit = limit_for(session, request, job, asked, caller)
    pool = selections.pool(session, job.id, asked.members)
    outcome = choose(pool, asked, limit.bound)
    found = [
        OutcomeView(
            candidate=key,
            mean=_number(outcome.mean[at]),
            std=_number(outcome.std[at]),
            range=_number(outcome.range[at]),
            relative=_number(outcome.relative[at]),
            n=int(outcome.n[at]),
            passes=bool(outcome.passes[at]),
            reason=outcome.reasons[at],
            rank=None if outcome.rank[at] < 0 else int(outcome.rank[at]),
            same_as=None if outcome.same_as[at] == key else int(outcome.same_as[at]),
            verdict=outcome.verdicts[at],
        )
        for at, key in enumerate(pool.keys.tolist())
    ]
    return Preview(
        rules=asked.model_dump(mode="json"),
        limit=limit.value,
        reference="; ".join(pool.references),
        accuracy=accuracy_of(job, asked.members),
        offsets={
            name: value
            for name, value in zip(pool.members, outcome.offset.tolist(), strict=True)
            if math.isfinite(value)
        },
        offset_spread=_number(outcome.offset_spread),
        n_offsets=outcome.n_offsets,
        cautions=job.cautions,
        n_passing=int(outcome.passes.sum()),
        low_confidence=outcome.low_confidence,
        outcomes=found,
    )


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
