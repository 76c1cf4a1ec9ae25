"""What may be learned."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.parameters import Functional, MemberName, Spread


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

    @model_validator(mode="after")
    def _several(self) -> Self:
        if len(set(self.members)) < 2:
            raise ValueError("one member alone has no spread: name two at least")
        return self
