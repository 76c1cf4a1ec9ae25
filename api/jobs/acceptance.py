"""Whether a request can be computed: members there, texts read, physics checked. Nothing is stored, and no connection is held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from api.context import Context
from api.jobs.requests import JobRequest
from api.jobs.submission import Interpreted, interpret
from api.jobs.validation import check_submission
from api.members.choice import JobMembers, KnownMember, check_size, members_for
from services.scoring.ensemble import weights_of
from shared.database.repositories import selections
from shared.database.repositories.users import Identity


@dataclass(frozen=True)
class Accepted:
    """A request that a job can be made of."""

    interpreted: Interpreted
    members: JobMembers
    """Those that will be used."""


def accept(request: JobRequest, context: Context, known: Mapping[str, KnownMember]) -> Accepted:
    """What a request means, or a refusal that says what to change. known: the registered members, by name."""
    settings = context.settings
    members = members_for(
        request.parameters,
        known,
        default_search=settings.default_search_members,
        default_score=settings.default_score_members,
    )
    check_size(request.parameters, len(members.search), settings.max_walkers_per_job)
    weights_of([member.name for member in members.score], request.parameters.ensemble.weights)
    interpreted = interpret(request.input, context.parsers, max_atoms=settings.max_atoms)
    check_submission(
        interpreted.submission,
        {member.name: member for group in members for member in group}.values(),
        max_atoms=settings.max_atoms,
        references=request.parameters.references,
        placement=request.parameters.placement,
    )
    return Accepted(interpreted, members)


def calibration_of(session: Session, request: JobRequest, context: Context, caller: Identity) -> int | None:
    """The calibration that the job will choose by, whatever becomes of it meanwhile; None where the limit is a number. Raises
    InvalidInput where a calibrated limit is asked for and there is none: better now than after the search."""
    members = request.parameters.ensemble.score_members or context.settings.default_score_members
    rules = request.parameters.choosing(tuple(dict.fromkeys(members)))
    return selections.limit_of(session, rules, caller).calibration_id
