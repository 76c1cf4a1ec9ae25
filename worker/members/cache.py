"""The cache of members in a worker process. Each is loaded when it is first needed, once, and stays; when memory runs short, those
that were used longest ago are evicted.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from services.forces.potential import Potential
from shared.database.repositories.members import register
from shared.database.session import Sessions
from shared.errors import DeviceFault, InvalidInput, MachineryFailure, Misconfigured
from shared.settings import Settings
from shared.states import MemberState
from worker.members import canary, device_records, devices, registration
from worker.members.device_records import DeviceRecord
from worker.members.devices import GIB, Device
from worker.members.room import Room
from worker.members.slot import MemberReport, Slot
from worker.potentials import registry
from worker.potentials.entry import RegistryEntry

log = logging.getLogger(__name__)

RETRY_S = 60.0
"""A member that couldn't be loaded is tried again after this long."""


class MemberCache:
    """Members hosted on one device. unfit: those that the settings name and this process can't host, with the reasons."""

    def __init__(
        self,
        entries: Sequence[RegistryEntry],
        device: Device,
        sessions: Sessions,
        settings: Settings,
        unfit: Mapping[str, str],
    ) -> None:
        self._slots = {entry.name: Slot(entry) for entry in entries}
        self._unfit = dict(unfit)
        self.device = device
        self._room = Room.of(settings, device)
        self._sessions = sessions
        self._lock = threading.Lock()

    @classmethod
    def of(cls, settings: Settings, sessions: Sessions) -> MemberCache:
        """Hosts the members that the settings name, as far as this process can; registers those of the whole registry. A file
        or a device that can't be used makes members unfit, with the reason; it doesn't end the process, which would start again
        and again."""
        try:
            known = registry.read(settings.models_file)
            device = devices.own(settings.device) if settings.members else devices.CPU
        except Misconfigured as error:
            log.error("no member is hosted: %s", error)
            return cls((), devices.NONE, sessions, settings, dict.fromkeys(settings.members, str(error)))
        registration.register_all(known, sessions)
        reasons = {name: _absence(known, name, device) for name in settings.members}
        unfit = {name: reason for name, reason in reasons.items() if reason}
        for name, reason in unfit.items():
            log.error("%s is not hosted: %s", name, reason)
        entries = [known[name] for name in settings.members if name not in unfit]
        return cls(entries, device, sessions, settings, unfit)

    def absence(self) -> str:
        """Why this process can serve none of its members; empty while it can serve one."""
        slots = self._slots.values()
        if any(slot.resident for slot in slots):
            return ""
        try:
            if slots and (shortage := self._room.shortage()):
                return shortage
        except MachineryFailure as silent:
            return str(silent)
        if any(not slot.reason for slot in slots):
            return ""
        reasons = [slot.reason for slot in slots] + list(self._unfit.values())
        return "; ".join(dict.fromkeys(reasons))

    @property
    def hosted(self) -> tuple[str, ...]:
        return tuple(self._slots)

    def entry(self, member: str) -> RegistryEntry:
        return self._slots[member].entry

    def batch_atoms(self, member: str) -> int | None:
        """Most atoms of one forward that are known to fit, or that the entry allows."""
        slot = self._slots[member]
        return min((one for one in (slot.batch_atoms, slot.entry.limits.batch_atoms) if one is not None), default=None)

    def make_room(self, member: str, busy: Collection[str]) -> list[str]:
        """Evict members until this one fits, those used longest ago first, never a busy one. Returns who was evicted: whoever still
        refers to one of them must let go before `get`. Raises MachineryFailure where there is no room."""
        wanted, evicted, freed = self._slots[member], list[str](), 0
        if wanted.resident:
            return evicted
        self.device.release()
        while (lack := self._room.lack(wanted, self._slots.values(), freed)) > 0:
            idle = [slot for name, slot in self._slots.items() if slot.resident and name not in busy]
            if not idle:
                wanted.reason = self._room.refusal(wanted, lack)
                raise MachineryFailure(wanted.reason)
            oldest = min(idle, key=lambda slot: slot.used_at)
            self._evict(oldest)
            freed += oldest.needed_bytes
            evicted.append(oldest.entry.name)
        return evicted

    def _evict(self, slot: Slot) -> None:
        log.info("%s is evicted: memory is short", slot.entry.name)
        with self._lock:
            slot.potential = None

    def get(self, member: str) -> Potential:
        """The member's potential, loaded and with its canary alive. Raises MachineryFailure with the reason where it can't be had
        now; it is tried again later."""
        slot = self._slots[member]
        if slot.potential is not None:
            slot.hits += 1
            slot.used_at = time.monotonic()
            return slot.potential
        if time.monotonic() < slot.again_at:
            raise MachineryFailure(slot.reason)
        try:
            self._load(slot)
        except DeviceFault:
            raise
        except (MachineryFailure, Misconfigured, InvalidInput, OSError, RuntimeError, MemoryError) as error:
            slot.reason, slot.again_at = f"{type(error).__name__}: {error}", time.monotonic() + RETRY_S
            raise MachineryFailure(slot.reason) from error
        if slot.potential is None:
            raise MachineryFailure(f"{member} was evicted as it came")
        return slot.potential

    def _load(self, slot: Slot) -> None:
        gc.collect()  # what was evicted before must be gone: its tensors hang in cycles
        self.device.release()
        entry = slot.entry
        with self._sessions() as session:
            registration.refuse_other(session, entry)
        began, before = time.monotonic(), self.device.taken_bytes()
        potential = registry.load(entry, device=self.device.kind)
        load_s = time.monotonic() - began
        sha256 = _recorded_as(entry, potential.card.sha256)
        with self._sessions() as session:
            known = device_records.records_of(session, entry.name, sha256)
        answer = canary.check(potential, known, self.device.id)
        memory = max(0, self.device.most_taken_bytes() - before)
        earlier = next((one for one in known if one.device == self.device.id), None)
        if self.device.kind == "cpu" and earlier:
            # Packages are imported once a process: a second load would look cheaper than the first of the next process.
            memory = max(memory, earlier.memory_bytes)
        with self._sessions.begin() as session:
            register(session, registration.of_card(potential.card, entry))
            record = DeviceRecord(self.device.id, load_s, memory, answer.energy, answer.forces)
            device_records.keep(session, entry.name, sha256, record)
        with self._lock:
            slot.potential, slot.sha256, slot.reason = potential, sha256, ""
            slot.load_s, slot.memory_bytes = load_s, memory
            slot.batch_atoms = earlier.batch_atoms if earlier else None
            slot.loads += 1
            slot.used_at = time.monotonic()
        log.info("%s loaded on %s in %.1f s, %.2f GiB", entry.name, self.device.title, load_s, memory / GIB)

    def used(self, member: str, evaluations: int, batch_atoms: int | None) -> None:
        """An engine worked with it: how many structures it evaluated, and the largest batch it would try now, which is kept where it
        was learned."""
        slot = self._slots[member]
        slot.evaluations += evaluations
        slot.used_at = time.monotonic()
        if batch_atoms is not None and batch_atoms != self.batch_atoms(member):
            slot.batch_atoms = batch_atoms
            with self._sessions.begin() as session:
                device_records.learn_batch(session, member, slot.sha256, self.device.id, batch_atoms)

    def report(self) -> list[dict[str, Any]]:
        """A document for each member that the settings name; called from the heartbeat's thread."""
        with self._lock:
            hosted = [slot.report() for slot in self._slots.values()]
        unfit = [MemberReport(name, MemberState.UNFIT, reason) for name, reason in self._unfit.items()]
        return [asdict(one) for one in hosted + unfit]


def _recorded_as(entry: RegistryEntry, sha256: str) -> str:
    """What a device's records of it are filed under: its checkpoint, and what else changes its answers there."""
    return f"{sha256}+tf32" if entry.tf32 else sha256


def _absence(known: registry.Registry, name: str, device: Device) -> str | None:
    try:
        return registry.absence(known[name], device.kind)
    except InvalidInput as unknown:
        return str(unknown)
