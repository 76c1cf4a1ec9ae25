"""Claims: a row of work is taken with a lease and a fencing token, and written only while both are still one's own.

Only PostgreSQL's clock counts. attempts is raised when the row is claimed, before anything runs: a row that takes
its worker down is counted all the same. The `open_*` queries name the rows that may be claimed, in columns `id` and then
the keys they are taken by, smallest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Subquery, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.elements import ColumnElement

from shared.database.tables import (
    Attempt,
    Job,
    JobReference,
    MemberEnergy,
    Placement,
    Reference,
    StageRow,
    Walker,
    WorkRow,
    claim_tokens,
)
from shared.errors import Failure, LostLease, MachineryFailure, Poison, WorkerLost
from shared.states import OPEN, State, Work

TABLES: tuple[type[WorkRow], ...] = (StageRow, Reference, Walker, MemberEnergy)


_WORK: dict[type[WorkRow], Work] = {
    Reference: Work.REFERENCE,
    Walker: Work.WALKER,
    MemberEnergy: Work.EVALUATION,
}


@dataclass(frozen=True)
class Lease:
    """What a claim gives: the row, and the token that its result must carry."""

    table: type[WorkRow]
    id: int
    token: int


def open_stages() -> Subquery:
    """CPU stages that may be claimed."""
    return (
        select(StageRow.id, *_fair(StageRow))
        .join(Job, Job.id == StageRow.job_id)
        .where(StageRow.state == State.QUEUED, Job.state.in_(OPEN))
        .subquery()
    )


def open_references(member: str) -> Subquery:
    """References of this member that an open job waits for."""
    wanted = exists().where(
        JobReference.reference_id == Reference.id, Job.id == JobReference.job_id, Job.state.in_(OPEN)
    )
    return (
        select(Reference.id, Reference.id.label("age"))
        .where(Reference.member == member, Reference.state == State.QUEUED, wanted)
        .subquery()
    )


def open_walkers(member: str) -> Subquery:
    """Walkers whose references are there and who are less than the job's lag ahead of its slowest. Nobody hops before every
    placement of the member is relaxed: who goes on is decided from all of them. A refining one waits for nobody."""
    other = aliased(Walker)
    slowest = (
        select(func.min(other.hop))
        .where(
            other.job_id == Walker.job_id,
            other.member == Walker.member,
            other.refines.is_(None),
            other.state.in_(OPEN),
        )
        .scalar_subquery()
    )
    lag = Job.parameters["hopping"]["lag"].as_integer()
    return (
        select(Walker.id, *_fair(Walker), Walker.hop, Placement.index)
        .join(Job, Job.id == Walker.job_id)
        .join(Placement, Placement.id == Walker.placement_id)
        .where(
            Walker.member == member,
            Walker.state == State.QUEUED,
            Job.state.in_(OPEN),
            _references_done(Walker.job_id, member),
            or_(
                Walker.refines.is_not(None),
                and_(Walker.hop < slowest + lag, or_(Walker.hop == 0, slowest > 0)),
            ),
        )
        .subquery()
    )


def open_evaluations(member: str) -> Subquery:
    """Candidate x member evaluations whose references are there."""
    return (
        select(MemberEnergy.id, *_fair(MemberEnergy), MemberEnergy.id.label("number"))
        .join(Job, Job.id == MemberEnergy.job_id)
        .where(
            MemberEnergy.member == member,
            MemberEnergy.state == State.QUEUED,
            Job.state.in_(OPEN),
            _references_done(MemberEnergy.job_id, member),
        )
        .subquery()
    )


def _references_done(job_id: Any, member: str) -> ColumnElement[bool]:
    return ~exists().where(
        JobReference.job_id == job_id,
        Reference.id == JobReference.reference_id,
        Reference.member == member,
        Reference.state != State.SUCCEEDED,
    )


def _fair(table: Any) -> tuple[ColumnElement[Any], ...]:
    """Round robin over users, then priority, then age: a user's nth queued row comes after everybody else's (n-1)th, and
    rows that run already count."""
    running, job = aliased(table), aliased(Job)
    busy = (
        select(func.count())
        .select_from(running)
        .join(job, job.id == running.job_id)
        .where(running.state == State.RUNNING, job.user_id == Job.user_id)
        .correlate(Job)
        .scalar_subquery()
    )
    order = (Job.priority.desc(), Job.created_at, table.id)
    turn = busy + func.row_number().over(partition_by=Job.user_id, order_by=order)
    return turn.label("turn"), (-Job.priority).label("rank"), Job.created_at.label("age")


def claim(
    session: Session, table: type[WorkRow], eligible: Subquery, *, owner: str, lease_s: float, limit: int
) -> Sequence[WorkRow]:
    """Take up to `limit` of the eligible rows. Rows that another worker is just taking are skipped, not waited for."""
    ids = session.scalars(
        select(table.id)
        .join(eligible, eligible.c.id == table.id)
        .where(table.state == State.QUEUED)
        .order_by(*eligible.c[1:])
        .limit(limit)
        .with_for_update(of=table, skip_locked=True)
    ).all()
    if not ids:
        return []
    session.execute(
        update(table)
        .where(table.id.in_(ids))
        .values(
            state=State.RUNNING,
            owner=owner,
            token=claim_tokens.next_value(),
            lease_until=func.now() + timedelta(seconds=lease_s),
            attempts=table.attempts + 1,
        )
        .execution_options(synchronize_session=False)
    )
    rows = {row.id: row for row in session.scalars(select(table).where(table.id.in_(ids)))}
    return [rows[key] for key in ids]


def anything_open(session: Session, member: str) -> bool:
    """Whether a worker that hosts this member would get anything to do."""
    return any(
        session.scalar(select(eligible.c[0]).limit(1)) is not None
        for eligible in (open_references(member), open_evaluations(member), open_walkers(member))
    )


def lease_of(row: WorkRow) -> Lease:
    """The lease of a row just claimed."""
    if row.token is None:
        raise LostLease(f"{type(row).__tablename__} {row.id} is not claimed")
    return Lease(type(row), row.id, row.token)


def _mine(lease: Lease) -> ColumnElement[bool]:
    table = lease.table
    return and_(
        table.id == lease.id,
        table.token == lease.token,
        table.state == State.RUNNING,
        table.lease_until > func.now(),
    )


def renew(session: Session, leases: Sequence[Lease], lease_s: float) -> set[Lease]:
    """Extend leases; those that are still one's own are returned, the others are lost."""
    kept = set()
    for lease in sorted(leases, key=lambda lease: (lease.table.__tablename__, lease.id)):
        statement = (
            update(lease.table)
            .where(_mine(lease))
            .values(lease_until=func.now() + timedelta(seconds=lease_s))
            .returning(lease.table.id)
        )
        if session.scalar(statement) is not None:
            kept.add(lease)
    return kept


