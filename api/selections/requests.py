"""What may be asked of a finished job. What isn't given is as the job itself has it."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.database.tables import Job
from shared.errors import InvalidInput
from shared.parameters import (
    CALIBRATED,
    CalibrationNumber,
    Choosing,
    Count,
    Functional,
    Limit,
    ScoringMembers,
    Spread,
    Weights,
    Window,
)


class SelectionRequest(BaseModel):
    """Another limit, spread, set of members, weights, count or window. Energies in eV."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [{"limit": 0.15}, {"members": ["chgnet-0.3.0", "sevennet-mf-0-pbe"], "spread": "range"}]
        },
    )

    members: ScoringMembers | None = Field(default=None, description="some of the job's score members")
    weights: Weights | None = None
    spread: Spread | None = None
    limit: Limit | None = Field(default=None, description="eV, or `calibrated`")
    functional: Functional | None = Field(default=None, description="of the calibration that is asked for")
    calibration: CalibrationNumber | None = Field(
        default=None,
        description="by its number: a published one, or one that you proposed; none takes the one in force",
    )
    count: Count | None = None
    window: Window | None = Field(default=None, description="eV above the lowest")
    include_anomalous: bool | None = None

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if self.calibration is not None and self.limit not in (None, CALIBRATED):
            raise ValueError("give a limit in eV or a calibration, one of them")
        return self


def rules(request: SelectionRequest, job: Job) -> Choosing:
    """The job's own rules with what was asked for in their place. Raises InvalidInput for members that didn't score it."""
    own = job.read_parameters().choosing(tuple(job.score_members))
    asked: dict[str, Any] = request.model_dump(exclude_none=True)
    members = tuple(dict.fromkeys(request.members or own.members))
    strange = sorted(set(members) - set(own.members))
    if strange:
        raise InvalidInput(
            f"{', '.join(strange)} did not score this job; {', '.join(own.members)} did", field="members"
        )
    if request.weights is None:
        asked["weights"] = {name: weight for name, weight in own.weights.items() if name in members}
    if request.calibration is not None:
        asked.setdefault("limit", CALIBRATED)
    elif request.limit is not None or _judges_otherwise(request, own):
        asked["calibration"] = None  # the job's own is of another limit, or of other members
    return Choosing.model_validate(own.model_dump() | asked | {"members": members})


def keeps_limit(request: SelectionRequest, job: Job) -> bool:
    """Whether the job's own limit holds, that of the calibration that was in force when it was submitted included."""
    own = job.read_parameters().choosing(tuple(job.score_members))
    return request.limit is None and request.calibration is None and not _judges_otherwise(request, own)


def _judges_otherwise(request: SelectionRequest, own: Choosing) -> bool:
    """Whether a calibration for these rules is another one than for the job's own."""
    return (
        (request.members is not None and set(request.members) != set(own.members))
        or request.functional not in (None, own.functional)
        or request.spread not in (None, own.spread)
    )
