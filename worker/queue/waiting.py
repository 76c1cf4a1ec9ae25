"""Whether there is anything to claim, without whose turn it is: far cheaper than a claim that gets nothing."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import ColumnElement, Select, literal, select, true, union
from sqlalchemy.orm import Session

from shared.database.tables import Job, Lane
from shared.states import OPEN, Work
from worker.queue import claims
from worker.queue.eligible import Eligible
from worker.queue.lane_rows import IN_LANE, QUEUED, Look, Trial, lanes_of, last, listed


def anything_open(session: Session, member: str) -> bool:
    """Whether a worker that hosts this member would get anything to do."""
    return bool(works_open(session, member))


def works_open(session: Session, member: str) -> set[Work]:
    """The kinds of work of which it would get something."""
    (row,) = session.execute(_each(member))
    return {work for work, there in zip(IN_LANE, row, strict=True) if there}


def on_last_attempt(session: Session, max_attempts: int) -> set[tuple[Work, str]]:
    """Kinds of work and members with a queued row that has its last attempt before it, whether it may be claimed now or not: nearly
    always none."""
    rows = [
        select(literal(work.value), table.member).where(table.state == QUEUED, last(table, max_attempts))
        for table, work in claims.WORK.items()
    ]
    return {(Work(work), member) for work, member in session.execute(union(*rows))}


def last_attempt_waits(session: Session, eligible: Eligible, max_attempts: int) -> bool:
    """Whether one of the eligible rows waits for its last attempt, which is made alone."""
    rows = eligible(Look(1, Trial.ALONE, max_attempts))
    return session.scalar(select(rows.c.id).limit(1)) is not None


@lru_cache(maxsize=64)
def _each(member: str) -> Select[*tuple[bool, ...]]:
    return select(*[_something(member, work).label(work.value) for work in IN_LANE])


def _something(member: str, work: Work) -> ColumnElement[bool]:
    """A row of this kind that may be claimed."""
    return (
        select(Lane.job_id)
        .join_from(Lane, Job, Job.id == Lane.job_id)
        .join(IN_LANE[work](member, Look(most=1)), true())
        .where(lanes_of(member, work), Job.state.in_(listed(OPEN)))
        .exists()
    )
