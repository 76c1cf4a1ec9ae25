"""What a claim looks for, and the rows of one lane that it may take."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal, literal_column, not_, or_, select, true
from sqlalchemy.orm import aliased

from shared.database.tables import JobReference, Lane, MemberEnergy, Reference, Walker
from shared.states import OPEN, Stage, State, Work

QUEUED: ColumnElement[str] = literal_column("'queued'")


class Trial(StrEnum):
    """Which rows a claim takes: those that may share a worker with others, or those on their last attempt, that may not."""

    SHARED = "shared"
    ALONE = "alone"


@dataclass(frozen=True)
class Look:
    """What a claim looks for."""

    most: int
    """Rows of each user that are looked at, and users: those whose turn it is and who have a row to be taken."""
    trial: Trial | None = None
    """None takes rows of either kind."""
    max_attempts: int = 1
    """Tells them apart."""
    besides: tuple[int, ...] = ()
    """Users who are passed over."""

    def takes(self, table: Any) -> ColumnElement[bool]:
        """Which queued rows."""
        queued: ColumnElement[bool] = table.state == QUEUED
        if self.trial is None:
            return queued
        again = last(table, self.max_attempts)
        return queued & again if self.trial is Trial.ALONE else queued & not_(again)

    def each(self, of: Any, rows: Select[*tuple[Any, ...]], *order: Any) -> Any:
        """The first rows of each lane, or of each user. Those on their last attempt are few: the plan may begin with them."""
        return (rows if self.trial is Trial.ALONE else rows.order_by(*order).limit(self.most)).correlate(of).lateral()


def last(table: Any, max_attempts: int) -> ColumnElement[bool]:
    """Rows whose next attempt is their last."""
    least = max(1, max_attempts - 1)
    return and_(table.attempts > literal_column("0"), table.attempts >= least)


def listed(values: Collection[State | Stage]) -> list[ColumnElement[str]]:
    """As literals, as they stand in the indexes."""
    return [literal_column(f"'{value.value}'") for value in sorted(values)]


def lanes_of(member: str, work: Work) -> ColumnElement[bool]:
    """Open ones, of one kind of work for a member."""
    return and_(Lane.member == member, Lane.work == literal_column(f"'{work.value}'"), Lane.open)


def _references_in_lane(member: str, look: Look) -> Any:
    rows = (
        select(Reference.id, literal(0).label("step"))
        .join_from(JobReference, Reference, Reference.id == JobReference.reference_id)
        .where(JobReference.job_id == Lane.job_id, Reference.member == member, look.takes(Reference))
    )
    return look.each(Lane, rows, Reference.id)


def _walkers_in_lane(member: str, look: Look) -> Any:
    other = aliased(Walker)
    behind = select(func.min(other.hop).label("hop")).where(
        other.job_id == Lane.job_id,
        other.member == member,
        other.refines.is_(None),
        other.state.in_(listed(OPEN)),
    )
    slowest = behind.correlate(Lane).lateral()
    may = or_(
        Walker.refines.is_not(None),
        and_(Walker.hop < slowest.c.hop + Lane.lag, or_(Walker.hop == 0, slowest.c.hop > 0)),
    )
    rows = (
        select(Walker.id, Walker.hop.label("step"))
        .join_from(slowest, Walker, true())
        .where(Walker.job_id == Lane.job_id, Walker.member == member, look.takes(Walker), may)
    )
    return look.each(Lane, rows, Walker.hop, Walker.id)


def _evaluations_in_lane(member: str, look: Look) -> Any:
    rows = select(MemberEnergy.id, literal(0).label("step")).where(
        MemberEnergy.job_id == Lane.job_id, MemberEnergy.member == member, look.takes(MemberEnergy)
    )
    return look.each(Lane, rows, MemberEnergy.id)


IN_LANE: dict[Work, Callable[[str, Look], Any]] = {
    Work.REFERENCE: _references_in_lane,
    Work.EVALUATION: _evaluations_in_lane,
    Work.WALKER: _walkers_in_lane,
}
"""Laterally the rows of one lane that a look takes, in columns `id` and `step`."""
