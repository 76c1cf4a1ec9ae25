"""What may be fed back for a candidate."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.parameters import Functional
from shared.plain_text import Lines, OneLine

Energy = Annotated[float, Field(ge=-1e9, le=1e9)]
Words = Annotated[Lines, Field(max_length=1000)]


class Totals(BaseModel):
    """Total energies by one code with one set of settings, eV."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    adslab: Energy
    slab: Energy
    gas: Annotated[dict[Annotated[OneLine, Field(max_length=60)], Energy], Field(max_length=20)] = Field(
        description='by reference, such as {"CO": -12.1}'
    )


class ReferenceEnergyRequest(BaseModel):
    """An adsorption energy against the candidate's reference, or the total energies that it follows from."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        json_schema_extra={"examples": [{"functional": "RPBE", "code": "VASP 6.4.3", "adsorption_energy": -1.42}]},
    )

    functional: Functional
    code: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[ -~]+$")]
    provenance: Words = Field(default="", description="where the numbers come from: a path, a run's id, who did it")
    adsorption_energy: Energy | None = Field(default=None, description="eV per adslab")
    totals: Totals | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.adsorption_energy is None) == (self.totals is None):
            raise ValueError("give adsorption_energy or totals, one of them")
        return self
