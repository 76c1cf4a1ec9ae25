"""The members that this process keeps loaded. Each is loaded when it is first rung for, once, and stays; when memory runs short,
those that were used longest ago leave.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from services.forces.potential import Potential
from shared.database.repositories.workers import register
from shared.database.session import Sessions
from shared.errors import DeviceFault, InvalidInput, MachineryFailure, Misconfigured
from shared.settings import Settings
from shared.states import MemberState
from worker.members import canary, device_records, devices
from worker.members.device_records import Shown
from worker.members.devices import GIB, Device
from worker.members.registration import announce, registration
from worker.potentials import registry
from worker.potentials.entry import Entry

log = logging.getLogger(__name__)

RETRY_S = 60.0
"""A member that couldn't be loaded is tried again after this long."""
_UNKNOWN_BYTES = GIB
"""Room asked for a member that never was loaded and whose entry doesn't say."""


@dataclass
class _Place:
    """One hosted member. hits: how often it was needed and resident already."""

    entry: Entry
    sha256: str = ""
    potential: Potential | None = None
    load_s: float | None = None
    memory_bytes: int | None = None
    batch_atoms: int | None = None
    loads: int = 0
    hits: int = 0
    evaluations: int = 0
    used: float = 0.0
    reason: str = ""
    again_at: float = 0.0


@dataclass(frozen=True)
class Report:
    """What the front end shows of one hosted member. state: `resident`, `absent` (loaded when needed) or `unfit`, with the reason."""

    member: str
    state: str
    reason: str
    load_s: float | None
    memory_bytes: int | None
    batch_atoms: int | None
    loads: int
    hits: int
    evaluations: int


