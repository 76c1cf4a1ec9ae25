"""Who has something queued, and should be notified of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, exists, or_, select, union_all
from sqlalchemy.orm import Session

from shared.database.repositories.workers import is_fresh
from shared.database.tables import JobReference, Lane, MemberEnergy, Reference, StageRow, Walker, Worker
from shared.states import State, Work


def members_of_jobs(session: Session, job_ids: Sequence[UUID]) -> list[str]:
    """Members that have something queued in these jobs."""
    return sorted(session.scalars(_waiting().where(Lane.job_id.in_(job_ids)).distinct()))


def members(session: Session) -> list[str]:
    """Members for which a row waits to be claimed, whatever the job."""
    there = select(Lane.member).where(Lane.open).distinct().subquery()
    waits = _waiting().where(Lane.member == there.c.member).correlate(there).exists()
    return sorted(session.scalars(select(there.c.member).where(waits)))


def _waiting() -> Select[str]:
    """Lanes with something queued."""
    walker = exists().where(Walker.job_id == Lane.job_id, Walker.member == Lane.member, Walker.state == State.QUEUED)
    evaluation = exists().where(
        MemberEnergy.job_id == Lane.job_id, MemberEnergy.member == Lane.member, MemberEnergy.state == State.QUEUED
    )
    reference = exists().where(
        JobReference.job_id == Lane.job_id,
        Reference.id == JobReference.reference_id,
        Reference.member == Lane.member,
        Reference.state == State.QUEUED,
    )
    rows = {Work.WALKER: walker, Work.EVALUATION: evaluation, Work.REFERENCE: reference}
    return select(Lane.member).where(Lane.open, or_(*[(Lane.work == work) & there for work, there in rows.items()]))


def lacking(session: Session, member: str, owner: str, most: int) -> int:
    """Rows that the other workers which host this member would take to hold so many each."""
    others = session.scalars(
        select(Worker.name).where(Worker.ready, Worker.members.contains([member]), is_fresh(), Worker.name != owner)
    ).all()
    if not others:
        return 0
    runs = [
        select(table.owner).where(table.state == State.RUNNING, table.owner.in_(others))
        for table in (Reference, Walker, MemberEnergy)
    ]
    held = Counter(session.scalars(union_all(*runs)))
    return sum(max(0, most - held[name]) for name in others)


def stages(session: Session) -> bool:
    """Whether a CPU stage waits to be claimed."""
    return session.scalar(select(StageRow.id).where(StageRow.state == State.QUEUED).limit(1)) is not None
