"""Which items a worker may run: claimed for a member it hosts, in the order that lets others go on soonest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from shared.database import revision
from shared.database.session import Sessions
from shared.database.tables import MemberEnergy, Reference, Walker, WorkRow
from shared.settings import Settings
from worker.lifecycle.heartbeat import worker_name
from worker.members.cache import MemberCache
from worker.queue import claims, eligible
from worker.tasks.evaluation import EvaluationItem
from worker.tasks.hop import HopItem
from worker.tasks.reference import ReferenceItem
from worker.tasks.work_item import WorkItem


def room(held: Mapping[Hashable, int], most: int) -> tuple[int, set[int]]:
    """How many more items an engine takes that holds so many of each user, and whose not. A full one takes some all the same, of
    users who have less than their part of it, up to twice as many in all: they need not wait for the end of somebody's long hops."""
    n = sum(held.values())
    if n < most:
        return most - n, set()
    part = max(1, most // (len(held) + 1))
    return min(part, 2 * most - n), {user for user, own in held.items() if own >= part and isinstance(user, int)}


@dataclass(frozen=True)
class Claiming:
    """Claims in the name of this process."""

    settings: Settings
    sessions: Sessions
    cache: MemberCache

    def claim(self, member: str, room: int, trial: claims.Trial, besides: Collection[int] = ()) -> list[WorkItem]:
        """Up to `room` items, none of the users `besides`. References come before evaluations, evaluations before hops: what unblocks
        others goes first. Raises OtherVersion where the tables are those of another version, and OperationalError."""
        items: list[WorkItem] = []
        with self.sessions.begin() as session:
            revision.check(session)
            for table, found in _SOURCES:
                rows = claims.claim(
                    session,
                    table,
                    found(member),
                    owner=worker_name(),
                    lease_s=self.settings.lease_s,
                    limit=room - len(items),
                    trial=trial,
                    max_attempts=self.settings.max_attempts,
                    besides=sorted(besides),
                )
                items += [self._item(session, member, row) for row in rows]
                if len(items) >= room:
                    break
        return items

    def last_attempts(self, members: Sequence[str]) -> list[str]:
        """Those of these members that have a row which waits for its last attempt and may be claimed now."""
        limit = self.settings.max_attempts
        with self.sessions() as session:
            there = {table: claims.on_last_attempt(session, table, limit) for table, _ in _SOURCES}
            return [
                member
                for member in members
                if any(
                    member in there[table] and claims.last_attempt_waits(session, found(member), limit)
                    for table, found in _SOURCES
                )
            ]

    def anything_open(self, member: str) -> bool:
        with self.sessions() as session:
            return eligible.anything_open(session, member)

    def _item(self, session: Session, member: str, row: WorkRow) -> WorkItem:
        if isinstance(row, Reference):
            return ReferenceItem.load(session, row)
        if isinstance(row, MemberEnergy):
            return EvaluationItem.load(session, row, self.cache.entry(member).energy_kind)
        if isinstance(row, Walker):
            return HopItem.load(session, row)
        raise TypeError(f"no item for {row}")


_SOURCES: tuple[tuple[type[claims.MemberWork], Callable[[str], eligible.Eligible]], ...] = (
    (Reference, eligible.references),
    (MemberEnergy, eligible.evaluations),
    (Walker, eligible.walkers),
)
