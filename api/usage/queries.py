"""What users used, summed by user and month."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.database.tables import Usage, User


@dataclass(frozen=True)
class Used:
    """By one user in one month."""

    user_id: int
    user: str
    month: date
    """Its first day."""
    device_s: float
    force_calls: int
    jobs: int


def by_month(
    session: Session, *, user_id: int | None = None, user: str | None = None, month: date | None = None
) -> Sequence[Used]:
    """The newest month first, then by name. user_id, user: of this one alone. month: its first day; None: all of them."""
    sums = (func.sum(Usage.device_s), func.sum(Usage.force_calls), func.sum(Usage.jobs))
    query = (
        select(Usage.user_id, User.name, Usage.month, *sums)
        .join(User, User.id == Usage.user_id)
        .group_by(Usage.user_id, User.name, Usage.month)
        .order_by(Usage.month.desc(), User.name)
    )
    if user_id is not None:
        query = query.where(Usage.user_id == user_id)
    if user is not None:
        query = query.where(User.name == user)
    if month is not None:
        query = query.where(Usage.month == month)
    return [
        Used(user_id, name, first, float(device_s), int(force_calls), int(jobs))
        for user_id, name, first, device_s, force_calls, jobs in session.execute(query)
    ]