def finish(session: Session, lease: Lease, state: State, **values: Any) -> None:
    """Write the row's result and give the lease back; attempts start again. Raises LostLease, and then nothing may be
    committed."""
    statement = (
        update(lease.table)
        .where(_mine(lease))
        .values(state=state, owner=None, token=None, lease_until=None, attempts=0, **values)
        .returning(lease.table.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(statement) is None:
        raise LostLease(f"the lease on {lease.table.__tablename__} {lease.id} has ended")


def release(session: Session, leases: Sequence[Lease]) -> None:
    """Give rows back unfinished, as on an orderly stop: costs no attempt."""
    for lease in leases:
        session.execute(
            update(lease.table)
            .where(_mine(lease))
            .values(state=State.QUEUED, owner=None, token=None, lease_until=None, attempts=lease.table.attempts - 1)
            .execution_options(synchronize_session=False)
        )


def fail(session: Session, lease: Lease, failure: Failure, worker: str) -> None:
    """Record a failure that another attempt would not mend. Raises LostLease."""
    row = session.get_one(lease.table, lease.id)
    _record(session, row, failure, worker)
    finish(session, lease, State.FAILED, failure_kind=failure.kind, failure_reason=str(failure))


def give_back(session: Session, lease: Lease, failure: MachineryFailure, worker: str, max_attempts: int) -> None:
    """Record an attempt that the machinery ended, for another process to try again; past the limit the row fails. Raises
    LostLease."""
    row = session.get_one(lease.table, lease.id)
    if row.attempts >= max_attempts:
        fail(session, lease, failure, worker)
        return
    _record(session, row, failure, worker)
    statement = (
        update(lease.table)
        .where(_mine(lease))
        .values(state=State.QUEUED, owner=None, token=None, lease_until=None)
        .returning(lease.table.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(statement) is None:
        raise LostLease(f"the lease on {lease.table.__tablename__} {lease.id} has ended")


def end_expired(session: Session, max_attempts: int) -> set[UUID]:
    """Give back every row whose lease ran out, or give it up past its attempts. Returns the jobs concerned."""
    jobs: set[UUID] = set()
    for table in TABLES:
        expired = (
            select(table)
            .where(table.state == State.RUNNING, table.lease_until < func.now())
            .with_for_update(of=table, skip_locked=True)
        )
        for row in session.scalars(expired):
            lost = WorkerLost(f"worker {row.owner} was lost while it held this")
            _record(session, row, lost, row.owner)
            if row.attempts >= max_attempts:
                row.state = State.FAILED
                row.failure_kind = Poison.kind
                row.failure_reason = f"given up after {row.attempts} attempts that each lost their worker"
            else:
                row.state = State.QUEUED
            row.owner, row.token, row.lease_until = None, None, None
            jobs.update(_jobs_of(session, row))
    return jobs


def _jobs_of(session: Session, row: WorkRow) -> set[UUID]:
    if isinstance(row, StageRow | Walker | MemberEnergy):
        return {row.job_id}
    return set(session.scalars(select(JobReference.job_id).where(JobReference.reference_id == row.id)))


def _record(session: Session, row: WorkRow, failure: Failure, worker: str | None) -> None:
    session.add(
        Attempt(
            job_id=row.job_id if isinstance(row, StageRow | Walker | MemberEnergy) else None,
            work=row.work if isinstance(row, StageRow) else _WORK[type(row)],
            work_id=str(row.id),
            number=row.attempts,
            worker=worker,
            failure_kind=failure.kind,
            reason=str(failure),
        )
    )
