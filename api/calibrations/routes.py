"""POST and GET of calibrations. They are the lab's: everybody's reference energies count, and everybody may use them."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import Caller, Submitter, UseSession
from api.problems import BODY, responses
from services.evaluation.calibration import Target, calibrate
from services.scoring.ensemble import summarise
from shared.database.repositories import calibrations
from shared.database.tables import Calibration
from shared.parameters import Functional, MemberName, Spread

router = APIRouter(prefix="/v1/calibrations", tags=["calibrations"])


class CalibrationRequest(BaseModel):
    """What to learn, and from which functional's energies."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    members: Annotated[tuple[MemberName, ...], Field(min_length=2, max_length=10)]
    functional: Functional = "RPBE"
    spread: Spread = Spread.STD
    target_share: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        default=0.9, description="of what is kept, within the target's error"
    )
    target_error: Annotated[float, Field(gt=0, le=2)] = Field(default=0.1, description="eV")


class CalibrationView(BaseModel):
    """A limit that was learned."""

    number: int
    members: list[str]
    functional: str
    spread: Spread
    limit: float | None = Field(description="of the spread, eV; null where no limit keeps the promise")
    report: dict[str, Any] = Field(
        description="its interval, the share kept, correlations, error against spread, and the check on held-out systems"
    )
    created_at: datetime


class CalibrationList(BaseModel):
    """The newest first; a job gets the newest one of its members, functional and spread."""

    calibrations: list[CalibrationView]


@router.post("", status_code=201, responses=responses(*BODY, 401, 403, 422))
def learn(request: CalibrationRequest, caller: Submitter, session: UseSession) -> CalibrationView:
    """Learn the limit of the spread that reaches the target, from every candidate with a reference energy of this functional that all
    of these members scored. Jobs that ask for `limit: calibrated` use it from now on."""
    members = sorted(dict.fromkeys(request.members))
    found = calibrations.labelled(session, members, request.functional)
    summaries = summarise(found.energies)
    full = summaries.n == len(members)
    systems = np.unique([str(job) for job in found.systems], return_inverse=True)[1] if found.systems else np.zeros(0)
    learned = calibrate(
        summaries.spread(request.spread)[full],
        np.abs(summaries.mean - found.references)[full],
        systems[full],
        Target(request.target_share, request.target_error),
    )
    row = calibrations.add(
        session, members, request.functional, request.spread, learned.limit, _plain(asdict(learned)), caller.user_id
    )
    return _view(row)


@router.get("", responses=responses(401))
def list_calibrations(caller: Caller, session: UseSession) -> CalibrationList:
    """All calibrations."""
    return CalibrationList(calibrations=[_view(row) for row in calibrations.every(session)])


@router.get("/{number}", responses=responses(401, 404, 422))
def get_calibration(
    number: Annotated[int, Path(ge=1, lt=2**63)], caller: Caller, session: UseSession
) -> CalibrationView:
    """One calibration."""
    return _view(calibrations.get(session, number))


def _view(row: Calibration) -> CalibrationView:
    return CalibrationView(
        number=row.id,
        members=row.members,
        functional=row.functional,
        spread=Spread(row.spread),
        limit=row.limit,
        report=row.report,
        created_at=row.created_at,
    )


def _plain(value: Any) -> Any:
    """JSON has no NaN: null stands for it."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and value != value else value
