"""What may be asked of a finished job. What isn't given is as the job itself has it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared.database.tables import Job
from shared.errors import InvalidInput
from shared.parameters import Choosing, Count, Functional, Limit, ScoringMembers, Spread, Weights, Window


class SelectionRequest(BaseModel):
    """Another limit, spread, set of members, weights, count or window. Energies in eV."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [{"limit": 0.15}, {"members": ["chgnet-0.3.0", "sevennet-0"], "spread": "range"}]
        },
    )

    members: ScoringMembers | None = Field(default=None, description="some of the job's score members")
    weights: Weights | None = None
    spread: Spread | None = None
    limit: Limit | None = Field(default=None, description="eV, or `calibrated`")
    functional: Functional | None = Field(default=None, description="of the calibration that is asked for")
    count: Count | None = None
    window: Window | None = Field(default=None, description="eV above the lowest")
    include_anomalous: bool | None = None


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
    return Choosing.model_validate(own.model_dump() | asked | {"members": members})
