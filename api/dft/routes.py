"""GET of DFT inputs; POST, GET and DELETE of reference energies."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field
from sqlalchemy.orm import Session

from api.dependencies import Caller, Submitter, UseActor, UseContext, UseSession, UseSnapshot
from api.dft.requests import ReferenceEnergyRequest
from api.jobs import access
from api.jobs.file_names import attachment, stem
from api.problems import BODY, responses
from api.results import queries as results
from api.results.responses import ReferenceEnergyView, candidate_view
from api.results.routes import SelectionNumber
from api.view import View
from services.scoring import handoff, references
from shared.database.repositories import labels, selections
from shared.database.repositories.audit import record
from shared.database.repositories.references import clean_slab
from shared.database.repositories.users import Identity, lock_user
from shared.database.tables import Candidate, Job, ReferenceEnergy
from shared.database.workflow import transitions
from shared.errors import Conflict, InvalidInput, NotFound
from shared.references import GAS
from shared.structures import Structure
from shared.submissions import slab_as_given

router = APIRouter(tags=["reference energies"])

CandidateId = Annotated[int, Path(ge=1, lt=2**63)]
LabelNumber = Annotated[int, Path(ge=1, lt=2**63)]
Judge = Callable[[Session, Identity, UUID], Job]
_EPOCH = (1980, 1, 1, 0, 0, 0)


class ReferenceEnergies(View):
    """What was fed back for a candidate."""

    reference_energies: list[ReferenceEnergyView] = Field(description="the newest first")


@router.get(
    "/v1/jobs/{job_id}/dft-inputs",
    response_class=Response,
    responses={200: {"content": {"application/zip": {}}, "description": "A zip"}, **responses(401, 404, 409, 422)},
)
def dft_inputs(
    job_id: UUID,
    caller: Caller,
    session: UseSnapshot,
    code: Annotated[handoff.Code, Query(description="vasp, espresso, or structures alone")] = handoff.Code.VASP,
    selection: SelectionNumber = 0,
) -> Response:
    """The chosen minima, the clean slab and the gas molecules as inputs with OC20's settings. No pseudopotentials."""
    job = access.get(session, caller, job_id)
    chosen = results.minima(session, selections.find(session, job.id, selection))
    if not chosen:
        raise Conflict(f"job {job.id} has no minima to hand over: it is {job.state}")
    pieces = [
        handoff.Piece(f"rank{one.minimum.rank}-candidate{one.finding.candidate.id}", one.finding.structure)
        for one in chosen
    ]
    lowest = chosen[0].finding
    pieces.append(handoff.Piece("slab", clean_slab(session, job.id, lowest.candidate.member), relaxed=True))
    counts = _coefficients(job, lowest.structure)
    x, y, z = (bool(periodic) for periodic in lowest.structure.pbc)
    pieces += [
        handoff.Piece(f"gas-{name}", references.gas_start(name, (x, y, z)), periodic=False, relaxed=True)
        for name in counts
        if name in GAS
    ]
    packed = _zip(handoff.inputs(pieces, code, counts))
    saved = attachment(f"{stem(job.name, job.id)}-{code}.zip")
    return Response(packed, media_type="application/zip", headers=saved)


@router.post(
    "/v1/candidates/{candidate_id}/reference-energies",
    status_code=201,
    responses=responses(*BODY, 401, 403, 404, 409, 422),
)
def feed_back(
    candidate_id: CandidateId,
    request: ReferenceEnergyRequest,
    caller: Submitter,
    actor: UseActor,
    context: UseContext,
    session: UseSession,
) -> ReferenceEnergyView:
    """Store an energy that you computed for a candidate, beside those of the members. The newest one of a functional counts; none is
    overwritten, and 409 says where as many are kept as may be."""
    lock_user(session, caller.user_id)
    candidate, job = _candidate(session, caller, candidate_id, access.hold_own)
    structure = results.one(session, candidate).structure
    counts = _coefficients(job, structure)
    row = ReferenceEnergy(
        candidate_id=candidate.id,
        adsorption_energy=_adsorption_energy(request, counts),
        reference=references.statement(counts, slab_as_given=slab_as_given(job.submission)),
        functional=request.functional,
        code=request.code,
        provenance=request.provenance,
        user_id=caller.user_id,
    )
    settings = context.settings
    most = labels.Most(settings.max_labels_per_candidate, settings.max_labels_per_user)
    labels.feed_back(session, row, caller.user_id, most)
    detail = {"candidate": candidate.id, "functional": request.functional, "code": request.code}
    record(session, actor, "labels.add", job_id=job.id, owner_id=job.user_id, subject=job.name, detail=detail)
    job.measured_at = None  # it stores more now
    return _views(session, candidate)[0]


@router.get("/v1/candidates/{candidate_id}/reference-energies", responses=responses(401, 404, 422))
def list_fed_back(candidate_id: CandidateId, caller: Caller, session: UseSnapshot) -> ReferenceEnergies:
    """What was fed back for a candidate."""
    candidate, _ = _candidate(session, caller, candidate_id, access.get)
    return ReferenceEnergies(reference_energies=_views(session, candidate))


@router.delete(
    "/v1/candidates/{candidate_id}/reference-energies/{number}",
    status_code=204,
    responses=responses(401, 403, 404, 422),
)
def delete_fed_back(
    candidate_id: CandidateId, number: LabelNumber, caller: Submitter, actor: UseActor, session: UseSession
) -> None:
    """Delete a reference energy; the newest that is left of its functional counts then. What was learned from it stays as it is, and
    says how many of its energies are gone."""
    candidate, job = _candidate(session, caller, candidate_id, _hold)
    labels.delete(session, job, candidate.id, number, caller)
    detail = {"candidate": candidate.id, "reference_energy": number}
    record(session, actor, "labels.delete", job_id=job.id, owner_id=job.user_id, subject=job.name, detail=detail)
    job.measured_at = None


def _hold(session: Session, caller: Identity, job_id: UUID) -> Job:
    """A job that this user may read, which nobody deletes meanwhile."""
    return access.readable(session, transitions.lock_job(session, job_id), caller, job_id)


def _candidate(session: Session, caller: Caller, candidate_id: int, judge: Judge) -> tuple[Candidate, Job]:
    """A candidate of a job that the judge lets this user have; NotFound in the same words for one of another's."""
    candidate, job = labels.candidate(session, candidate_id)
    try:
        judge(session, caller, job.id)
    except NotFound:
        raise NotFound(f"there is no candidate {candidate_id}") from None
    return candidate, job


def _coefficients(job: Job, structure: Structure) -> dict[str, float]:
    own = job.read_parameters().references
    return references.coefficients(structure.numbers[structure.adsorbate].tolist(), own)


def _adsorption_energy(request: ReferenceEnergyRequest, counts: dict[str, float]) -> float:
    if request.adsorption_energy is not None:
        return request.adsorption_energy
    assert request.totals is not None  # one of them is there: the request was validated
    missing = sorted(counts.keys() - request.totals.gas.keys())
    if missing:
        raise InvalidInput(
            f"the reference is {references.statement(counts)}: give the total energy of {', '.join(missing)} too",
            field="totals.gas",
        )
    return references.adsorption_energy(request.totals.adslab, request.totals.slab, request.totals.gas, counts)


def _views(session: Session, candidate: Candidate) -> list[ReferenceEnergyView]:
    return candidate_view(results.one(session, candidate)).reference_energies


def _zip(files: dict[str, str]) -> bytes:
    """The same bytes for the same texts."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, _EPOCH), text, zipfile.ZIP_DEFLATED)
    return packed.getvalue()
