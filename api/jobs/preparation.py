"""From an accepted request to the job that is stored."""

from __future__ import annotations

from collections.abc import Mapping

from api.context import Context
from api.jobs import limits
from api.jobs.acceptance import accept
from api.jobs.repository import NewJob
from api.jobs.requests import JobRequest
from api.members.choice import KnownMember


def prepare(
    request: JobRequest,
    context: Context,
    known: Mapping[str, KnownMember],
    calibration_id: int | None,
    idempotency_key: str | None,
) -> NewJob:
    """The job to store, or a refusal that says what to change. No database connection is held here."""
    accepted = accept(request, context, known)
    interpreted, members = accepted.interpreted, accepted.members
    n_atoms = limits.likely_atoms(interpreted.submission)
    cost = accepted.cost(n_atoms, None)
    return NewJob(
        name=request.name or f"{interpreted.adsorbate} on {interpreted.surface}",
        adsorbate=interpreted.adsorbate,
        surface=interpreted.surface,
        submission=interpreted.submission.model_dump(mode="json"),
        parameters=accepted.parameters.model_dump(mode="json"),
        search_members=[member.name for member in members.search],
        refine_members=[member.name for member in members.refine],
        score_members=[member.name for member in members.score],
        calibration_id=calibration_id,
        estimated_force_calls=cost.force_calls,
        stored_bytes=limits.estimated_bytes(cost, n_atoms, len(members.score)),
        priority=request.priority,
        idempotency_key=idempotency_key,
        request_digest=request.digest,
        warnings=accepted.warnings,
        scales={name: scale.document() for name, scale in accepted.scales.items()},
        cautions=list(accepted.cautions),
        given=interpreted.given,
        group=request.group,
    )
