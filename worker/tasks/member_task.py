"""The task of a potentials worker: claim, evaluate in batches, commit, claim again.

One engine for each member with work. Users take turns on the device by the time they had of it, whichever members they use it for;
between engines that are equal they alternate, so that scoring by one member does not wait for another's whole search.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Collection, Iterable
from uuid import UUID

from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from services.forces.engine import Cost, Engine, Outcome
from services.forces.shares import Shares
from shared.broker import Notifier
from shared.database.session import Sessions
from shared.database.tables import Reference
from shared.database.workflow import progression, turns
from shared.database.workflow.turns import Spent
from shared.errors import Broken, DeviceFault, LostLease, MachineryFailure, OtherVersion, ScienceFailure
from shared.settings import Settings
from worker.lifecycle import shutdown
from worker.lifecycle.heartbeat import worker_name
from worker.lifecycle.lease_keeper import LeaseKeeper
from worker.lifecycle.shutdown import exit_process
from worker.members.cache import MemberCache
from worker.queue import backlog, claims
from worker.tasks.claiming import Claiming, room
from worker.tasks.committing import commit_while_held
from worker.tasks.work_item import WorkItem

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Least time between two looks for work by an engine that has some but not its fill."""
_TOGETHER = 100
"""Jobs that are moved on in one transaction."""


