"""GET of /v1/jobs/{id}/walkers: who searches from where, how far each came, and why it stopped."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from api.dependencies import Caller, UseSession
from api.jobs import access
from api.jobs.responses import FailureView
from api.problems import responses
from api.view import View
from shared.database.tables import Placement, Walker
from shared.states import State, WalkerEnd

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["results"])


class WalkerLine(View):
    """One minima-hopping run, or the one relaxation of a candidate by a refining member. Its hops are the candidates of its number:
    what diverged left none."""

    id: int
    member: str
    placement: int = Field(description="index of the placement that it starts from")
    site: str = Field(description="of that placement")
    refines: int | None = Field(description="the candidate that it relaxes again; null for a walker that hops")
    state: State
    hops: int = Field(description="made so far, the relaxation of its placement included")
    force_calls: int
    ended_because: WalkerEnd | None = Field(description="null while it goes on, and where it failed or was cancelled")
    failure: FailureView | None


class Walkers(View):
    """All walkers of a job."""

    walkers: list[WalkerLine] = Field(description="by placement, then by member")


@router.get("/walkers", responses=responses(401, 404, 422))
def list_walkers(job_id: UUID, caller: Caller, session: UseSession) -> Walkers:
    """Every walker in one line. Their hops, one by one, are in the overview."""
    job = access.get(session, caller, job_id)
    found = session.execute(
        select(Walker, Placement.index, Placement.site)
        .join(Placement, Placement.id == Walker.placement_id)
        .where(Walker.job_id == job.id)
        .order_by(Placement.index, Walker.member, Walker.id)
    )
    return Walkers(walkers=[_line(walker, index, site) for walker, index, site in found])


def _line(walker: Walker, index: int, site: str) -> WalkerLine:
    failure = None
    if walker.failure_kind is not None:
        failure = FailureView(kind=walker.failure_kind, reason=walker.failure_reason or "")
    return WalkerLine(
        id=walker.id,
        member=walker.member,
        placement=index,
        site=site,
        refines=walker.refines,
        state=State(walker.state),
        hops=walker.hop,
        force_calls=walker.force_calls,
        ended_because=None if walker.ended_because is None else WalkerEnd(walker.ended_because),
        failure=failure,
    )
