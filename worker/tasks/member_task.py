"""The task of a potentials worker: claim, evaluate in batches, commit, claim again.

Three threads: this one drives the walks, one evaluates forwards (worker.tasks.device), and one is for the database: it stores what
ended and claims what comes next, so that the device waits for neither (docs/decisions/0038). What the task holds is touched by this
thread alone.

One engine for each member with work. Users take turns on the device by the time they had of it, whichever members they use it for;
between engines that are equal they alternate, so that scoring by one member does not wait for another's whole search.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from services.forces.engine import Engine, Outcome
from services.forces.shares import Shares
from shared.broker import Notifier
from shared.database.session import Sessions
from shared.errors import Broken, DeviceFault, MachineryFailure
from shared.settings import Settings
from worker.lifecycle import shutdown
from worker.lifecycle.lease_keeper import LeaseKeeper
from worker.lifecycle.shutdown import exit_process
from worker.members.cache import MemberCache
from worker.queue import claims
from worker.tasks.claiming import Claiming, Gained, Wanted
from worker.tasks.device import Device, Flight
from worker.tasks.schedule import Schedule
from worker.tasks.storing import Finished, Storing, Used
from worker.tasks.work_item import WorkItem

log = logging.getLogger(__name__)

_POLL_S = 0.2
"""Longest time until a stop is noticed."""
_NEW_AT_ONCE = 8
"""Walks that begin between two looks at the device: the first step of each takes longer than the others."""
_REFUSED_S = 10.0
"""For so long no member is tried again that could not be loaded: the device stands still for it."""
_SWITCH_S = 0.0005
"""After this long a thread lets another one go on: a device that has its answer shall not wait for five milliseconds of Python."""


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
        self._cache = cache
        self._claiming = Claiming(settings, sessions, cache, keeper)
        self._storing = Storing(settings, sessions, keeper, notifier, cache.hosted)
        self._device = Device(settings.walkers_per_worker)
        self._database = ThreadPoolExecutor(1, thread_name_prefix="database")
        self._engines: dict[str, Engine] = {}
        self._shares = Shares()
        self._sent: dict[str, int] = {}
        self._items: dict[claims.Lease, WorkItem] = {}
        self._finished: list[Finished] = []
        self._ending: set[claims.Lease] = set()
        self._unfinished: list[Used] = []
        self._exchange: Future[Gained] | None = None
        self._schedule = Schedule()
        self._to_load: list[str] = []
        self._refused: dict[str, float] = {}
        self._alone = self._looking = self._found_nothing = False

    def run(self, first: str) -> None:
        """Until nothing is claimable, a stop is requested, or the slice is over; `first` is the member that the message named. Does
        not return where the device is beyond use. An error that nobody foresaw is raised again once what was held is requeued."""
        members = sorted(self._cache.hosted, key=lambda member: member != first)
        until = time.monotonic() + self._settings.task_slice_s
        sys.setswitchinterval(_SWITCH_S)
        try:
            self._run(members, until)
        except DeviceFault as fault:
            self._exit_process(fault)
        except Exception as error:
            with contextlib.suppress(Exception):
                self._settle()
            self._storing.end_attempts(self._items, Broken(f"{type(error).__name__}: {error}"[:500]))
            raise
        finally:
            self._device.close()
            self._database.shutdown(wait=True, cancel_futures=True)
        if time.monotonic() > until:
            for member in members:
                self._notifier.notify_member(member)

    def _run(self, members: list[str], until: float) -> None:
        while not shutdown.requested():
            closing = time.monotonic() > until
            self._drop_lost()
            self._load()
            more = self._begin_walks()
            self._feed()
            self._talk_to_database(members, closing)
            if not (self._items or self._exchange or self._to_load) and (closing or self._found_nothing):
                break
            self._await(0.0 if more else _POLL_S)
        self._settle()
        self._release_all()
        for member, engine in self._engines.items():
            self._cache.used(member, engine.force_calls, engine.batch_atoms)

    def _begin_walks(self) -> bool:
        """Have some of the new walks begin. Returns whether others have to."""
        for member, engine in self._engines.items():
            self._end(member, engine.begin(_NEW_AT_ONCE))
        return any(engine.new() for engine in self._engines.values())

    def _feed(self) -> None:
        """Give the device the next forwards: of the engine in which the user waits who had least time; of equals, of the one that
        waited longest. None while a member is to be loaded, which has the device to itself."""
        passed: set[str] = set()
        while self._device.free and not self._to_load:
            ready = [name for name, engine in self._engines.items() if name not in passed and engine.waiting()]
            if not ready:
                return
            member = min(ready, key=lambda one: (self._engines[one].turn_s(), self._sent.get(one, 0)))
            if self._device.send(member, self._engines[member]):
                self._sent[member] = max(self._sent.values(), default=0) + 1
            else:
                passed.add(member)

    def _await(self, longest_s: float) -> None:
        """Until a forward is answered, or the database's thread has done what it was asked."""
        there: list[Future[Any]] = [*self._device.futures, *([self._exchange] if self._exchange else [])]
        if there:
            wait(there, timeout=longest_s, return_when=FIRST_COMPLETED)
        else:
            time.sleep(min(longest_s, self._schedule.rest_left(time.monotonic())))
        flight = self._device.landed()
        if flight is not None:
            self._land(flight)
        if self._exchange is not None and self._exchange.done():
            self._receive()

    def _land(self, flight: Flight) -> None:
        evaluated = flight.future.result()  # raises DeviceFault; the flight is what it happened to
        self._feed()  # before the walks think, where there are others
        began = time.perf_counter()
        outcomes = flight.engine.answer(flight.batch, evaluated)
        self._device.forget(flight, time.perf_counter() - began)
        self._end(flight.member, outcomes)

    def _end(self, member: str, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome.key, claims.Lease) and outcome.key in self._items:
                self._finished.append(Finished(member, self._items[outcome.key], outcome))
                self._ending.add(outcome.key)

    def _talk_to_database(self, members: list[str], closing: bool) -> None:
        """Have what ended stored, and new work claimed, where that is due."""
        now = time.monotonic()
        ended = len(self._finished) + len(self._unfinished)
        due = self._schedule.due(now, held=len(self._items), ended=ended)
        if self._exchange is not None or self._to_load or not due:
            return
        held = {member: engine.owners() for member, engine in self._engines.items()}
        most = {member: self._device.holds(member) for member in held}
        idle = len(self._items) == len(self._finished)
        willing = [member for member in members if self._refused.get(member, 0.0) <= now]
        wanted = None if closing or (self._alone and not idle) else Wanted(willing, held, most, idle)
        finished, self._finished = self._finished, []
        unfinished, self._unfinished = self._unfinished, []
        self._looking = wanted is not None
        self._schedule.turn(now)
        self._exchange = self._database.submit(self._exchanged, finished, unfinished, wanted)

    def _exchanged(self, finished: list[Finished], unfinished: list[Used], wanted: Wanted | None) -> Gained:
        """On the database's thread."""
        self._storing.store(finished)
        try:
            self._storing.count(unfinished)
        except SQLAlchemyError as error:
            log.warning("device time of %d pieces of work not counted: %s", len(unfinished), error)
        return Gained() if wanted is None else self._claiming.take(wanted)

    def _receive(self) -> None:
        """Take over what the database's thread has done."""
        assert self._exchange is not None
        done, self._exchange = self._exchange, None
        gained = done.result()
        for lease in self._ending - {one.lease for one in self._finished}:
            self._ending.discard(lease)
            self._items.pop(lease, None)
        self._alone = gained.alone or (self._alone and bool(self._items))
        for member, item in gained.items:
            self._items[item.lease] = item
            self._engines[member].add(item.lease, item.walk(), item.lease.claimed_for)
        self._to_load = gained.to_load
        self._found_nothing = self._looking and not gained.items and not gained.to_load
        full = any(len(engine) >= self._settings.walkers_per_worker for engine in self._engines.values())
        self._schedule.rest(time.monotonic(), full=full)

    def _load(self) -> None:
        """Load members that have work, once the device is at rest."""
        if not self._to_load or self._device.futures:
            return
        for member in self._to_load:
            if self._loaded(member):
                self._schedule.at_once()
            else:
                self._refused[member] = time.monotonic() + _REFUSED_S
        self._to_load = []

    def _loaded(self, member: str) -> bool:
        """Whether the member has an engine now."""
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
            return False
        self._engines[member] = Engine(
            potential,
            batch_atoms=self._cache.batch_atoms(member),
            most_batch_atoms=self._cache.entry(member).limits.batch_atoms,
            batch_walks=self._settings.walkers_per_worker,
            shares=self._shares,
            clock=time.perf_counter,
        )
        return True

    def _exit_process(self, fault: DeviceFault) -> None:
        """Nothing that this process asks the device will be answered: what was in the failing forward has had an attempt, the rest
        is released, and the process exits. Its successor claims nothing before its members' canaries answer."""
        flight = self._device.landed()
        suspects = [] if flight is None else [key for key in flight.batch.keys if isinstance(key, claims.Lease)]
        log.critical("%s: %s; this process exits", "" if flight is None else flight.member, fault)
        with contextlib.suppress(Exception):
            self._settle()
        self._storing.end_attempts(suspects, fault)
        for lease in suspects:
            self._items.pop(lease, None)
        with contextlib.suppress(OperationalError):
            self._release_all()
        exit_process()

    def _settle(self) -> None:
        """Nothing goes on beside this thread any more, and what ended is stored."""
        self._device.close()
        if self._exchange is not None:
            wait([self._exchange])
            self._receive()
        finished, self._finished = self._finished, []
        self._storing.store(finished)
        for one in finished:
            self._ending.discard(one.lease)
            self._items.pop(one.lease, None)

    def _drop_lost(self) -> None:
        """Of what still walks; what ended is told apart where it is stored."""
        for lease in (self._keeper.lost() & self._items.keys()) - self._ending:
            log.info("lease on %s %d lost: cancelled, or held by another worker", lease.table.__tablename__, lease.id)
            self._forget(lease)

    def _forget(self, lease: claims.Lease) -> None:
        """Hold an item no longer. What it took counts as its user's, where nothing of it was committed."""
        self._keeper.drop(lease)
        self._items.pop(lease, None)
        self._found_nothing = False
        for member, engine in self._engines.items():
            cost = engine.drop(lease)
            if cost.force_calls:
                self._unfinished.append(Used(lease.claimed_for, member, cost))

    def _release_all(self) -> None:
        """On an orderly stop: what is held is requeued, and costs no attempt."""
        for lease in list(self._items):
            self._storing.release(lease)
            self._forget(lease)
        self._storing.count(self._unfinished)
