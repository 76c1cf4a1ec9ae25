"""Candidates and minima as they are shown. Energies in eV, forces in eV/Å."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, cast

from pydantic import Field

from api.results.meaning import Meaning, accuracy_of
from api.results.queries import Chosen, Finding
from api.view import View
from shared.database.tables import Job, Score, Selection
from shared.states import State

DROPPED = "when the server's rules on what is kept removed all but the minima, if they did"
EnergyKind = Literal["total", "adsorption"]


class MemberEnergyView(View):
    """One member's energy of a candidate."""

    member: str
    state: State
    energy: float | None = Field(description="bare, as the member predicts it: see `energy_kind`")
    energy_kind: EnergyKind | None = Field(
        description="what the member predicts: total energies, or adsorption energies; null for one that isn't known any more"
    )
    adsorption_energy: float | None = Field(description="per adslab, against `reference`")
    reference: str | None
    scale: str | None = Field(
        description="whose gas molecules `reference` means: energies are averaged where reference and scale are equal"
    )
    fmax: float | None = Field(
        description="largest force by this member on a free atom, eV/Å, at the geometry that the energy is of"
    )
    relaxation_steps: int = Field(
        description="steps that this member relaxed the candidate for before it scored it; 0 where it found it, or where "
        "`ensemble.score_steps` is 0"
    )
    displacement: float | None = Field(
        description="which geometry the energy is of: how far these steps took the atom that went furthest, Å; null: the "
        "candidate's own, `structure`"
    )
    left_minimum: str | None = Field(
        description="how these steps left the candidate's minimum, so that the energy is of the candidate's own geometry"
    )


class ScoreView(View):
    """What the ensemble says."""

    mean: float | None = Field(description="over n members, eV")
    std: float | None = Field(
        description="sample standard deviation (ddof 1) over n members, eV: how far they disagree about this adsorption energy"
    )
    range: float | None = Field(description="max - min over n members, eV")
    relative: float | None = Field(
        description="relative spread: std without what each member says of all candidates alike, eV: how far they disagree about "
        "where it stands among the minima; null where it can't be told"
    )
    n: int
    passes: bool = Field(description="the filter")
    reason: str = Field(description="why it doesn't pass the filter")
    same_as: int | None = Field(description="the candidate that stands for this one's minimum, if another one does")
    verdict: str = Field(description="why it was chosen, or why not")
    missing: list[str] = Field(
        description="members of this selection that have no energy of it; they are left out, not imputed"
    )


class ReferenceEnergyView(View):
    """An adsorption energy that was fed back."""

    id: int
    adsorption_energy: float = Field(description="eV per adslab, against `reference`")
    reference: str
    functional: str
    code: str
    provenance: str
    user: str | None
    created_at: datetime


class StructureView(View):
    """An adslab. Atoms are in the order of the adslab that was submitted; where none was, the slab's come first and the adsorbate's
    last, each in the order given."""

    numbers: list[int]
    positions: list[list[float]] = Field(description="Å [n_atoms, 3]")
    cell: list[list[float]] = Field(description="rows are lattice vectors, Å [3, 3]")
    pbc: list[bool]
    tags: list[int] = Field(description="OC20's [n_atoms]")
    fixed: list[bool]


class CandidateView(View):
    """A relaxed local minimum."""

    id: int
    placement: int = Field(
        description="that it comes from, counted from 0; of structures that were given, the number of its own"
    )
    label: str | None = Field(description="what the structure was called by who gave it; null where a search found it")
    walker: int
    hop: int
    member: str
    site: str
    energy: float = Field(description="bare, by the member that found it: see `energy_kind`")
    energy_kind: EnergyKind | None = Field(description="what the member that found it predicts")
    fmax: float = Field(description="largest force by that member on a free atom, eV/Å")
    converged: bool
    anomalies: list[str]
    duplicate_of: int | None
    energies: list[MemberEnergyView]
    reference_energies: list[ReferenceEnergyView] = Field(description="computed by the lab, the newest first")
    score: ScoreView | None
    structure: StructureView


class MinimumView(CandidateView):
    """A chosen candidate."""

    rank: int = Field(description="0 is the putative global minimum")
    low_confidence: bool
    reason: str


class CandidatePage(View):
    """Candidates in the order they were stored."""

    candidates: list[CandidateView]
    candidates_dropped_at: datetime | None = Field(default=None, description=DROPPED)
    next: str | None


class Minima(Meaning):
    """The minima of a job."""

    minima: list[MinimumView] = Field(description="by rank")
    unit: str = "eV"
    selection: int = Field(default=0, description="by whose rules")
    candidates_dropped_at: datetime | None = Field(default=None, description=DROPPED)


def candidate_view(finding: Finding) -> CandidateView:
    """A stored candidate with all that is known of it."""
    row, score = finding.candidate, finding.score
    return CandidateView(
        id=row.id,
        placement=finding.placement.index,
        label=finding.placement.label,
        walker=row.walker_id,
        hop=row.hop,
        member=row.member,
        site=row.site,
        energy=row.energy,
        energy_kind=_kind(finding, row.member),
        fmax=row.fmax,
        converged=row.converged,
        anomalies=row.anomalies,
        duplicate_of=row.duplicate_of,
        energies=[
            MemberEnergyView(
                member=one.member,
                state=State(one.state),
                energy=one.energy,
                energy_kind=_kind(finding, one.member),
                adsorption_energy=one.adsorption_energy,
                reference=one.reference,
                scale=one.scale,
                fmax=one.fmax,
                relaxation_steps=one.relaxation_steps,
                displacement=one.displacement,
                left_minimum=one.left_minimum,
            )
            for one in finding.energies
        ],
        reference_energies=[
            ReferenceEnergyView(
                id=one.energy.id,
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


def _kind(finding: Finding, member: str) -> EnergyKind | None:
    return cast("EnergyKind | None", finding.kinds.get(member))


def _score_view(score: Score, finding: Finding) -> ScoreView:
    return ScoreView(
        mean=score.mean,
        std=score.std,
        range=score.range,
        relative=score.relative,
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


def minima_view(job: Job, selection: Selection | None, chosen: list[Chosen], *, number: int) -> Minima:
    """The minima of a selection, which is its job's `number`, and what there is to know of all of them."""
    members = () if selection is None else selection.read_rules().members
    found = Minima(
        minima=[minimum_view(one) for one in chosen],
        reference="; ".join(
            sorted({one.stated for entry in chosen for one in entry.finding.energies if one.stated is not None})
        ),
        accuracy=accuracy_of(job, members),
        cautions=job.cautions,
        selection=number,
        candidates_dropped_at=job.candidates_dropped_at,
    )
    if selection is None:
        return found
    told = {name: getattr(selection, name) for name in ("offsets", "offset_spread", "n_offsets")}
    return found.model_copy(update=told)