class Residents:
    """Members hosted on one device. unfit: those that the settings name and this process can't host, with the reasons."""

    def __init__(
        self, entries: Sequence[Entry], device: Device, sessions: Sessions, settings: Settings, unfit: Mapping[str, str]
    ) -> None:
        self._places = {entry.name: _Place(entry) for entry in entries}
        self._unfit = dict(unfit)
        self.device = device
        self._sessions = sessions
        self._reserve = int(settings.min_free_gib * GIB)
        self._budget = None if settings.members_memory_gib is None else int(settings.members_memory_gib * GIB)
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: Settings, sessions: Sessions) -> Residents:
        """Hosts the members that the settings name, as far as this process can; tells the front end of the whole registry. A file
        or a device that can't be used makes members unfit, with the reason; it doesn't end the process, which would start again
        and again."""
        try:
            known = registry.read(settings.models_file)
            device = devices.own(settings.device) if settings.members else devices.CPU
        except Misconfigured as error:
            log.error("no member is hosted: %s", error)
            return cls((), devices.NONE, sessions, settings, dict.fromkeys(settings.members, str(error)))
        announce(known, sessions)
        reasons = {name: _absence(known, name, device) for name in settings.members}
        unfit = {name: reason for name, reason in reasons.items() if reason}
        for name, reason in unfit.items():
            log.error("%s is not hosted: %s", name, reason)
        entries = [known[name] for name in settings.members if name not in unfit]
        return cls(entries, device, sessions, settings, unfit)

    def absence(self) -> str:
        """Why this process can serve none of its members; empty while it can serve one."""
        places = self._places.values()
        if any(place.potential is not None for place in places):
            return ""
        if places and (short := self._reserve - self.device.free_bytes()) > 0:
            return f"{self.device.title}: {short / GIB:.1f} GiB less than {self._reserve / GIB:g} GiB is free, others use it"
        if any(not place.reason for place in places):
            return ""
        reasons = [place.reason for place in places] + list(self._unfit.values())
        return "; ".join(dict.fromkeys(reasons))

    @property
    def hosted(self) -> tuple[str, ...]:
        return tuple(self._places)

    def entry(self, member: str) -> Entry:
        return self._places[member].entry

    def batch_atoms(self, member: str) -> int | None:
        """Most atoms of one forward that are known to fit, or that the entry allows."""
        place = self._places[member]
        return min(
            (one for one in (place.batch_atoms, place.entry.limits.batch_atoms) if one is not None), default=None
        )

    def make_room(self, member: str, busy: Collection[str]) -> list[str]:
        """Let members leave until this one fits, those used longest ago first, never a busy one. Returns who left: whoever still
        refers to one of them must let go before `get`. Raises MachineryFailure where there is no room."""
        left: list[str] = []
        if self._places[member].potential is not None:
            return left
        need, freed = self._need(self._places[member]), 0
        while (lack := self._lack(need, freed)) > 0:
            idle = [place for name, place in self._places.items() if place.potential is not None and name not in busy]
            if not idle:
                place = self._places[member]
                place.reason = (
                    f"{member} takes {need / GIB:.1f} GiB, and on {self.device.title} "
                    f"{lack / GIB:.1f} GiB too little is free"
                )
                raise MachineryFailure(place.reason)
            place = min(idle, key=lambda one: one.used)
            self._leave(place)
            freed += self._need(place)
            left.append(place.entry.name)
        return left

    def _lack(self, need: int, freed: int) -> int:
        """Bytes missing before a member of this size may come in. freed: of those that have just left, and may not be gone yet."""
        lack = need + self._reserve - self.device.free_bytes() - freed
        if self._budget is not None:
            here = sum(self._need(place) for place in self._places.values() if place.potential is not None)
            lack = max(lack, here + need - self._budget)
        return lack

    def _need(self, place: _Place) -> int:
        if place.entry.limits.memory_gib is not None:
            return int(place.entry.limits.memory_gib * GIB)
        return place.memory_bytes or _UNKNOWN_BYTES

    def _leave(self, place: _Place) -> None:
        log.info("%s leaves: memory is short", place.entry.name)
        with self._lock:
            place.potential = None

    def get(self, member: str) -> Potential:
        """The member, loaded and with its canary alive. Raises MachineryFailure with the reason where it can't be had now; it is
        tried again later."""
        place = self._places[member]
        if place.potential is not None:
            place.hits += 1
            place.used = time.monotonic()
            return place.potential
        if time.monotonic() < place.again_at:
            raise MachineryFailure(place.reason)
        try:
            self._load(place)
        except DeviceFault:
            raise
        except (MachineryFailure, Misconfigured, InvalidInput, OSError, RuntimeError) as error:
            place.reason, place.again_at = f"{type(error).__name__}: {error}", time.monotonic() + RETRY_S
            raise MachineryFailure(place.reason) from error
        if place.potential is None:
            raise MachineryFailure(f"{member} left as it came")
        return place.potential

    def _load(self, place: _Place) -> None:
        gc.collect()  # what left before must be gone: its tensors hang in cycles
        entry = place.entry
        began, before = time.monotonic(), self.device.occupied_bytes()
        potential = registry.load(entry, device=self.device.kind)
        load_s = time.monotonic() - began
        sha256 = potential.card.sha256
        with self._sessions() as session:
            known = device_records.shown(session, entry.name, sha256)
        answer = canary.check(potential, known, self.device.id)
        memory = max(0, self.device.occupied_bytes() - before)
        earlier = next((one for one in known if one.device == self.device.id), None)
        # Packages are imported once a process: a second load would look cheaper than the first of the next process.
        memory = max(memory, earlier.memory_bytes if earlier else 0)
        with self._sessions.begin() as session:
            register(session, registration(potential.card))
            shown = Shown(self.device.id, load_s, memory, answer.energy, answer.forces)
            device_records.keep(session, entry.name, sha256, shown)
        with self._lock:
            place.potential, place.sha256, place.reason = potential, sha256, ""
            place.load_s, place.memory_bytes = load_s, memory
            place.batch_atoms = earlier.batch_atoms if earlier else None
            place.loads += 1
            place.used = time.monotonic()
        log.info("%s loaded on %s in %.1f s, %.2f GiB", entry.name, self.device.title, load_s, memory / GIB)

    def used(self, member: str, evaluations: int, batch_atoms: int | None) -> None:
        """An engine worked with it: how many structures it evaluated, and the largest batch it would try now, which is kept where it
        was learned."""
        place = self._places[member]
        place.evaluations += evaluations
        place.used = time.monotonic()
        if batch_atoms is not None and batch_atoms != self.batch_atoms(member):
            place.batch_atoms = batch_atoms
            with self._sessions.begin() as session:
                device_records.learn_batch(session, member, place.sha256, self.device.id, batch_atoms)

    def report(self) -> list[dict[str, Any]]:
        """A document for each member that the settings name; called from the heartbeat's thread."""
        with self._lock:
            shown = [asdict(_report(name, place)) for name, place in self._places.items()]
        nothing: dict[str, Any] = {"load_s": None, "memory_bytes": None, "batch_atoms": None}
        counts = {"loads": 0, "hits": 0, "evaluations": 0}
        return shown + [
            {"member": name, "state": MemberState.UNFIT, "reason": reason, **nothing, **counts}
            for name, reason in self._unfit.items()
        ]


def _absence(known: registry.Registry, name: str, device: Device) -> str | None:
    try:
        return registry.absence(known[name], device.kind)
    except InvalidInput as unknown:
        return str(unknown)


def _report(name: str, place: _Place) -> Report:
    state = (
        MemberState.UNFIT if place.reason else MemberState.ABSENT if place.potential is None else MemberState.RESIDENT
    )
    return Report(
        name,
        state,
        place.reason,
        place.load_s,
        place.memory_bytes,
        place.batch_atoms,
        place.loads,
        place.hits,
        place.evaluations,
    )
