"""GET /v1/workers: the worker processes."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from api.dependencies import Caller, UseSession
from api.problems import responses
from api.view import View
from shared.database.repositories.workers import fresh_workers
from shared.database.tables import Worker
from shared.states import MemberState

router = APIRouter(prefix="/v1/workers", tags=["workers"])


class Hosted(View):
    """A member in a worker process."""

    member: str
    state: MemberState = Field(
        description="`absent`: loaded when it is needed; `unfit`: can't be loaded, with the reason"
    )
    reason: str
    load_s: float | None = Field(description="s, of the last time it was loaded")
    memory_bytes: int | None = Field(description="memory that it took when it was loaded, its package included")
    batch_atoms: int | None = Field(description="most atoms of one forward; null until a batch didn't fit")
    loads: int
    hits: int = Field(description="times it was needed and resident already")
    evaluations: int = Field(description="structures that it evaluated in this process")


class WorkerView(View):
    """A worker process, as it last reported."""

    name: str
    host: str
    pid: int
    kind: str = Field(description="`cpu` runs placements and selections, `potentials` hosts members")
    device: str
    ready: bool
    reason: str
    memory_bytes: int | None = Field(description="resident main memory of the process")
    started_at: datetime
    heartbeat_at: datetime
    members: list[Hosted]


class Workers(View):
    """The workers with a heartbeat within the last minute."""

    workers: list[WorkerView]


def hosted(worker: Worker) -> list[Hosted]:
    """What a worker says of its members."""
    return [Hosted.model_validate(one) for one in worker.member_states]


@router.get("", responses=responses(401))
def list_workers(caller: Caller, session: UseSession) -> Workers:
    """Who works, on which device, with which members in memory."""
    return Workers(
        workers=[
            WorkerView(
                name=row.name,
                host=row.host,
                pid=row.pid,
                kind=row.kind,
                device=row.device,
                ready=row.ready,
                reason=row.reason,
                memory_bytes=row.memory_bytes,
                started_at=row.started_at,
                heartbeat_at=row.heartbeat_at,
                members=hosted(row),
            )
            for row in fresh_workers(session)
        ]
    )
