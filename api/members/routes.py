"""GET /v1/models: the members of the ensemble."""

from __future__ import annotations

from ase.data import chemical_symbols
from fastapi import APIRouter
from pydantic import Field
from sqlalchemy.orm import Session

from api.dependencies import Caller, UseContext, UseSession
from api.members import fleet
from api.problems import responses
from api.view import View
from api.workers.routes import Hosted, hosted
from shared.cautions import Caution
from shared.database.repositories.workers import fresh_workers
from shared.scales import Scale, usual

router = APIRouter(prefix="/v1/models", tags=["models"])


class Host(Hosted):
    """A worker process that hosts the member."""

    worker: str
    device: str


class ModelView(View):
    """A member."""

    name: str
    family: str
    version: str = Field(description="empty until a worker has loaded it")
    sha256: str = Field(description="of its checkpoint")
    energy_kind: str = Field(description="what its energy means: `total` or `adsorption`")
    elements: list[str]
    cutoff: float | None = Field(description="Å; null until a worker has loaded it")
    trained_on: str
    license: str
    scale: Scale = Field(description="whose gas molecules its adsorption energies are relative to")
    cautions: list[Caution] = Field(description="what is known to be wrong with it, and on which systems")
    workers: int = Field(description="ready workers that host it now")
    default_search: bool
    default_score: bool
    hosts: list[Host]


class Models(View):
    """All members that workers have registered."""

    models: list[ModelView]


@router.get("", responses=responses(401))
def list_models(caller: Caller, session: UseSession, context: UseContext) -> Models:
    """The members that jobs may name, and whether a worker hosts them now."""
    ready = fleet.fleet(session).members
    hosts = _hosts(session)
    settings = context.settings
    return Models(
        models=[
            ModelView(
                name=row.name,
                family=row.family,
                version=row.version,
                sha256=row.sha256,
                energy_kind=row.energy_kind,
                elements=[chemical_symbols[number] for number in sorted(row.elements)],
                cutoff=row.cutoff,
                trained_on=row.trained_on,
                license=row.license,
                scale=usual(row.energy_kind) if row.scale is None else Scale.model_validate(row.scale),
                cautions=[Caution.model_validate(one) for one in row.cautions],
                workers=ready.get(row.name, 0),
                default_search=row.name in settings.default_search_members,
                default_score=row.name in settings.default_score_members,
                hosts=hosts.get(row.name, []),
            )
            for row in fleet.registered_members(session)
        ]
    )


def _hosts(session: Session) -> dict[str, list[Host]]:
    """By member, the workers that host it."""
    found: dict[str, list[Host]] = {}
    for worker in fresh_workers(session):
        for one in hosted(worker):
            host = Host(**one.model_dump(), worker=worker.name, device=worker.device)
            found.setdefault(one.member, []).append(host)
    return found
