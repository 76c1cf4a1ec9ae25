"""Turns by device time: what a user used with a member is added up where the work is committed, and whoever used least comes first.

Start-time fair queueing: whoever comes back counts as having used as much as the least served of those who stayed, so that idle time
isn't saved up. P. Goyal, H. M. Vin, H. Cheng, IEEE/ACM Trans. Netw. 5, 690 (1997), doi:10.1109/90.649569.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Date, cast, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.database.tables import STRIPES, Lane, Turn, Usage
from shared.states import Work

STAGES = ""
"""The CPU stages, in place of a member's name."""


@dataclass(frozen=True)
class Spent:
    """What a piece of work took."""

    device_s: float
    force_calls: int = 0
    jobs: int = 0
    """Whose placements it found."""
    pieces: int = 1
    """Of work that it was."""


def charge(session: Session, user_id: int, member: str, spent: Spent, *, by: str) -> None:
    """Count it as the user's. `by` names the worker. The last thing to do in a transaction, and in this order: others who count for
    the same user wait until it ends."""
    stripe = zlib.crc32(by.encode()) % STRIPES
    turn = insert(Turn).values(
        user_id=user_id, member=member, stripe=stripe, device_s=spent.device_s, pieces=spent.pieces
    )
    session.execute(
        turn.on_conflict_do_update(
            index_elements=[Turn.user_id, Turn.member, Turn.stripe],
            set_={"device_s": Turn.device_s + turn.excluded.device_s, "pieces": Turn.pieces + turn.excluded.pieces},
        )
    )
    month = cast(func.date_trunc("month", func.timezone("UTC", func.now())), Date)
    used = insert(Usage).values(
        user_id=user_id,
        month=month,
        stripe=stripe,
        device_s=spent.device_s,
        force_calls=spent.force_calls,
        jobs=spent.jobs,
    )
    more = {name: getattr(Usage, name) + used.excluded[name] for name in ("device_s", "force_calls", "jobs")}
    session.execute(used.on_conflict_do_update(index_elements=[Usage.user_id, Usage.month, Usage.stripe], set_=more))


def learn_cost(session: Session, job_id: UUID, member: str, work: Work, device_s: float, *, pieces: int = 1) -> None:
    """Remember what more of a job's pieces of work took together: the next of them is expected to take as long as one."""
    session.execute(
        update(Lane)
        .where(Lane.job_id == job_id, Lane.member == member, Lane.work == work)
        .values(device_s=Lane.device_s + device_s, pieces=Lane.pieces + pieces)
        .execution_options(synchronize_session=False)
    )


def arrive(session: Session, user_id: int, member: str) -> None:
    """The user is about to have work for this member again. Where there was none, what others used meanwhile counts as forgone: as
    much as the least served of those who have work now, or where nobody has, as much as anybody."""
    if session.scalar(select(exists().where(Lane.user_id == user_id, Lane.member == member, Lane.open))):
        return
    counted = func.sum(Turn.device_s + Turn.forgone_s)
    others = select(counted.label("s")).where(Turn.member == member, Turn.user_id != user_id).group_by(Turn.user_id)
    there = exists().where(Lane.member == member, Lane.user_id == Turn.user_id, Lane.open)
    least = session.scalar(select(func.min(others.where(there).subquery().c.s)))
    floor = session.scalar(select(func.max(others.subquery().c.s))) if least is None else least
    if floor is not None:
        forgo(session, user_id, member, floor)


def forgo(session: Session, user_id: int, member: str, floor_s: float) -> None:
    """Have the user count as having used so much at least. Twice is as good as once."""
    mine = (Turn.user_id == user_id, Turn.member == member)
    used, forgone = session.execute(
        select(func.coalesce(func.sum(Turn.device_s), 0.0), func.coalesce(func.sum(Turn.forgone_s), 0.0)).where(*mine)
    ).one()
    if used + forgone >= floor_s:
        return
    turn = insert(Turn).values(user_id=user_id, member=member, stripe=0, forgone_s=floor_s - used)
    session.execute(
        turn.on_conflict_do_update(
            index_elements=[Turn.user_id, Turn.member, Turn.stripe],
            set_={"forgone_s": func.greatest(Turn.forgone_s, turn.excluded.forgone_s)},
        )
    )
