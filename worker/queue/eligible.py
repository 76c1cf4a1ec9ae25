"""Open work: which rows may be claimed now, and whose turn it is.

Each of the queries names its rows in columns `id` and then the keys they are taken by, smallest first: round robin over users, then
priority, then age.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, Subquery, and_, exists, func, literal, or_, select, union_all
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.elements import ColumnElement

from shared.database.tables import Job, JobReference, MemberEnergy, Placement, Reference, StageRow, Walker
from shared.states import OPEN, State

_LATEST = 500
"""Claims that are looked back on to see whose turn it is."""


def stages() -> Subquery:
    """CPU stages that may be claimed."""
    standing = _standing(StageRow)
    return (
        select(StageRow.id, *_fair(StageRow, standing))
        .join(Job, Job.id == StageRow.job_id)
        .outerjoin(standing, standing.c.user_id == Job.user_id)
        .where(StageRow.state == State.QUEUED, Job.state.in_(OPEN))
        .subquery()
    )


def references(member: str) -> Subquery:
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


def walkers(member: str) -> Subquery:
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
                and_(Walker.hop < slowest + Job.lag, or_(Walker.hop == 0, slowest > 0)),
            ),
        )
        .subquery()
    )


def evaluations(member: str) -> Subquery:
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


def anything_open(session: Session, member: str) -> bool:
    """Whether a worker that hosts this member would get anything to do."""
    return any(
        session.scalar(select(eligible.c[0]).limit(1)) is not None
        for eligible in (references(member), evaluations(member), walkers(member))
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
