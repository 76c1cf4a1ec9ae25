"""Moving a job on when its work is done. Idempotent: called after every commit, and by the dispatcher for every open job."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import and_, exists, func, or_, select, update
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
from shared.states import OPEN, Stage, State, Work, check_transition
from worker.tasks.history import enqueue_evaluations

REFERENCE_FAILED = "reference_failed"


def unsettled(session: Session) -> list[UUID]:
    """Open jobs that `settle` would move on: a stage was given up, a reference failed, or nothing is left to search and score."""
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


def start(session: Session, job_id: UUID) -> None:
    """The job's first work has been claimed; one that has ended meanwhile stays ended."""
    session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == State.QUEUED)
        .values(state=State.RUNNING, started_at=func.now())
        .execution_options(synchronize_session=False)
    )


def end(session: Session, job: Job, state: State, *, kind: str | None = None, reason: str | None = None) -> None:
    """The job is over; what of its work is still open is cancelled. Whoever is just storing a result is waited for, and what it adds
    is cancelled too: stages add walkers, walkers add evaluations and walkers that refine. Hence the order, and walkers twice: a
    statement doesn't see the rows that were added by whoever it waited for, the next one does."""
    check_transition(State(job.state), state)
    now = session.scalar(select(func.now()))
    job.state, job.failure_kind, job.failure_reason, job.ended_at = state, kind, reason, now
    if state is State.SUCCEEDED:
        job.stage = Stage.DONE
    for table in (StageRow, Walker, Walker, MemberEnergy):
        session.execute(
            update(table)
            .where(table.job_id == job.id, table.state.in_(OPEN))
            .values(state=State.CANCELLED, owner=None, lease_until=None)
        )


def locked(session: Session, job_id: UUID) -> Job | None:
    """The job, with nobody else settling or ending it until this transaction ends. Rows may be added under it meanwhile: whoever adds
    one may hold the very row that the owner of this lock waits for."""
    query = select(Job).where(Job.id == job_id).with_for_update(key_share=True)
    return session.scalars(query, execution_options={"populate_existing": True}).one_or_none()


def settle(session: Session, job_id: UUID) -> bool:
    """Open the selection stage when nothing is left to search or score, or end the job where there is nothing to choose
    from. Returns whether a CPU worker is needed now."""
    job = locked(session, job_id)
    if job is None or State(job.state).ended:
        return False
    if job.stage == Stage.PLACING or job.stage == Stage.SELECTING:
        return _settle_stage(session, job)
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
    job.stage = Stage.SELECTING
    return True


def _settle_stage(session: Session, job: Job) -> bool:
    """A CPU stage that was given up takes the job with it."""
    work = Work.PLACEMENT if job.stage == Stage.PLACING else Work.SELECTION
    row = session.scalars(select(StageRow).where(StageRow.job_id == job.id, StageRow.work == work)).one_or_none()
    if row is not None and row.state == State.FAILED:
        end(session, job, State.FAILED, kind=row.failure_kind, reason=row.failure_reason)
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
        for table in (Walker, MemberEnergy):
            values: dict[str, Any] = {
                "state": State.FAILED,
                "failure_kind": REFERENCE_FAILED,
                "failure_reason": reason,
                "owner": None,
                "lease_until": None,
            }
            session.execute(
                update(table)
                .where(table.job_id == job.id, table.member == reference.member, table.state.in_(OPEN))
                .values(**values)
            )


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
    end(session, job, State.FAILED, kind=kind, reason=f"no candidate was found; of the walkers: {text}")


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


def waiting_members(session: Session, job_id: UUID) -> list[str]:
    """Members that have something queued in this job."""
    evaluations = select(MemberEnergy.member).where(MemberEnergy.job_id == job_id, MemberEnergy.state == State.QUEUED)
    walkers = select(Walker.member).where(Walker.job_id == job_id, Walker.state == State.QUEUED)
    return sorted(session.scalars(evaluations.union(walkers)))


def members_with_work(session: Session) -> list[str]:
    """Members for which a row waits to be claimed, whatever the job."""
    queries = [
        select(table.member).where(table.state == State.QUEUED).distinct()
        for table in (MemberEnergy, Walker, Reference)
    ]
    return sorted(session.scalars(queries[0].union(*queries[1:])))


def stages_waiting(session: Session) -> bool:
    """Whether a CPU stage waits to be claimed."""
    return session.scalar(select(StageRow.id).where(StageRow.state == State.QUEUED).limit(1)) is not None
