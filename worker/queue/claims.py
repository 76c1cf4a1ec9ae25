"""Claims: a row of work is taken with a lease and a fencing token, and written only while both are still one's own.

Only PostgreSQL's clock counts. attempts is raised when the row is claimed, before anything runs: a row that takes
its worker down is counted all the same. Which rows may be claimed, and whose turn it is, says `eligible`.

A worker that dies takes all that it held down with it. So that the innocent are not given up with the guilty, the last attempt
that a row has left is made alone (`Trial`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Double, Row, Subquery, and_, any_, bindparam, column, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from shared.database.tables import (
    Attempt,
    MemberEnergy,
    Reference,
    StageRow,
    Walker,
    WorkRow,
    claim_tokens,
)
from shared.database.workflow import turns
from shared.database.workflow.transitions import moved
from shared.errors import Failure, LostLease, MachineryFailure
from shared.states import State, Work
from worker.queue.eligible import Eligible
from worker.queue.lane_rows import Look
from worker.queue.lane_rows import Trial as Trial

MemberWork = Reference | Walker | MemberEnergy

TABLES: tuple[type[WorkRow], ...] = (StageRow, Reference, Walker, MemberEnergy)

_DEEP = 32
"""Times as many rows of each user are looked at again where a claim had not its fill."""

WORK: dict[type[Any], Work] = {
    Reference: Work.REFERENCE,
    Walker: Work.WALKER,
    MemberEnergy: Work.EVALUATION,
}


@dataclass(frozen=True)
class Lease:
    """What a claim gives: the row, for a while."""

    table: type[WorkRow]
    id: int
    token: int
    """What the row's result must carry."""
    claimed_for: int
    """The user whose turn it was."""


@dataclass(frozen=True, eq=False)
class Ending:
    """What a claimed row becomes."""

    state: State
    values: Mapping[str, Any]
    """Of its columns."""


def claim(
    session: Session,
    table: type[WorkRow],
    eligible: Eligible,
    *,
    owner: str,
    lease_s: float,
    limit: int,
    trial: Trial | None = None,
    max_attempts: int = 1,
    besides: Sequence[int] = (),
    least: int | None = None,
    leave: int = 0,
) -> Sequence[WorkRow]:
    """Take up to `limit` of the eligible rows. Rows that another worker is just taking are skipped, not waited for. trial: None
    takes rows of either kind; max_attempts tells them apart. besides: users who are passed over. least: beyond so many only what is
    there when `leave` rows are left to others."""
    least = limit if least is None else min(least, limit)
    chosen: list[Row[Any]] = []
    for most in (2 * (limit + leave), _DEEP * limit):  # few are looked at, and where others are just taking those, more
        there = eligible(Look(most, trial, max_attempts, tuple(besides)))
        found = {row.id: row for row in session.execute(_in_order(there))}
        chosen = _locked(session, table, found, min(limit, max(least, len(found) - leave)))
        if len(chosen) >= least or len(found) < most:  # no more are there
            break
    if not chosen:
        return []
    wanted = _table(chosen)
    taken = moved(
        table,
        State.RUNNING,
        table.id == wanted.c.id,
        owner=owner,
        token=claim_tokens.next_value(),
        lease_until=func.now() + timedelta(seconds=lease_s),
        attempts=table.attempts + 1,
        claimed_for=wanted.c.claimed_for,
        expected_s=wanted.c.expected_s,
    )
    mine = set(session.scalars(taken.returning(table.id).execution_options(synchronize_session=False)))
    rows = {row.id: row for row in session.scalars(select(table).where(table.id.in_(mine)))}
    member = next((row.member for row in rows.values() if isinstance(row, MemberWork)), turns.STAGES)
    for user_id, floor_s in {row.claimed_for: row.floor_s for row in chosen if row.floor_s is not None}.items():
        turns.forgo(session, user_id, member, floor_s)
    return [rows[row.id] for row in chosen if row.id in mine]


def _table(chosen: Sequence[Row[Any]]) -> Any:
    """What is chosen, as a table of the statement that takes it."""
    types = {"id": BigInteger, "claimed_for": BigInteger, "expected_s": Double}
    lists: list[Any] = [literal([getattr(row, name) for row in chosen], ARRAY(kind)) for name, kind in types.items()]
    named = func.unnest(*lists).table_valued(*[column(name, kind) for name, kind in types.items()], name="wanted")
    return named.render_derived()


def _locked(session: Session, table: type[WorkRow], found: Mapping[int, Row[Any]], limit: int) -> list[Row[Any]]:
    """The first `limit` of the eligible rows that nobody else is just taking, locked. A step of its own: together with finding them,
    the plan may read every queued row."""
    if not found:
        return []
    ids = literal(list(found), ARRAY(BigInteger))
    locked = session.scalars(
        select(table.id)
        .where(table.id == any_(ids), table.state == State.QUEUED)
        .order_by(func.array_position(ids, table.id))
        .limit(limit)
        .with_for_update(of=table, skip_locked=True)
    )
    return [found[key] for key in locked]


@lru_cache(maxsize=1024)
def _in_order(eligible: Subquery) -> Any:
    names = ("id", "claimed_for", "expected_s", "floor_s")
    keys = [key for key in eligible.c if key.name not in names]
    return select(*(eligible.c[name] for name in names)).order_by(*keys)


