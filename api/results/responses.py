"""Candidates and minima as they are shown. Energies in eV, forces in eV/Å."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from api.results.queries import Chosen, Finding
from shared.database.tables import Score
from shared.states import State


class MemberEnergyView(BaseModel):
    """One member's energy of a candidate. energy: bare; adsorption_energy: per adslab, against `reference`."""

    member: str
    state: State
    energy: float | None
    adsorption_energy: float | None
    reference: str | None
    fmax: float | None = Field(description="largest force by this member on a free atom")


class ScoreView(BaseModel):
    """What the ensemble says: mean, sample standard deviation (ddof 1) and range (max - min) over n members, eV.

    passes, reason: the filter; same_as: the candidate that stands for this one's minimum, if another one does; verdict: why it was
    chosen, or why not. missing: members of this selection that have no energy of it; they are left out, not imputed.
    """

    mean: float | None
    std: float | None
    range: float | None
    n: int
    passes: bool
    reason: str
    same_as: int | None
    verdict: str
    missing: list[str]


class ReferenceEnergyView(BaseModel):
    """An adsorption energy that was fed back, eV per adslab, against `reference`."""

    adsorption_energy: float
    reference: str
    functional: str
    code: str
    provenance: str
    user: str | None
    created_at: datetime


class StructureView(BaseModel):
    """An adslab; the adsorbate's atoms come last. Lengths in Å; tags are OC20's."""

    numbers: list[int]
    positions: list[list[float]]
    cell: list[list[float]]
    pbc: list[bool]
    tags: list[int]
    fixed: list[bool]


class CandidateView(BaseModel):
    """A relaxed local minimum. energy: bare, by the member that found it."""

    id: int
    walker: int
    hop: int
    member: str
    site: str
    energy: float
    fmax: float
    converged: bool
    anomalies: list[str]
    duplicate_of: int | None
    energies: list[MemberEnergyView]
    reference_energies: list[ReferenceEnergyView] = Field(description="computed by the lab, the newest first")
    score: ScoreView | None
    structure: StructureView


class MinimumView(CandidateView):
    """A chosen candidate; rank 0 is the putative global minimum."""

    rank: int
    low_confidence: bool
    reason: str


class CandidatePage(BaseModel):
    """Candidates in the order they were stored."""

    candidates: list[CandidateView]
    next: str | None


class Minima(BaseModel):
    """The minima by rank, and what their adsorption energies are measured against. selection: by whose rules."""

    minima: list[MinimumView]
    reference: str
    unit: str = "eV"
    selection: int = 0


def candidate_view(finding: Finding) -> CandidateView:
    """A stored candidate with all that is known of it."""
    row, score = finding.candidate, finding.score
    return CandidateView(
        id=row.id,
        walker=row.walker_id,
        hop=row.hop,
        member=row.member,
        site=row.site,
        energy=row.energy,
        fmax=row.fmax,
        converged=row.converged,
        anomalies=row.anomalies,
        duplicate_of=row.duplicate_of,
        energies=[
            MemberEnergyView(
                member=one.member,
                state=State(one.state),
                energy=one.energy,
                adsorption_energy=one.adsorption_energy,
                reference=one.reference,
                fmax=one.fmax,
            )
            for one in finding.energies
        ],
        reference_energies=[
            ReferenceEnergyView(
                adsorption_energy=one.energy.adsorption_energy,
                reference=one.energy.reference,
                functional=one.energy.functional,
                code=one.energy.code,
                provenance=one.energy.provenance,
                user=one.user,
                created_at=one.energy.created_at,
            )
            for one in finding.references
        ],
        score=None if score is None else _score_view(score, finding),
        structure=StructureView(**finding.structure.to_document()),
    )


def _score_view(score: Score, finding: Finding) -> ScoreView:
    return ScoreView(
        mean=score.mean,
        std=score.std,
        range=score.range,
        n=score.n,
        passes=score.passes,
        reason=score.reason,
        same_as=score.same_as,
        verdict=score.verdict,
        missing=[
            one.member for one in finding.energies if one.adsorption_energy is None and one.member in finding.members
        ],
    )


def minimum_view(chosen: Chosen) -> MinimumView:
    """A candidate with its rank."""
    minimum = chosen.minimum
    return MinimumView(
        **candidate_view(chosen.finding).model_dump(),
        rank=minimum.rank,
        low_confidence=minimum.low_confidence,
        reason=minimum.reason,
    )
