"""Room for members: how much of a device's memory they may take, and what is missing before another one fits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.settings import Settings
from worker.members.devices import GIB, Device
from worker.members.slot import Slot


@dataclass(frozen=True)
class Room:
    """The memory of one device, as the settings allow it to be used."""

    device: Device
    reserve: int
    """Bytes that stay free on the device."""
    budget: int | None
    """Bytes that the members may take together; None for as many as are free."""

    @classmethod
    def of(cls, settings: Settings, device: Device) -> Room:
        gib = settings.members_memory_gib
        return cls(device, int(settings.min_free_gib * GIB), None if gib is None else int(gib * GIB))

    def shortage(self) -> str:
        """Why no member may come in, whatever its size; empty where one may."""
        short = self.reserve - self.device.free_bytes()
        if short <= 0:
            return ""
        return f"{self.device.title}: {short / GIB:.1f} GiB less than {self.reserve / GIB:g} GiB is free, others use it"

    def lack(self, wanted: Slot, slots: Iterable[Slot], freed: int) -> int:
        """Bytes missing before this member may come in. freed: of those that have just been evicted, and may not be gone yet."""
        lack = wanted.needed_bytes + self.reserve - self.device.free_bytes() - freed
        if self.budget is not None:
            here = sum(slot.needed_bytes for slot in slots if slot.resident)
            lack = max(lack, here + wanted.needed_bytes - self.budget)
        return lack

    def refusal(self, wanted: Slot, lack: int) -> str:
        """What is told where nobody is left to evict."""
        return (
            f"{wanted.entry.name} takes {wanted.needed_bytes / GIB:.1f} GiB, and on {self.device.title} "
            f"{lack / GIB:.1f} GiB too little is free"
        )
