"""GET /healthz and /readyz, without a key."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response

from api.dependencies import UseContext
from api.health.checks import Check, checks
from api.view import View

router = APIRouter(tags=["health"])


class Alive(View):
    """This process answers."""

    status: Literal["alive"] = "alive"


class Readiness(View):
    """Whether a job submitted now would be worked on."""

    ready: bool
    checks: list[Check]


@router.get("/healthz")
async def healthz() -> Alive:
    """The process is alive; asks nobody else."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Readiness, "description": "Something is missing"}})
def readyz(context: UseContext, response: Response) -> Readiness:
    """Whether PostgreSQL, the broker and the workers are there; 503 with the reasons where something is missing."""
    found = list(checks(context))
    ready = all(check.ok for check in found)
    response.status_code = 200 if ready else 503
    return Readiness(ready=ready, checks=found)
