"""POST of /v1/systems, and GET of a job's system: what was understood, without queueing anything."""

from __future__ import annotations

from io import StringIO
from typing import Annotated, Literal
from uuid import UUID

from ase.io.extxyz import write_extxyz
from fastapi import APIRouter, Query, Response
from fastapi.responses import PlainTextResponse

from api.context import Context
from api.dependencies import Caller, Submitter, UseContext
from api.jobs import access
from api.jobs.acceptance import accept, calibration_of
from api.jobs.estimate import cost_of
from api.jobs.file_names import attachment, stem
from api.jobs.requests import JobRequest
from api.members.fleet import known_members
from api.placing.pool import PlacedView
from api.problems import BODY, responses
from api.results.extxyz import MEDIA_TYPE
from api.systems import queries
from api.systems.responses import SystemView
from api.systems.views import SUBMISSION, Subject, document, frames, system_view
from shared import scales
from shared.references import EnergyKind

router = APIRouter(prefix="/v1", tags=["systems"])

PICTURE = "image/png"
Format = Annotated[
    Literal["json", "extxyz", "png"],
    Query(description="JSON; extended XYZ, the clean slab and then the placements; or a picture"),
]
_ANSWERS = {
    "content": {MEDIA_TYPE: {}, PICTURE: {"schema": {"type": "string", "format": "binary"}}},
    "description": "What was understood",
}


@router.post(
    "/systems",
    response_model=SystemView,
    responses={200: _ANSWERS, **responses(*BODY, 401, 403, 422)},
)
def show_system(
    request: JobRequest, caller: Submitter, context: UseContext, format: Format = "json"
) -> SystemView | Response:
    """What a job of this body would compute, and what it is likely to cost; refused as the job would be. Nothing is queued or
    stored. `name` and `priority` may be there and change nothing."""
    with context.sessions.begin() as session:
        known = known_members(session)
        calibration_of(session, request, context, caller)
    accepted = accept(request, context, known)
    interpreted, members = accepted.interpreted, accepted.members
    subject = Subject(
        submission=interpreted.submission,
        parameters=accepted.parameters,
        surface=interpreted.surface,
        search=[member.name for member in members.search],
        refine=[member.name for member in members.refine],
        score=[member.name for member in members.score],
        kinds={member.name: member.energy_kind for member in known.values()},
        scales=accepted.scales,
        warnings=accepted.warnings,
        cautions=accepted.cautions,
    )
    return _shown(subject, context, format, [])


@router.get(
    "/jobs/{job_id}/system",
    response_model=SystemView,
    responses={200: _ANSWERS, **responses(401, 404, 422)},
)
def get_system(job_id: UUID, caller: Caller, context: UseContext, format: Format = "json") -> SystemView | Response:
    """What was understood of a job: the placements that it stored, or, before that, those that it will get."""
    with context.sessions.begin() as session:
        job = access.get(session, caller, job_id)
        kinds = {member.name: member.energy_kind for member in known_members(session).values()}
        subject = Subject(
            submission=SUBMISSION.validate_python(job.submission),
            parameters=job.read_parameters(),
            surface=job.surface,
            search=job.search_members,
            refine=job.refine_members,
            score=job.score_members,
            kinds=kinds,
            scales={
                name: scales.read(job.scales, name, kinds.get(name, EnergyKind.TOTAL)) for name in job.score_members
            },
            warnings=job.warnings,
            cautions=job.cautions,
            job=job.id,
        )
        stored = queries.stored_placements(session, job.id)
        name = f"{stem(job.name, job.id)}-system"
    return _shown(subject, context, format, stored, name)


def _shown(
    subject: Subject, context: Context, format: str, stored: list[PlacedView], name: str = "system"
) -> SystemView | Response:
    """No database connection is held while the science works. name: of a file of it."""
    parameters = subject.parameters.model_dump(mode="json")
    understood = context.placers.understood(document(subject.submission), parameters, stored, drawn=format == "png")
    if understood.picture is not None:
        return Response(understood.picture, media_type=PICTURE)
    if format == "extxyz":
        written = StringIO()
        write_extxyz(written, frames(subject, understood))
        return PlainTextResponse(written.getvalue(), media_type=MEDIA_TYPE, headers=attachment(f"{name}.extxyz"))
    with context.sessions.begin() as session:
        speed = queries.speed(session, subject.search)
    n_atoms = len(understood.slab) + len(understood.adsorbate.numbers)
    members = len(subject.search), len(subject.score)
    cost = cost_of(subject.submission, subject.parameters, len(understood.placements), *members, n_atoms, speed)
    return system_view(subject, understood, cost, stored=bool(stored))
