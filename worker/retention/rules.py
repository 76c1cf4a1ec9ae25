"""What the dispatcher sees to in each pass, for a short while: open jobs of disabled users end; deleted jobs go, and what is older
than the administrator's rules allow.

Everything is found by what stands in the database, so a pass that is cut short is gone on with by the next. Two dispatchers take
different jobs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import QueryableAttribute, Session

from shared.database.repositories.audit import SERVER, record
from shared.database.session import Sessions
from shared.database.tables import AuditEntry, Candidate, Job, ReferenceEnergy
from shared.database.workflow.cancelling import cancel_jobs_of_disabled
from shared.settings import Settings
from worker.retention.measuring import stored_bytes
from worker.retention.removing import drop_piece, remove_piece

log = logging.getLogger(__name__)

_AUDIT_PIECE = 2000

Step = Callable[[Session], bool]
"""One short transaction's work; whether there was any to do."""


def keep(opened: Sessions, settings: Settings, *, budget_s: float = 0.5) -> None:
    """Do what is due, for about `budget_s`, seconds, and something of each kind; what is left waits for the next pass."""
    until = time.monotonic() + budget_s
    cancel_jobs_of_disabled(opened, SERVER)
    for step in _steps(settings):
        try:
            while _done(opened, step) and time.monotonic() < until:
                pass
        except SQLAlchemyError as error:  # one kind's trouble must not hold up the others, or the dispatcher
            log.warning("not removed or measured: %s", error)


def _done(opened: Sessions, step: Step) -> bool:
    with opened.begin() as session:
        return step(session)


def _steps(settings: Settings) -> Iterator[Step]:
    if settings.keep_jobs_days is not None:
        yield _deleting(settings.keep_jobs_days)
    if settings.keep_candidates_days is not None:
        yield _dropping(settings.keep_candidates_days)
    if settings.keep_audit_days is not None:
        yield _forgetting(settings.keep_audit_days)
    yield _remove
    yield _finish


def _remove(session: Session) -> bool:
    """Of a job that somebody deleted."""
    job = _one(session, Job.deleted_at.is_not(None), Job.deleted_at)
    if job is not None:
        session.expunge(job)
        remove_piece(session, job.id)
    return job is not None


def _finish(session: Session) -> bool:
    """Measure a job that ended, once all of it is gone that was to be dropped."""
    job = _one(
        session, and_(Job.ended_at.is_not(None), Job.measured_at.is_(None), Job.deleted_at.is_(None)), Job.ended_at
    )
    if job is None:
        return False
    if job.candidates_dropped_at is None or drop_piece(session, job.id):
        job.stored_bytes, job.measured_at = stored_bytes(session, job.id), session.scalar(select(func.now()))
    return True


def _deleting(days: float) -> Step:
    """Jobs with reference energies stay: calibrations learn from them."""

    def step(session: Session) -> bool:
        job = _one(session, and_(_ended_before(days), ~_labelled()), Job.ended_at)
        if job is None:
            return False
        job.deleted_at, job.idempotency_key = session.scalar(select(func.now())), None
        detail = {"because": f"it ended more than {days:g} days ago"}
        record(session, SERVER, "job.delete", job_id=job.id, owner_id=job.user_id, subject=job.name, detail=detail)
        return True

    return step


def _dropping(days: float) -> Step:
    def step(session: Session) -> bool:
        job = _one(session, and_(_ended_before(days), Job.candidates_dropped_at.is_(None)), Job.ended_at)
        if job is None:
            return False
        job.candidates_dropped_at, job.measured_at = session.scalar(select(func.now())), None
        detail = {"because": f"it ended more than {days:g} days ago"}
        record(
            session, SERVER, "job.drop_candidates", job_id=job.id, owner_id=job.user_id, subject=job.name, detail=detail
        )
        return True

    return step


def _forgetting(days: float) -> Step:
    def step(session: Session) -> bool:
        old = select(AuditEntry.id).where(AuditEntry.at < func.now() - timedelta(days=days)).limit(_AUDIT_PIECE)
        gone = delete(AuditEntry).where(AuditEntry.id.in_(old)).returning(AuditEntry.id)
        return bool(session.scalars(gone.execution_options(synchronize_session=False)).all())

    return step


def _ended_before(days: float) -> ColumnElement[bool]:
    return and_(Job.ended_at < func.now() - timedelta(days=days), Job.deleted_at.is_(None))


def _labelled() -> ColumnElement[bool]:
    return exists().where(Candidate.job_id == Job.id, ReferenceEnergy.candidate_id == Candidate.id)


def _one(session: Session, which: ColumnElement[bool], order: QueryableAttribute[datetime | None]) -> Job | None:
    """The first such job that no other dispatcher has in hand."""
    query = select(Job).where(which).order_by(order).limit(1).with_for_update(skip_locked=True, of=Job)
    return session.scalars(query, execution_options={"populate_existing": True}).one_or_none()