def lease_of(row: WorkRow) -> Lease:
    """The lease of a row just claimed."""
    if row.token is None or row.claimed_for is None:
        raise LostLease(f"{type(row).__tablename__} {row.id} is not claimed")
    return Lease(type(row), row.id, row.token, row.claimed_for)


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


def locked(session: Session, leases: Sequence[Lease]) -> set[Lease]:
    """Those of these leases that are still one's own, their rows locked while results are written. Rows that somebody else holds just
    now are left out, not waited for: whoever holds some and waits for others may be waited for."""
    kept: set[Lease] = set()
    for table in {lease.table for lease in leases}:
        some = {lease.id: lease for lease in leases if lease.table is table}
        rows = select(table.id, table.token).where(
            table.id.in_(some), table.state == State.RUNNING, table.lease_until > func.now()
        )
        found = session.execute(rows.order_by(table.id).with_for_update(of=table, skip_locked=True))
        kept |= {some[row.id] for row in found if some[row.id].token == row.token}
    return kept


def _lost(*leases: Lease) -> LostLease:
    rows = ", ".join(str(lease.id) for lease in leases)
    return LostLease(f"the lease on {leases[0].table.__tablename__} {rows} has ended")


def renew(session: Session, lease: Lease, lease_s: float) -> bool:
    """Extend a lease; False where it is no longer one's own."""
    statement = (
        update(lease.table)
        .where(_mine(lease))
        .values(lease_until=func.now() + timedelta(seconds=lease_s))
        .returning(lease.table.id)
    )
    return session.scalar(statement) is not None


def _move_mine(session: Session, lease: Lease, to: State, **values: Any) -> bool:
    """Whether the row was still one's own to move."""
    statement = moved(lease.table, to, _mine(lease), **values).returning(lease.table.id)
    return session.scalar(statement.execution_options(synchronize_session=False)) is not None


def finish(session: Session, lease: Lease, state: State, **values: Any) -> None:
    """Write the row's result and end the lease; attempts start again. Raises LostLease, and then nothing may be committed."""
    finish_all(session, [(lease, Ending(state, values))])


def finish_all(session: Session, endings: Iterable[tuple[Lease, Ending]]) -> None:
    """The same for several: a statement for each, sent together. Raises LostLease where one of them is no longer one's own."""
    alike: dict[tuple[type[WorkRow], State, tuple[str, ...]], list[Lease]] = {}
    told: dict[Lease, dict[str, Any]] = {}
    for lease, ending in endings:
        alike.setdefault((lease.table, ending.state, tuple(sorted(ending.values))), []).append(lease)
        row = {"lease_id": lease.id, "lease_token": lease.token, "new_attempts": 0}
        told[lease] = row | {f"new_{name}": value for name, value in ending.values.items()}
    for (table, state, names), leases in alike.items():
        statement = _finishing(table, state, ("attempts", *names))
        if session.connection().execute(statement, [told[lease] for lease in leases]).rowcount != len(leases):
            raise _lost(*leases)


@lru_cache(maxsize=64)
def _finishing(table: type[WorkRow], to: State, names: tuple[str, ...]) -> Any:
    """To put the statement together takes longer than to run it."""
    lease: Any = Lease(table, bindparam("lease_id"), bindparam("lease_token"), 0)  # type: ignore[arg-type]
    values = {name: bindparam(f"new_{name}", type_=getattr(table, name).type) for name in names}
    return moved(table, to, _mine(lease), **values)


def release(session: Session, lease: Lease) -> None:
    """Requeue a row unfinished, as on an orderly stop: costs no attempt."""
    _move_mine(session, lease, State.QUEUED, attempts=lease.table.attempts - 1)


def fail(session: Session, lease: Lease, failure: Failure, worker: str) -> None:
    """Record a failure that another attempt would not mend. Raises LostLease."""
    row = session.get_one(lease.table, lease.id)
    record_attempt(session, row, failure, worker)
    finish(session, lease, State.FAILED, failure_kind=failure.kind, failure_reason=str(failure))


def end_attempt(session: Session, lease: Lease, failure: MachineryFailure, worker: str, max_attempts: int) -> None:
    """Record an attempt that the machinery ended, and requeue the row for another process; past the limit the row fails. Raises
    LostLease."""
    row = session.get_one(lease.table, lease.id)
    if row.attempts >= max_attempts:
        fail(session, lease, failure, worker)
        return
    record_attempt(session, row, failure, worker)
    if not _move_mine(session, lease, State.QUEUED):
        raise _lost(lease)


def work_of(table: type[WorkRow]) -> Work:
    """The kind of work of a member's rows."""
    return WORK[table]


def record_attempt(session: Session, row: WorkRow, failure: Failure, worker: str | None) -> None:
    """That an attempt at the row has ended, and how."""
    session.add(
        Attempt(
            job_id=row.job_id if isinstance(row, StageRow | Walker | MemberEnergy) else None,
            work=row.work if isinstance(row, StageRow) else WORK[type(row)],
            work_id=str(row.id),
            number=row.attempts,
            worker=worker,
            failure_kind=failure.kind,
            reason=str(failure),
        )
    )
