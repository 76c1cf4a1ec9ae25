"""What the numbers of a choice mean: what they are relative to, how far off that may be, and what to mind."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from api.view import View
from shared import scales
from shared.database.tables import Job


class Meaning(View):
    """Of all candidates of a choice alike. Energies in eV."""

    reference: str = Field(description="what their adsorption energies are measured against, and on which scale")
    accuracy: str = Field(
        default="", description="how far members with fitted constants are off on the labels that these were fitted to"
    )
    offsets: dict[str, float] = Field(
        default={}, description="what each member says of all candidates alike, against the mean of the members, eV"
    )
    offset_spread: float | None = Field(
        default=None,
        description="standard deviation of the offsets, eV: how far the members disagree about the adsorption energy, whichever the "
        "minimum; null where it can't be told",
    )
    n_offsets: int = Field(default=0, description="distinct sound candidates that the offsets are from")
    cautions: list[str] = Field(default=[], description="what is known to be wrong with the members on this system")


def accuracy_of(job: Job, members: Iterable[str]) -> str:
    """As `Meaning.accuracy` has it, of those of the job's members that choose."""
    return scales.accuracy(scales.Scale.model_validate(job.scales[name]) for name in members if name in job.scales)
