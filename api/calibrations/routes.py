"""Calibrations: learned by whoever may submit, for themselves; put in force for all, and taken out of it, by administrators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Path, Query
from sqlalchemy.orm import Session

from api.calibrations.requests import CalibrationRequest
from api.calibrations.responses import CalibrationList, CalibrationView, views
from api.dependencies import Caller, Submitter, UseActor, UseContext, UseSession
from api.problems import BODY, responses
from services.scoring import selection
from services.scoring.ensemble import summarise
from shared.database.repositories import calibrations, labels, selections
from shared.database.repositories.audit import record
from shared.database.repositories.calibrations import NewCalibration, Standing
from shared.database.repositories.members import scale_of
from shared.database.repositories.users import Identity
from shared.database.tables import Calibration
from shared.errors import Forbidden, InvalidInput
from shared.parameters import Spread
from shared.structures import Floats, Integers

router = APIRouter(prefix="/v1/calibrations", tags=["calibrations"])

Number = Annotated[int, Path(ge=1, lt=2**63)]
_FORBIDDEN = (
    "only administrators (keys with the role admin) publish and withdraw calibrations: tell one of them the number"
)


@router.post("", status_code=201, responses=responses(*BODY, 401, 403, 409, 422))
def learn(request: CalibrationRequest, caller: Submitter, actor: UseActor, context: UseContext) -> CalibrationView:
    """Learn the limit of the spread that reaches the target, from every candidate with a reference energy of this functional that all
    of these members scored. It is your own proposal: you may choose by it, by its number, and nobody else gets it before an
    administrator publishes it. Asked again of the same energies, it is the same proposal."""
    most = context.settings.max_calibrations_per_user
    with context.sessions.begin() as session:
        pairs = _pairs(session, request)
        same = calibrations.find_proposal(session, caller.user_id, pairs.new)
        if same is not None:
            return _view(session, same, caller)
        calibrations.check_room(session, caller.user_id, most)  # before the work, and again when it is stored
    report = context.learners.learn(  # seconds: no connection is held meanwhile
        pairs.spreads, pairs.errors, pairs.systems, share=request.target_share, error=request.target_error
    )
    new = replace(pairs.new, limit=report["limit"], report=report)
    with context.sessions.begin() as session:
        row, made = calibrations.propose(session, new, caller.user_id, most=most)
        if made:
            record(session, actor, "calibration.propose", subject=_subject(row))
        return _view(session, row, caller)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """What is learned from."""

    spreads: Floats
    """eV [n]."""
    errors: Floats
    """eV [n]."""
    systems: Integers
    """Which one each is of [n]."""
    new: NewCalibration
    """Without what is learned yet."""


def _pairs(session: Session, request: CalibrationRequest) -> _Pairs:
    members = sorted(set(request.members))
    scale = scale_of(session, members)
    if not scale:
        raise InvalidInput(
            f"{', '.join(members)} are on unlike scales (GET /v1/models has them): such energies are never averaged",
            field="members",
        )
    found = labels.labelled(session, members, request.functional, scale)
    summaries = summarise(found.energies)
    spreads = (
        _relative(session, members, found) if request.spread is Spread.RELATIVE else summaries.spread(request.spread)
    )
    full = np.flatnonzero((summaries.n == len(members)) & np.isfinite(spreads))
    number = {job: index for index, job in enumerate(dict.fromkeys(found.systems))}
    return _Pairs(
        spreads=spreads[full],
        errors=np.abs(summaries.mean - found.references)[full],
        systems=np.array([number[job] for job in found.systems], dtype=np.int64)[full],
        new=NewCalibration(
            members=members,
            functional=request.functional,
            spread=request.spread,
            scale=scale,
            limit=None,
            report={"target": {"share": request.target_share, "error": request.target_error}},
            label_ids=[found.ids[index] for index in full.tolist()],
            sources=found.sources(full.tolist()),
        ),
    )


def _relative(session: Session, members: Sequence[str], found: labels.Labelled) -> Floats:
    """Relative spreads of labelled candidates, eV [n], taken among all candidates of their jobs as a choice takes them."""
    spreads = dict[int, float]()
    for job_id in dict.fromkeys(found.systems):
        pool = selections.pool(session, job_id, members)
        offsets = selection.offsets_of(pool, summarise(pool.energies).mean)
        spreads |= zip(pool.keys.tolist(), offsets.relative.tolist(), strict=True)
    return np.array([spreads[candidate] for candidate in found.candidates], dtype=np.float64)


@router.get("", responses=responses(401, 422))
def list_calibrations(
    caller: Caller,
    session: UseSession,
    state: Annotated[Standing | None, Query(description="only these")] = None,
) -> CalibrationList:
    """Calibrations that are or were in force, and your own proposals; an administrator sees everybody's."""
    rows = calibrations.every(session, caller, state=state)
    return CalibrationList(calibrations=views(session, rows, caller))


@router.get("/{number}", responses=responses(401, 404, 422))
def get_calibration(number: Number, caller: Caller, session: UseSession) -> CalibrationView:
    """One calibration."""
    return _view(session, calibrations.get(session, number, caller), caller)


@router.post("/{number}/publish", responses=responses(401, 403, 404, 409, 422))
def publish_calibration(number: Number, caller: Caller, actor: UseActor, session: UseSession) -> CalibrationView:
    """Put a calibration in force: jobs and selections that ask for `limit: calibrated` from now on get it. The one that was, of the
    same members, functional, spread and scale, is withdrawn; jobs submitted under it choose by it still."""
    _check_administrator(session, number, caller)
    row = calibrations.publish(session, number, caller.user_id)
    record(session, actor, "calibration.publish", owner_id=row.user_id, subject=_subject(row))
    return _view(session, row, caller)


@router.post("/{number}/withdraw", responses=responses(401, 403, 404, 409, 422))
def withdraw_calibration(number: Number, caller: Caller, actor: UseActor, session: UseSession) -> CalibrationView:
    """Take a calibration out of force, and put none in its place. What was chosen by it stays, and jobs submitted under it choose by
    it still; it may be published again."""
    _check_administrator(session, number, caller)
    row = calibrations.withdraw(session, number, caller.user_id)
    record(session, actor, "calibration.withdraw", owner_id=row.user_id, subject=_subject(row))
    return _view(session, row, caller)


@router.delete("/{number}", status_code=204, responses=responses(401, 403, 404, 409, 422))
def delete_calibration(number: Number, caller: Submitter, actor: UseActor, session: UseSession) -> None:
    """Delete a proposal that nothing was chosen by: one's own, or, for an administrator, anybody's."""
    row = calibrations.delete(session, number, caller)
    record(session, actor, "calibration.delete", owner_id=row.user_id, subject=_subject(row))


def _check_administrator(session: Session, number: int, caller: Identity) -> None:
    """Raise Forbidden, or NotFound for what the caller may not even see."""
    calibrations.get(session, number, caller)
    if not caller.sees_all:
        raise Forbidden(_FORBIDDEN)


def _subject(row: Calibration) -> str:
    return f"calibration {row.id} ({', '.join(row.members)}; {row.spread}, against {row.functional})"


def _view(session: Session, row: Calibration, caller: Identity) -> CalibrationView:
    return views(session, [row], caller)[0]
