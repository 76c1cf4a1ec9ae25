"""Claims: a row of work is taken with a lease and a fencing token, and written only while both are still one's own.

Only PostgreSQL's clock counts. attempts is raised when the row is claimed, before anything runs: a row that takes
its worker down is counted all the same. The `open_*` queries name the rows that may be claimed, in columns `id` and then
the keys they are taken by, smallest first.

A worker that dies takes all that it held down with it. So that the innocent are not given up with the guilty, the last attempt
that a row has left is made alone (`Trial`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Select, Subquery, and_, exists, func, literal, not_, or_, select, true, union_all, update
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

_LATEST = 500
"""Claims that are looked back on to see whose turn it is."""

_WORK: dict[type[WorkRow], Work] = {
    Reference: Work.REFERENCE,
    Walker: Work.WALKER,
    MemberEnergy: Work.EVALUATION,
}


class Trial(StrEnum):
    """Which rows a claim takes: those that may share a worker with others, or those on their last attempt, that may not."""

    SHARED = "shared"
    ALONE = "alone"


@dataclass(frozen=True)
class Lease:
    """What a claim gives: the row, and the token that its result must carry."""

    table: type[WorkRow]
    id: int
    token: int


def open_stages() -> Subquery:
    """CPU stages that may be claimed."""
    standing = _standing(StageRow)
    return (
        select(StageRow.id, *_fair(StageRow, standing))
        .join(Job, Job.id == StageRow.job_id)
        .outerjoin(standing, standing.c.user_id == Job.user_id)
        .where(StageRow.state == State.QUEUED, Job.state.in_(OPEN))
        .subquery()
    )


def open_references(member: str) -> Subquery:
    """References of this member that an open job waits for; one that several users wait for has the earliest of their turns."""
    standing = _standing_of_references()
    busy, served = (func.coalesce(func.max(standing.c[name]), 0) for name in ("busy", "served"))
    order = (func.max(Job.priority).desc(), func.min(Job.created_at), Reference.id)
    wanted = (
        select(
            Reference.id,
            (busy + func.row_number().over(partition_by=Job.user_id, order_by=order)).label("turn"),
            served.label("served"),
            (-func.max(Job.priority)).label("rank"),
            func.min(Job.created_at).label("age"),
        )
        .join(JobReference, JobReference.reference_id == Reference.id)
        .join(Job, Job.id == JobReference.job_id)
        .outerjoin(standing, standing.c.user_id == Job.user_id)
        .where(Reference.member == member, Reference.state == State.QUEUED, Job.state.in_(OPEN))
        .group_by(Reference.id, Job.user_id)
        .subquery()
    )
    keys = [func.min(wanted.c[name]).label(name) for name in ("turn", "served", "rank", "age")]
    return select(wanted.c.id, *keys, wanted.c.id.label("number")).group_by(wanted.c.id).subquery()


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
    standing = _standing(Walker)
    return (
        select(Walker.id, *_fair(Walker, standing), Walker.hop, Placement.index)
        .join(Job, Job.id == Walker.job_id)
        .outerjoin(standing, standing.c.user_id == Job.user_id)
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
    standing = _standing(MemberEnergy)
    return (
        select(MemberEnergy.id, *_fair(MemberEnergy, standing), MemberEnergy.id.label("number"))
        .join(Job, Job.id == MemberEnergy.job_id)
        .outerjoin(standing, standing.c.user_id == Job.user_id)
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


def _standing(table: Any) -> Subquery:
    """By user: how many rows of this table run for them now, and the token of the last one they were served, as far as that is among
    the latest claims. Once for the whole query, not once for each row."""
    running, job = aliased(table), aliased(Job)
    busy = (
        select(job.user_id, func.count().label("busy"), literal(0).label("served"))
        .join(running, running.job_id == job.id)
        .where(running.state == State.RUNNING)
        .group_by(job.user_id)
    )
    claimed = select(table.job_id, table.token).where(table.token.is_not(None))
    latest = claimed.order_by(table.token.desc()).limit(_LATEST).subquery()
    served = (
        select(job.user_id, literal(0), func.max(latest.c.token))
        .join(latest, latest.c.job_id == job.id)
        .group_by(job.user_id)
    )
    return _summed(busy, served)


def _standing_of_references() -> Subquery:
    """The same for references; one that several users wait for counts for each of them."""
    running, job, also = aliased(Reference), aliased(Job), aliased(JobReference)
    busy = (
        select(job.user_id, func.count(running.id.distinct()).label("busy"), literal(0).label("served"))
        .join(also, also.job_id == job.id)
        .join(running, running.id == also.reference_id)
        .where(running.state == State.RUNNING)
        .group_by(job.user_id)
    )
    claimed = select(Reference.id, Reference.token).where(Reference.token.is_not(None))
    latest = claimed.order_by(Reference.token.desc()).limit(_LATEST).subquery()
    served = (
        select(job.user_id, literal(0), func.max(latest.c.token))
        .join(also, also.job_id == job.id)
        .join(latest, latest.c.id == also.reference_id)
        .group_by(job.user_id)
    )
    return _summed(busy, served)


def _summed(busy: Select[Any, Any, Any], served: Select[Any, Any, Any]) -> Subquery:
    both = union_all(busy, served).subquery()
    return (
        select(both.c.user_id, func.sum(both.c.busy).label("busy"), func.max(both.c.served).label("served"))
        .group_by(both.c.user_id)
        .subquery()
    )


def _fair(table: Any, standing: Subquery) -> tuple[ColumnElement[Any], ...]:
    """Round robin over users, then priority, then age: a user's nth queued row comes after everybody else's (n-1)th, and
    rows that run already count; of those whose turn it is equally, the one who was served longest ago comes first."""
    order = (Job.priority.desc(), Job.created_at, table.id)
    turn = func.coalesce(standing.c.busy, 0) + func.row_number().over(partition_by=Job.user_id, order_by=order)
    return (
        turn.label("turn"),
        func.coalesce(standing.c.served, 0).label("served"),
        (-Job.priority).label("rank"),
        Job.created_at.label("age"),
    )


def claim(
    session: Session,
    table: type[WorkRow],
    eligible: Subquery,
    *,
    owner: str,
    lease_s: float,
    limit: int,
    trial: Trial | None = None,
    max_attempts: int = 1,
) -> Sequence[WorkRow]:
    """Take up to `limit` of the eligible rows. Rows that another worker is just taking are skipped, not waited for. trial: None
    takes rows of either kind; max_attempts tells them apart."""
    last = table.attempts >= max(1, max_attempts - 1)
    kind = true() if trial is None else last if trial is Trial.ALONE else not_(last)
    ids = session.scalars(
        select(table.id)
        .join(eligible, eligible.c.id == table.id)
        .where(table.state == State.QUEUED, kind)
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


def check(session: Session, lease: Lease) -> None:
    """Keep the row locked while its result is written. Raises LostLease."""
    if session.scalar(select(lease.table.id).where(_mine(lease)).with_for_update()) is None:
        raise _lost(lease)


def _lost(lease: Lease) -> LostLease:
    return LostLease(f"the lease on {lease.table.__tablename__} {lease.id} has ended")


def renew(session: Session, lease: Lease, lease_s: float) -> bool:
    """Extend a lease; False where it is no longer one's own."""
    statement = (
        update(lease.table)
        .where(_mine(lease))
        .values(lease_until=func.now() + timedelta(seconds=lease_s))
        .returning(lease.table.id)
    )
    return session.scalar(statement) is not None


