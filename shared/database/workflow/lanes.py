"""Lanes are opened and closed here, by the rows as they are: before a claim looks at any row it knows which jobs have some for it.

`refresh` follows every commit that may change a lane, and the dispatcher calls it for jobs whose lanes are `behind`. A lane that is
open for nothing costs a claim one look; one that is closed though there is work holds that work up until the dispatcher's next pass.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, func, lateral, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.database.tables import Job, JobReference, Lane, MemberEnergy, Reference, Walker
from shared.database.workflow import turns
from shared.states import OPEN, Stage, State, Work

Key = tuple[UUID, str, str]
"""Job, member, work."""


def refresh(session: Session, job_ids: Collection[UUID]) -> None:
    """Open the lanes of these jobs in which there is work, and close the others. The caller has locked the jobs, several in the order
    of their ids."""
    wanted = {
        key: (row.user_id, row.priority, row.created_at, row.lag)
        for row in _members(session, job_ids)
        for key in _open(row)
    }
    known = {
        (lane.job_id, lane.member, lane.work): lane.open
        for lane in session.execute(
            select(Lane.job_id, Lane.member, Lane.work, Lane.open).where(Lane.job_id.in_(job_ids))
        )
    }
    opening = sorted(key for key in wanted if not known.get(key, False))
    for user_id, member in dict.fromkeys((wanted[key][0], key[1]) for key in opening):
        turns.arrive(session, user_id, member)
    if opening:
        rows = [_row(key, *wanted[key]) for key in opening]
        statement = insert(Lane).on_conflict_do_update(
            index_elements=[Lane.job_id, Lane.member, Lane.work], set_={"open": True}
        )
        session.execute(statement, rows, execution_options={"synchronize_session": False})
    for job_id, member, work in sorted(key for key, is_open in known.items() if is_open and key not in wanted):
        closing = update(Lane).where(Lane.job_id == job_id, Lane.member == member, Lane.work == work).values(open=False)
        session.execute(closing, execution_options={"synchronize_session": False})


def close(session: Session, job_ids: Collection[UUID]) -> None:
    """These jobs search no more."""
    session.execute(delete(Lane).where(Lane.job_id.in_(job_ids)), execution_options={"synchronize_session": False})


def behind(session: Session) -> list[UUID]:
    """Open jobs with work in a lane that isn't open."""
    job, member = _job_members()
    there = {work: _there(work, job.c.id, member.c.member) for work in _WORKS}
    lane = {work: ~_lane_open(work, job.c.id, member.c.member) for work in _WORKS}
    lacks = or_(*[lane[work] & there[work] for work in _WORKS])
    return list(session.scalars(select(job.c.id).join(member, true()).where(lacks).distinct()))


_WORKS = (Work.REFERENCE, Work.WALKER, Work.EVALUATION)


def _members(session: Session, job_ids: Collection[UUID]) -> Iterator[Any]:
    """A row for each of the jobs that search, and each of its members: which kinds of work it has for it."""
    job, member = _job_members()
    there = [_there(work, job.c.id, member.c.member).label(work.value) for work in _WORKS]
    columns = (job.c.id, job.c.user_id, job.c.priority, job.c.created_at, job.c.lag, member.c.member)
    yield from session.execute(select(*columns, *there).join(member, true()).where(job.c.id.in_(job_ids)))


def _open(row: Any) -> Iterator[Key]:
    return ((row.id, row.member, work.value) for work in _WORKS if getattr(row, work.value))


def _row(key: Key, user_id: int, priority: int, created_at: Any, lag: int) -> dict[str, Any]:
    job_id, member, work = key
    return {
        "job_id": job_id,
        "member": member,
        "work": work,
        "open": True,
        "user_id": user_id,
        "rank": -priority,
        "age": created_at,
        "lag": lag,
    }


def _job_members() -> tuple[Any, Any]:
    """Jobs that search, and laterally their members."""
    job = (
        select(
            Job.id,
            Job.user_id,
            Job.priority,
            Job.created_at,
            Job.lag.label("lag"),
            (Job.search_members + Job.refine_members + Job.score_members).label("members"),
        )
        .where(Job.state.in_(OPEN), Job.stage == Stage.SEARCHING)
        .subquery("searching")
    )
    named = func.unnest(job.c.members).column_valued("member")
    return job, lateral(select(named.label("member")).distinct(), "named")


def _there(work: Work, job_id: Any, member: Any) -> ColumnElement[bool]:
    """Whether a job has work of this kind for a member, with the references that it rests on."""
    if work is Work.REFERENCE:
        return _references(job_id, member, Reference.state.in_(OPEN))
    table = Walker if work is Work.WALKER else MemberEnergy
    rows = exists().where(table.job_id == job_id, table.member == member, table.state.in_(OPEN))
    return rows & ~_references(job_id, member, Reference.state != State.SUCCEEDED)


def _references(job_id: Any, member: Any, which: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(
        JobReference.job_id == job_id, Reference.id == JobReference.reference_id, Reference.member == member, which
    )


def _lane_open(work: Work, job_id: Any, member: Any) -> ColumnElement[bool]:
    return exists().where(Lane.job_id == job_id, Lane.member == member, Lane.work == work, Lane.open)
