"""GET /v1/labels/next: which minima to compute next, where an energy of one's own would tell most.

Query by committee (Seung, Opper & Sompolinsky, Proc. COLT 1992, 287, doi:10.1145/130385.130417): the members are the committee, and
what they disagree on most is asked first. Only of chosen minima, for nobody uses the energies of others, and one of each job, for the
minima of one job are off together.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import Select, exists, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from api.dependencies import Caller, UseSnapshot
from api.jobs import access
from api.overview.labels import Members, comparable
from api.problems import responses
from api.view import View
from shared.database.repositories.users import Identity
from shared.database.tables import Candidate, Job, MemberEnergy, Minimum, ReferenceEnergy, Selection
from shared.parameters import Functional
from shared.states import State

router = APIRouter(prefix="/v1/labels", tags=["calibrations"])

_NEWEST = 2000
"""Jobs that are looked at."""


class Unlabelled(View):
    """A chosen minimum without a reference energy, scored by all of these members. Energies in eV per adslab."""

    candidate: int
    job: UUID
    job_name: str
    site: str
    rank: int = Field(description="among the minima that the job chose itself; 0 is the lowest")
    mean: float = Field(description="of the members")
    std: float = Field(description="of the members, sample standard deviation")


class Next(View):
    """What to compute next, the most telling first."""

    members: list[str]
    functional: str
    minima: list[Unlabelled] = Field(description="one of each job that you may read")


@router.get("/next", responses=responses(401, 422))
def list_next(
    caller: Caller,
    session: UseSnapshot,
    member: Members,
    functional: Functional = "RPBE",
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
) -> Next:
    """Chosen minima that have no reference energy of this functional yet: of each of your newest jobs the one that the members
    disagree on most, in the order of their standard deviation."""
    members, _ = comparable(session, member)
    rows = session.execute(_disputed(caller, members, functional, limit))
    return Next(members=members, functional=functional, minima=[Unlabelled(**row._mapping) for row in rows])


def _disputed(caller: Identity, members: list[str], functional: str, limit: int) -> Select[tuple[int]]:
    mine = (
        select(Job.id, Job.name)
        .where(Job.deleted_at.is_(None), Job.state == State.SUCCEEDED, access.visible(caller))
        .order_by(Job.created_at.desc(), Job.id.desc())
        .limit(_NEWEST)
        .cte("mine")
    )
    spread = func.stddev_samp(MemberEnergy.adsorption_energy)
    each = (
        select(
            Candidate.id.label("candidate"), mine.c.id.label("job"), mine.c.name.label("job_name"), Candidate.site,
            Minimum.rank, func.avg(MemberEnergy.adsorption_energy).label("mean"), spread.label("std"),
        )
        .select_from(mine)
        .join(Selection, (Selection.job_id == mine.c.id) & (Selection.number == 0))
        .join(Minimum, Minimum.selection_id == Selection.id)
        .join(Candidate, Candidate.id == Minimum.candidate_id)
        .join(MemberEnergy, MemberEnergy.candidate_id == Candidate.id)
        .where(MemberEnergy.member.in_(members), MemberEnergy.state == State.SUCCEEDED)
        .where(~exists().where(ReferenceEnergy.candidate_id == Candidate.id, ReferenceEnergy.functional == functional))
        .group_by(Candidate.id, mine.c.id, mine.c.name, Minimum.rank)
        .having(func.count() == len(members), func.count(MemberEnergy.stated.distinct()) == 1)
        .ext(distinct_on(mine.c.id))
        .order_by(mine.c.id, spread.desc(), Candidate.id)
        .subquery()
    )  # fmt: skip
    return select(each).order_by(each.c.std.desc(), each.c.candidate).limit(limit)