def finish(session: Session, lease: Lease, state: State, **values: Any) -> None:
    """Write the row's result and give the lease back; attempts start again. Raises LostLease, and then nothing may be
    committed."""
    statement = (
        update(lease.table)
        .where(_mine(lease))
        .values(state=state, owner=None, lease_until=None, attempts=0, **values)
        .returning(lease.table.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(statement) is None:
        raise _lost(lease)


def release(session: Session, lease: Lease) -> None:
    """Give a row back unfinished, as on an orderly stop: costs no attempt."""
    session.execute(
        update(lease.table)
        .where(_mine(lease))
        .values(state=State.QUEUED, owner=None, lease_until=None, attempts=lease.table.attempts - 1)
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
        .values(state=State.QUEUED, owner=None, lease_until=None)
        .returning(lease.table.id)
        .execution_options(synchronize_session=False)
    )
    if session.scalar(statement) is None:
        raise _lost(lease)


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
            poison = Poison(f"given up after {row.attempts} attempts that each lost their worker")
            _requeue(row, max_attempts, poison)
            jobs.update(_jobs_of(session, row))
    return jobs


def _requeue(row: WorkRow, max_attempts: int, failure: Failure) -> None:
    """Back into the queue; or failed, where no attempt is left."""
    if row.attempts >= max_attempts:
        row.state, row.failure_kind, row.failure_reason = State.FAILED, failure.kind, str(failure)
    else:
        row.state = State.QUEUED
    row.owner, row.lease_until = None, None


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
