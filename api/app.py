"""The application: routes, errors, limits, and what it holds while it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI

from api import docs_page, problems
from api.adsorbates.routes import router as adsorbates_router
from api.attempts.routes import router as attempts_router
from api.audit.routes import router as audit_router
from api.calibrations.routes import router as calibrations_router
from api.context import opened
from api.dft.routes import router as dft_router
from api.door.door import Door
from api.events.broadcast import Broadcast
from api.events.routes import router as events_router
from api.groups.routes import router as groups_router
from api.headers import UsualHeaders
from api.health.routes import router as health_router
from api.jobs.places import fields_at
from api.jobs.requests import dotted
from api.jobs.routes import router as jobs_router
from api.me.routes import router as me_router
from api.members.routes import router as members_router
from api.metrics.routes import router as metrics_router
from api.overview.labels import router as labels_router
from api.overview.load import router as load_router
from api.overview.routes import router as overview_router
from api.overview.unlabelled import router as unlabelled_router
from api.overview.walkers import router as walkers_router
from api.page import files as page_files
from api.page.routes import router as page_router
from api.references.routes import router as references_router
from api.request_log import RequestLog
from api.results.routes import router as results_router
from api.selections.preview import router as preview_router
from api.selections.routes import router as selections_router
from api.systems.routes import router as systems_router
from api.usage.routes import router as usage_router
from api.users.key_routes import router as user_keys_router
from api.users.routes import router as users_router
from api.workers.routes import router as workers_router
from shared.settings import Settings

VERSION = "0.1.0"
_DESCRIPTION = """
Adsorption energies by constrained minima hopping with an ensemble of machine-learned potentials.

Post a job (an adsorbate and a surface), follow it, read the lowest minima. Energies are in eV per adslab, lengths in Å,
forces in eV/Å; the reference of an adsorption energy stands next to it. Errors are problem documents (RFC 9457).
Every route under /v1 needs an API key as `Authorization: Bearer <key>`.
"""


def create_app(settings: Settings, leaving: Callable[[], bool] = lambda: False) -> FastAPI:
    """An app on these settings. It starts without PostgreSQL and broker, and says so at /readyz. leaving: whether its server was told
    to stop, and waits for answers to end."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with opened(settings) as context:
            app.state.context = context
            app.state.broadcast = Broadcast(context.sessions, leaving)
            yield

    app = FastAPI(
        title="Adhop",
        version=VERSION,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=problems.responses(HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE),
    )
    problems.install(app, dotted, fields_at)
    docs_page.install(app)
    page_files.install(app)
    app.add_middleware(Door, settings=settings)
    app.add_middleware(UsualHeaders)
    app.add_middleware(RequestLog)  # outermost: refusals at the door have an id too
    for router in (
        jobs_router,
        attempts_router,
        results_router,
        overview_router,
        walkers_router,
        load_router,
        labels_router,
        unlabelled_router,
        systems_router,
        adsorbates_router,
        selections_router,
        preview_router,
        dft_router,
        calibrations_router,
        references_router,
        me_router,
        page_router,
        events_router,
        users_router,
        user_keys_router,
        groups_router,
        usage_router,
        audit_router,
        members_router,
        workers_router,
        health_router,
        metrics_router,
    ):
        app.include_router(router)
    return app
