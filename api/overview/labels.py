"""GET /v1/labels: what labs computed, beside what the members say: the points that calibrations are learned from."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated
from uuid import UUID

import numpy as np
from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from api.dependencies import Caller, UseSnapshot
from api.jobs import access
from api.problems import responses
from api.view import View
from services.scoring.ensemble import summarise
from shared.database.repositories import labels
from shared.database.repositories.members import scale_of
from shared.database.repositories.users import Identity
from shared.database.tables import Candidate, Job
from shared.errors import InvalidInput
from shared.parameters import Functional, MemberName

router = APIRouter(prefix="/v1/labels", tags=["calibrations"])

Members = Annotated[list[MemberName], Query(min_length=2, max_length=10, description="whose energies to compare with")]
MOST_POINTS = 3000


class LabelPoint(View):
    """A candidate with a reference energy that all of these members scored. Energies in eV per adslab."""

    candidate: int
    job: UUID
    job_name: str
    site: str
    label: float = Field(description="the newest reference energy of this functional")
    code: str
    mean: float = Field(description="of the members")
    std: float = Field(description="of the members, sample standard deviation")


class Labels(View):
    """What may be learned from."""

    members: list[str]
    functional: str
    scale: str = Field(description="of the members' energies")
    points: list[LabelPoint] = Field(description=f"of jobs that you may read, the newest {MOST_POINTS} at most")
    n: int = Field(description="candidates that a calibration would be learned from, those of others' jobs included")
    systems: int = Field(description="jobs that these candidates are of")
    mean_error: float | None = Field(description="mean of the absolute error of the members' mean, eV, of all of these")


@router.get("", responses=responses(401, 422))
def list_labels(caller: Caller, session: UseSnapshot, member: Members, functional: Functional = "RPBE") -> Labels:
    """Reference energies beside the members' mean and spread, where these can be compared. Points are of jobs that you may read; the
    counts are of everybody's, as a calibration is learned from these."""
    members, scale = comparable(session, member)
    found = labels.labelled(session, members, functional, scale)
    summaries = summarise(found.energies)
    full = np.flatnonzero(summaries.n == len(members)).tolist()
    errors = np.abs(summaries.mean - found.references)[full]
    told = _readable(session, caller, [found.candidates[index] for index in full])
    shown = [index for index in full if found.candidates[index] in told][-MOST_POINTS:]
    return Labels(
        members=members,
        functional=functional,
        scale=scale,
        points=[
            LabelPoint(
                candidate=(key := found.candidates[index]),
                job=found.systems[index],
                job_name=told[key][0],
                site=told[key][1],
                label=float(found.references[index]),
                code=found.codes[index],
                mean=float(summaries.mean[index]),
                std=float(summaries.std[index]),
            )
            for index in shown
        ],
        n=len(full),
        systems=len({found.systems[index] for index in full}),
        mean_error=float(errors.mean()) if len(errors) else None,
    )


def comparable(session: Session, named: Collection[str]) -> tuple[list[str], str]:
    """These members, each once, and the scale of all. Raises InvalidInput where they have no spread, or none that means anything."""
    members = sorted(set(named))
    scale = scale_of(session, members) if len(members) > 1 else ""
    if not scale:
        what = "are on unlike scales" if len(members) > 1 else "is one member alone, which has no spread"
        raise InvalidInput(f"{', '.join(members)} {what}: name two at least of one scale", field="member")
    return members, scale


def _readable(session: Session, caller: Identity, candidates: Collection[int]) -> dict[int, tuple[str, str]]:
    """The name of the job and the site of each of these candidates whose job the caller may read."""
    query = select(Candidate.id, Job.name, Candidate.site).join(Job).where(Candidate.id.in_(candidates))
    return {key: (name, site) for key, name, site in session.execute(query.where(access.visible(caller)))}
