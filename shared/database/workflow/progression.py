"""Moving a job on when its work is done. Idempotent: called after every commit, and by the dispatcher for every open job."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.database.tables import (
    Candidate,
    Job,
    JobReference,
    MemberEnergy,
    Reference,
    StageRow,
    Walker,
)
from shared.database.workflow import transitions
from shared.database.workflow.new_work import enqueue_evaluations
from shared.states import OPEN, Stage, State, Work

REFERENCE_FAILED = "reference_failed"


def due(session: Session) -> list[UUID]:
    """Open jobs that `move_on` would move on: a stage was given up, a reference failed, or nothing is left to search and score."""
    stage_failed = exists().where(StageRow.job_id == Job.id, StageRow.state == State.FAILED)
    work = [exists().where(table.job_id == Job.id, table.state.in_(OPEN)) for table in (Walker, MemberEnergy)]
    reference_failed = exists().where(
        JobReference.job_id == Job.id, Reference.id == JobReference.reference_id, Reference.state == State.FAILED
    )
    return list(
        session.scalars(
            select(Job.id)
            .where(
                Job.state.in_(OPEN),
                or_(
                    and_(Job.stage.in_((Stage.PLACING, Stage.SELECTING)), stage_failed),
                    and_(Job.stage == Stage.SEARCHING, or_(reference_failed, ~or_(*work))),
                ),
            )
            .order_by(Job.created_at)
        )
    )


def move_on(session: Session, job_id: UUID) -> bool:
    """Open the selection stage when nothing is left to search or score, or end the job where there is nothing to choose
    from. Returns whether a CPU worker is needed now."""
    job = transitions.lock_job(session, job_id)
    if job is None or State(job.state).ended:
        return False
    if job.stage == Stage.PLACING or job.stage == Stage.SELECTING:
        return _follow_stage(session, job)
    _fail_without_references(session, job)
    if _open(session, Walker, job_id) or _open(session, MemberEnergy, job_id):
        return False
    found = session.scalars(select(func.count()).select_from(Candidate).where(Candidate.job_id == job_id)).one()
    if not found:
        _end_empty(session, job)
        return False
    if not _scored(session, job_id) and _score_lowest(session, job):
        return False
    session.execute(insert(StageRow).values(job_id=job_id, work=Work.SELECTION).on_conflict_do_nothing())
    transitions.enter_stage(job, Stage.SELECTING)
    return True


def _follow_stage(session: Session, job: Job) -> bool:
    """A CPU stage that was given up takes the job with it."""
    work = Work.PLACEMENT if job.stage == Stage.PLACING else Work.SELECTION
    row = session.scalars(select(StageRow).where(StageRow.job_id == job.id, StageRow.work == work)).one_or_none()
    if row is not None and row.state == State.FAILED:
        transitions.end_job(session, job, State.FAILED, kind=row.failure_kind, reason=row.failure_reason)
    return row is not None and row.state == State.QUEUED


def _open(session: Session, table: type[Walker] | type[MemberEnergy], job_id: UUID) -> bool:
    query = select(table.id).where(table.job_id == job_id, table.state.in_(OPEN)).limit(1)
    return session.scalar(query) is not None


def _fail_without_references(session: Session, job: Job) -> None:
    """Work of a member whose references can't be had fails, with the reason; the other members go on."""
    failed = session.scalars(
        select(Reference)
        .join(JobReference, JobReference.reference_id == Reference.id)
        .where(JobReference.job_id == job.id, Reference.state == State.FAILED)
    )
    for reference in failed:
        reason = f"its reference ({reference.kind} {reference.label}) failed: {reference.failure_reason}"
        transitions.fail_member(session, job.id, reference.member, kind=REFERENCE_FAILED, reason=reason)


def _end_empty(session: Session, job: Job) -> None:
    """No walker brought a candidate: the commonest reason becomes the job's."""
    reason = session.execute(
        select(Walker.failure_kind, Walker.failure_reason, func.count())
        .where(Walker.job_id == job.id, Walker.state == State.FAILED)
        .group_by(Walker.failure_kind, Walker.failure_reason)
        .order_by(func.count().desc(), Walker.failure_reason)
        .limit(1)
    ).one_or_none()
    kind, text = ("no_minimum", "no walker found a minimum") if reason is None else (reason[0], reason[1])
    transitions.end_job(session, job, State.FAILED, kind=kind, reason=f"no candidate was found; of the walkers: {text}")


def _scored(session: Session, job_id: UUID) -> bool:
    return session.scalar(select(MemberEnergy.id).where(MemberEnergy.job_id == job_id).limit(1)) is not None


def _score_lowest(session: Session, job: Job) -> bool:
    """No candidate is sound, so none was scored: score the lowest of each search member all the same, so that there is an
    answer, marked as such. Converged ones come first, then those with fewer anomalies."""
    asked = False
    for member in job.search_members:
        lowest = session.scalars(
            select(Candidate)
            .where(Candidate.job_id == job.id, Candidate.member == member)
            .order_by(
                Candidate.converged.desc(),
                func.cardinality(Candidate.anomalies),
                Candidate.energy,
                Candidate.hop,
                Candidate.id,
            )
            .limit(1)
        ).one_or_none()
        if lowest is not None:
            enqueue_evaluations(session, lowest, job.score_members)
            asked = True
    return asked