class MemberTask:
    """One run of the task. All state that matters is in the database; this holds what is in flight."""

    def __init__(
        self,
        settings: Settings,
        sessions: Sessions,
        cache: MemberCache,
        keeper: LeaseKeeper,
        notifier: Notifier,
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._keeper = keeper
        self._notifier = notifier
        self._stepping = ""
        self._cache = cache
        self._claiming = Claiming(settings, sessions, cache)
        self._engines: dict[str, Engine] = {}
        self._shares = Shares()
        self._stepped: dict[str, int] = {}
        self._items: dict[claims.Lease, WorkItem] = {}
        self._looked = dict.fromkeys(cache.hosted, 0.0)
        self._alone = False

    def run(self, first: str) -> None:
        """Until nothing is claimable, a stop is requested, or the slice is over; `first` is the member that the message named. Does
        not return where the device is beyond use. An error that nobody foresaw is raised again once what was held is requeued."""
        members = sorted(self._cache.hosted, key=lambda member: member != first)
        until = time.monotonic() + self._settings.task_slice_s
        try:
            self._run(members, until)
        except DeviceFault as fault:
            self._exit_process(fault)
        except Exception as error:
            self._end_attempts(self._items, Broken(f"{type(error).__name__}: {error}"[:500]))
            raise
        if time.monotonic() > until:
            for member in members:
                self._notifier.notify_member(member)

    def _run(self, members: list[str], until: float) -> None:
        while not shutdown.requested():
            closing = time.monotonic() > until
            if not closing:
                try:
                    self._take(members)
                except (OperationalError, OtherVersion) as error:  # what is held goes on; its lease says for how long
                    log.warning("no work claimed: %s", error)
            if not self._items:
                break
            self._drop_lost()
            self._step()
        self._release_all()
        for member, engine in self._engines.items():
            self._cache.used(member, engine.force_calls, engine.batch_atoms)

    def _step(self) -> None:
        """Let the engine go on in which the user waits who had least time; of equals, the one that waited longest."""
        busy = [member for member, engine in self._engines.items() if len(engine)]
        if not busy:
            return
        member = min(busy, key=lambda one: (self._engines[one].turn_s(), self._stepped.get(one, 0)))
        self._stepping = member
        self._stepped[member] = max(self._stepped.values(), default=0) + 1
        for outcome in self._engines[member].step():
            self._commit(member, outcome)
        self._stepping = ""  # a device that fails later, as while a member is loaded, doesn't fail by this work

    def _take(self, members: list[str]) -> None:
        """New work. A row on its last attempt is taken by a worker that holds nothing, and nothing is taken beside it. Nor does a
        worker take more while such a row waits: what it holds are single hops, so it soon holds nothing."""
        if self._alone:
            return
        if not self._items:
            last = self._claiming.last_attempts(members)
            self._alone = any(self._top_up(member, 1, claims.Trial.ALONE) for member in last)
            if self._alone:
                return
        due = [member for member in members if self._is_due(member)]
        self._looked |= dict.fromkeys(due, time.monotonic())
        if not due or (self._items and self._claiming.last_attempts(members)):
            return
        for member in due:
            held = self._engines[member].owners() if member in self._engines else {}
            more, besides = room(held, self._settings.walkers_per_worker)
            if more > 0:
                self._top_up(member, more, claims.Trial.SHARED, besides)

    def _is_due(self, member: str) -> bool:
        return not self._items or time.monotonic() - self._looked[member] >= LOOK_S

    def _top_up(self, member: str, room: int, trial: claims.Trial, besides: Collection[int] = ()) -> bool:
        """Whether anything was claimed."""
        engine = self._engine(member)
        if engine is None:
            return False
        claimed = self._claiming.claim(member, room, trial, besides)
        for item in claimed:
            self._items[item.lease] = item
            self._keeper.hold(item.lease)
            engine.add(item.lease, item.walk(), item.lease.claimed_for)
        return bool(claimed)

    def _engine(self, member: str) -> Engine | None:
        """The member's engine; the member is loaded only where there is work for it, and nothing is claimed before that succeeded."""
        if member in self._engines:
            return self._engines[member]
        if not self._claiming.anything_open(member):
            return None
        busy = {name for name, engine in self._engines.items() if len(engine)}
        try:
            for evicted in self._cache.make_room(member, busy):
                if evicted in self._engines:
                    engine = self._engines.pop(evicted)
                    self._cache.used(evicted, engine.force_calls, engine.batch_atoms)
                    del engine
            potential = self._cache.get(member)
        except DeviceFault:
            raise
        except MachineryFailure as failure:
            log.warning("member %s can't be used: %s", member, failure)
            return None
        self._engines[member] = Engine(
            potential,
            batch_atoms=self._cache.batch_atoms(member),
            most_batch_atoms=self._cache.entry(member).limits.batch_atoms,
            shares=self._shares,
            clock=time.perf_counter,
        )
        return self._engines[member]

    def _exit_process(self, fault: DeviceFault) -> None:
        """Nothing that this process asks the device will be answered: what was in the failing forward has had an attempt, the rest
        is released, and the process exits. Its successor claims nothing before its members' canaries answer."""
        engine = self._engines.get(self._stepping)
        suspects = [lease for lease in (engine.keys() if engine else []) if isinstance(lease, claims.Lease)]
        log.critical("%s: %s; this process exits", self._stepping, fault)
        self._end_attempts(suspects, fault)
        for lease in suspects:
            self._items.pop(lease, None)
        with contextlib.suppress(OperationalError):
            self._release_all()
        exit_process()

    def _end_attempts(self, leases: Iterable[claims.Lease], failure: MachineryFailure) -> None:
        """What was held when this failed has had an attempt and is requeued: nobody waits for its leases to run out, and the reason
        is kept."""
        for lease in list(leases):
            try:
                with self._sessions.begin() as session:
                    claims.end_attempt(session, lease, failure, worker_name(), self._settings.max_attempts)
            except (LostLease, SQLAlchemyError) as error:
                log.warning("%s %d not requeued: %s", lease.table.__tablename__, lease.id, error)

    def _drop_lost(self) -> None:
        for lease in self._keeper.lost() & self._items.keys():
            log.info("lease on %s %d lost: cancelled, or held by another worker", lease.table.__tablename__, lease.id)
            self._forget(lease)

    def _forget(self, lease: claims.Lease) -> None:
        """Hold an item no longer. What it took counts as its user's, where nothing of it was committed."""
        self._keeper.drop(lease)
        unfinished = {member: engine.drop(lease) for member, engine in self._engines.items()}
        self._items.pop(lease, None)
        self._alone = self._alone and bool(self._items)
        for member, cost in unfinished.items():
            if cost.force_calls:
                self._charge_unfinished(lease, member, cost)

    def _charge_unfinished(self, lease: claims.Lease, member: str, cost: Cost) -> None:
        try:
            with self._sessions.begin() as session:
                _charge(session, lease, member, cost)
        except SQLAlchemyError as error:
            log.warning("%.1f s of user %d not counted: %s", cost.device_s, lease.claimed_for, error)

    def _commit(self, member: str, outcome: Outcome) -> None:
        """Store how an item ended; a database that is away for a moment is tried again while the lease lasts."""
        if not isinstance(outcome.key, claims.Lease) or outcome.key not in self._items:
            return
        lease, item = outcome.key, self._items[outcome.key]
        fields = {
            "work": lease.table.__tablename__,
            "row": lease.id,
            "attempt": lease.token,
            "job": _named(item.job_ids),
        }

        def write() -> None:
            self._store(member, item, outcome)
            log.info("stored" if outcome.error is None else "failed: %s", *filter(None, [outcome.error]), extra=fields)
            self._move_on(lease, item.job_ids)

        try:
            commit_while_held(lease, self._keeper.lost, write, fields=fields)
        except LostLease as lost:
            log.warning("%s", lost, extra=fields)
        self._forget(lease)
        if member in self._engines and not self._engines[member].owners()[lease.claimed_for]:
            self._looked[member] = 0.0  # whoever has nothing else here need not wait for the next look

    def _store(self, member: str, item: WorkItem, outcome: Outcome) -> None:
        lease, failure = item.lease, outcome.error
        if failure is None:
            try:
                with self._sessions.begin() as session:
                    item.store(session, outcome.result)
                    if lease.table is not Reference:
                        work = claims.work_of(lease.table)
                        turns.learn_cost(session, item.job_ids[0], member, work, outcome.cost.device_s)
                    _charge(session, lease, member, outcome.cost)
                return
            except ScienceFailure as refused:
                failure = refused
            except IntegrityError:
                with self._sessions.begin() as session:
                    claims.check(session, lease)  # written already, by another worker or a commit whose answer was lost
                raise
        with self._sessions.begin() as session:
            claims.fail(session, lease, failure, worker_name())
            _charge(session, lease, member, outcome.cost)

    def _move_on(self, lease: claims.Lease, job_ids: tuple[UUID, ...]) -> None:
        """What the commit has brought about; of a reference, for all jobs that rest on it by now."""
        if lease.table is Reference:
            with self._sessions() as session:
                job_ids = progression.resting_on(session, lease.id)
        for first in range(0, len(job_ids), _TOGETHER):
            some = job_ids[first : first + _TOGETHER]
            with self._sessions.begin() as session:
                choose = progression.move_all_on(session, some)
                members = backlog.members_of_jobs(session, some)
            if choose:
                self._notifier.notify_cpu()
            for other in members:
                if other not in self._cache.hosted:
                    self._notifier.notify_member(other)

    def _release_all(self) -> None:
        """On an orderly stop: what is held is requeued, and costs no attempt."""
        for lease in list(self._items):
            with self._sessions.begin() as session:
                claims.release(session, lease)
            self._forget(lease)


def _charge(session: Session, lease: claims.Lease, member: str, cost: Cost) -> None:
    turns.charge(session, lease.claimed_for, member, Spent(cost.device_s, cost.force_calls), by=worker_name())


def _named(job_ids: Iterable[UUID]) -> str:
    return ",".join(map(str, job_ids))
