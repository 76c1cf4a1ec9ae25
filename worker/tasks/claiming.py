"""Which items a worker may run: claimed for a member it hosts, in the order that lets others go on soonest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.exc import OperationalError

from shared.database import revision
from shared.database.session import Sessions
from shared.database.tables import MemberEnergy, Reference, Walker, WorkRow
from shared.errors import OtherVersion
from shared.settings import Settings
from shared.states import Work
from worker.lifecycle.heartbeat import worker_name
from worker.lifecycle.lease_keeper import LeaseKeeper
from worker.members.cache import MemberCache
from worker.queue import backlog, claims, eligible, waiting
from worker.tasks.evaluation import EvaluationItem
from worker.tasks.hop import HopItem
from worker.tasks.reading import Memory, Reading
from worker.tasks.reference import ReferenceItem
from worker.tasks.work_item import WorkItem

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """What a worker looks for."""

    members: Sequence[str]
    """In this order."""
    held: Mapping[str, Mapping[Hashable, int]]
    """Of the members that are loaded: how many items of each user it holds."""
    most: Mapping[str, int]
    """Of these, how many items it would hold."""
    idle: bool
    """Whether it holds nothing at all."""


@dataclass
class Gained:
    """What it found."""

    items: list[tuple[str, WorkItem]] = field(default_factory=list)
    """Each with its member."""
    alone: bool = False
    """Whether it is one on its last attempt, which has the worker for itself."""
    to_load: list[str] = field(default_factory=list)
    """Members with work that aren't loaded: nothing of theirs is claimed before they are."""


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
    keeper: LeaseKeeper
    memory: Memory = field(default_factory=Memory)

    def take(self, wanted: Wanted) -> Gained:
        """New work. A row on its last attempt is taken by a worker that holds nothing, and nothing is taken beside it. Nor does a
        worker take more while such a row waits: what it holds are single hops, so it soon holds nothing."""
        gained = Gained()
        try:
            self._take(wanted, gained)
        except (OperationalError, OtherVersion) as error:  # what is held goes on, and what was claimed before this
            log.warning("no work claimed: %s", error)
        return gained

    def _take(self, wanted: Wanted, gained: Gained) -> None:
        last = self.last_attempts(wanted.members)
        gained.to_load.extend(one for one in wanted.members if one not in wanted.held and self.anything_open(one))
        if last and not wanted.idle:
            return
        for member in last:
            if member in wanted.held and (items := self.claim(member, 1, claims.Trial.ALONE)):
                gained.items.extend((member, item) for item in items)
                gained.alone = True
                return
        for member, held in wanted.held.items():
            more, besides = room(held, wanted.most[member])
            lacks = self.settings.walkers_per_worker - sum(held.values())
            if more > 0:
                items = self.claim(member, more, claims.Trial.SHARED, besides, least=more if besides else max(0, lacks))
                gained.items.extend((member, item) for item in items)

    def claim(
        self,
        member: str,
        room: int,
        trial: claims.Trial,
        besides: Collection[int] = (),
        *,
        least: int | None = None,
    ) -> list[WorkItem]:
        """Up to `room` items, none of the users `besides`. References come before evaluations, evaluations before hops: what unblocks
        others goes first. least: beyond so many, other workers are left what they lack. Raises OtherVersion where the tables are
        those of another version, and OperationalError."""
        least = room if least is None else least
        items: list[WorkItem] = []
        with self.sessions.begin() as session:
            revision.check(session)
            reading = Reading(session, self.memory)
            leave = (
                backlog.lacking(session, member, worker_name(), self.settings.walkers_per_worker) if least < room else 0
            )
            there = waiting.works_open(session, member)
            for table, found in (source for work, source in _SOURCES.items() if work in there):
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
                    least=max(0, least - len(items)),
                    leave=leave,
                )
                reading.prepare(rows)
                items += [self._item(reading, member, row) for row in rows]
                if len(items) >= room:
                    break
        for item in items:
            self.keeper.hold(item.lease)
        return items

    def last_attempts(self, members: Sequence[str]) -> list[str]:
        """Those of these members that have a row which waits for its last attempt and may be claimed now."""
        limit = self.settings.max_attempts
        with self.sessions() as session:
            there = waiting.on_last_attempt(session, limit)
            return [
                member
                for member in members
                if any(
                    (work, member) in there and waiting.last_attempt_waits(session, found(member), limit)
                    for work, (_, found) in _SOURCES.items()
                )
            ]

    def anything_open(self, member: str) -> bool:
        with self.sessions() as session:
            return waiting.anything_open(session, member)

    def _item(self, reading: Reading, member: str, row: WorkRow) -> WorkItem:
        if isinstance(row, Reference):
            return ReferenceItem.load(reading.session, row)
        if isinstance(row, MemberEnergy):
            return EvaluationItem.load(reading, row, self.cache.entry(member).energy_kind)
        if isinstance(row, Walker):
            return HopItem.load(reading, row)
        raise TypeError(f"no item for {row}")


_SOURCES: dict[Work, tuple[type[claims.MemberWork], Callable[[str], eligible.Eligible]]] = {
    Work.REFERENCE: (Reference, eligible.references),
    Work.EVALUATION: (MemberEnergy, eligible.evaluations),
    Work.WALKER: (Walker, eligible.walkers),
}
"""In the order in which they are claimed."""
