"""Whether a request can be computed: members there, texts read, physics checked. Nothing is stored, and no connection is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from api.context import Context
from api.jobs import scoring_only
from api.jobs.estimate import Cost, cost_of
from api.jobs.referenced import adsorbate_numbers, cautions_of, check_one_scale
from api.jobs.requests import JobRequest
from api.jobs.submission import Interpreted, interpret
from api.jobs.validation import check_submission
from api.members.choice import JobMembers, KnownMember, check_size, members_for
from services.scoring.ensemble import weights_of
from shared.database.repositories import selections
from shared.database.repositories.members import scale_of
from shared.database.repositories.users import Identity
from shared.parameters import CALIBRATED, JobParameters, ScaleChoice
from shared.scales import Scale
from shared.submissions import Relax


@dataclass(frozen=True)
class Accepted:
    """A request that a job can be made of."""

    interpreted: Interpreted
    parameters: JobParameters
    """As the job goes by them."""
    members: JobMembers
    """Those that will be used."""
    scales: Mapping[str, Scale]
    """Of those that score, by name."""
    cautions: Sequence[str]
    """What is known to be wrong with its members on its system; for people."""
    notes: Sequence[str] = ()
    """What of its parameters is not used."""

    def cost(self, n_atoms: int, speed: float | None) -> Cost:
        """That is likely. n_atoms: of the adslab. speed: as `api.jobs.estimate.cost_of` has it."""
        n_search, n_score = len(self.members.search), len(self.members.score)
        n_placements = self.parameters.placement.count
        return cost_of(self.interpreted.submission, self.parameters, n_placements, n_search, n_score, n_atoms, speed)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was ignored, simplified or decided, and what is to be minded."""
        return (*self.interpreted.warnings, *self.notes, *self.cautions)


def accept(request: JobRequest, context: Context, known: Mapping[str, KnownMember]) -> Accepted:
    """What a request means, or a refusal that says what to change. known: the registered members, by name."""
    settings = context.settings
    relax = scoring_only.relaxed_by(request)
    if relax is not None:
        scoring_only.check_members(request, relax)
    members = members_for(
        request.parameters,
        known,
        default_search=settings.default_search_members if relax in (None, Relax.SEARCH) else (),
        default_score=settings.default_score_members,
    )
    if relax is None:
        check_size(request.parameters, len(members.search), settings.max_walkers_per_job)
    else:
        members = scoring_only.members(members, relax)
    weights_of([member.name for member in members.score], request.parameters.ensemble.weights)
    interpreted = interpret(request.input, context.parsers, max_atoms=settings.max_atoms)
    if interpreted.given is not None:
        scoring_only.check_count(len(interpreted.given), settings.max_structures_per_job)
        scoring_only.check_one_slab(members, interpreted.submission)
    check_submission(
        interpreted.submission,
        {member.name: member for group in members for member in group}.values(),
        max_atoms=settings.max_atoms,
        references=request.parameters.references,
        placement=request.parameters.placement,
        given=interpreted.given,
    )
    scales = members.scales(request.parameters.ensemble.scale)
    check_one_scale(adsorbate_numbers(interpreted.submission), scales, request.parameters.references)
    cautions = cautions_of(interpreted.submission, members.cautions)
    if relax is None:
        return Accepted(interpreted, request.parameters, members, scales, cautions)
    notes = scoring_only.notes(request.parameters)
    return Accepted(interpreted, scoring_only.parameters(request.parameters), members, scales, cautions, notes)


def calibration_of(session: Session, request: JobRequest, context: Context, caller: Identity) -> int | None:
    """The calibration that the job will choose by, whatever becomes of it meanwhile; None where the limit is a number. Raises
    InvalidInput where a calibrated limit is asked for and there is none: better now than after the search."""
    ensemble = request.parameters.ensemble
    rules = request.parameters.choosing(
        tuple(dict.fromkeys(ensemble.score_members or context.settings.default_score_members))
    )
    if rules.limit != CALIBRATED:
        return None
    kept = None if ensemble.scale is ScaleChoice.MEMBER else dict[str, Any]()
    return selections.limit_of(session, rules, caller, scale_of(session, rules.members, kept)).calibration_id
