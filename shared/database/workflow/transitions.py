"""The one place that writes the state of a job, its stage, and the state of a row of work (shared.states says
what may follow what).

Whoever moves rows does so by `moved` or `move`: both refuse what isn't allowed, and both end the lease of a row that doesn't run.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Update, func, literal_column, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from shared.database.tables import Job, MemberEnergy, Reference, StageRow, Walker, WorkRow
from shared.database.workflow import lanes
from shared.states import JOB, REFERENCE, ROW, Stage, State, Transitions, check_stage, check_transition, sources

_NO_LEASE: dict[str, Any] = {"owner": None, "lease_until": None}


def allowed(table: type[WorkRow]) -> Transitions:
    """What may follow what in the rows of a table."""
    return REFERENCE if table is Reference else ROW


def moved(table: type[WorkRow], to: State, *which: ColumnElement[bool], **values: Any) -> Update:
    """The statement that moves rows of a table to a state: those of `which` that may go there."""
    lease = {} if to is State.RUNNING else _NO_LEASE
    # literals: parameters of IN can't be sent with many rows
    before: list[ColumnElement[str]] = [literal_column(f"'{one.value}'") for one in sources(allowed(table), to)]
    return update(table).where(table.state.in_(before), *which).values(state=to, **lease, **values)


def move(row: WorkRow, to: State, **values: Any) -> None:
    """Move one loaded row, which the caller has locked. Raises Conflict."""
    check_transition(allowed(type(row)), State(row.state), to)
    for name, value in {"state": to, **({} if to is State.RUNNING else _NO_LEASE), **values}.items():
        setattr(row, name, value)


def lock_job(session: Session, job_id: UUID) -> Job | None:
    """The job, with nobody else moving it on or ending it until this transaction ends. Rows may be added under it meanwhile: whoever
    adds one may hold the very row that the owner of this lock waits for."""
    query = select(Job).where(Job.id == job_id).with_for_update(key_share=True)
    return session.scalars(query, execution_options={"populate_existing": True}).one_or_none()


def lock_jobs(session: Session, job_ids: Collection[UUID]) -> Sequence[Job]:
    """The same for several, in the order of their ids, which is everybody's."""
    query = select(Job).where(Job.id.in_(job_ids)).order_by(Job.id).with_for_update(key_share=True)
    return session.scalars(query, execution_options={"populate_existing": True}).all()


def start_job(session: Session, job_id: UUID) -> None:
    """The job's first work has been claimed; one that has ended meanwhile stays ended."""
    session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state.in_(sources(JOB, State.RUNNING)))
        .values(state=State.RUNNING, started_at=func.now())
        .execution_options(synchronize_session=False)
    )


def enter_stage(job: Job, stage: Stage) -> None:
    """The job, which the caller has locked, goes on to its next stage. Raises Conflict."""
    check_stage(Stage(job.stage), stage)
    job.stage = stage


def end_job(session: Session, job: Job, state: State, *, kind: str | None = None, reason: str | None = None) -> None:
    """The job is over; what of its work is still open is cancelled. Raises Conflict."""
    end_jobs(session, [job], state, kind=kind, reason=reason)


def end_jobs(
    session: Session, jobs: Sequence[Job], state: State, *, kind: str | None = None, reason: str | None = None
) -> None:
    """The same for several jobs, which the caller has locked in the order of their ids. Whoever is just storing a result is waited
    for, and what it adds is cancelled too: stages add walkers, walkers add evaluations and walkers that refine. Hence the order, and
    walkers twice: a statement doesn't see the rows that were added by whoever it waited for, the next one does. Raises Conflict."""
    if not jobs:
        return
    now = session.scalar(select(func.now()))
    for job in jobs:
        check_transition(JOB, State(job.state), state)
        job.state, job.failure_kind, job.failure_reason, job.ended_at = state, kind, reason, now
        if state is State.SUCCEEDED:
            enter_stage(job, Stage.DONE)
    ids = [job.id for job in jobs]
    for table in (StageRow, Walker, Walker, MemberEnergy):
        rows = moved(table, State.CANCELLED, table.job_id.in_(ids))
        session.execute(rows, execution_options={"synchronize_session": False if len(ids) > 1 else "auto"})
    lanes.close(session, ids)  # after the rows: who stores a result holds its row, then writes to its lane


def fail_member(session: Session, job_id: UUID, member: str, *, kind: str, reason: str) -> None:
    """All of a job's open work by one member fails alike."""
    for table in (Walker, MemberEnergy):
        session.execute(
            moved(
                table,
                State.FAILED,
                table.job_id == job_id,
                table.member == member,
                failure_kind=kind,
                failure_reason=reason,
            )
        )


def retry_reference(reference: Reference, *, retries: int) -> None:
    """A reference that failed, which the caller has locked, is queued as if it had never been tried. retries: what is remembered of
    them. Raises Conflict."""
    move(
        reference,
        State.QUEUED,
        attempts=0,
        failure_kind=None,
        failure_reason=None,
        retries=retries,
        retried_at=func.now(),
    )
