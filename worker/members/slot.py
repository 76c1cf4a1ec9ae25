"""A hosted member's slot in the cache, which its potential fills while it is resident, and what the front end shows of it."""

from __future__ import annotations

from dataclasses import dataclass

from services.forces.potential import Potential
from shared.states import MemberState
from worker.members.devices import GIB
from worker.potentials.entry import RegistryEntry

_UNKNOWN_BYTES = GIB
"""Room asked for a member that never was loaded and whose entry doesn't say."""


@dataclass
class Slot:
    """One hosted member. What was learned by loading it stays when it is evicted."""

    entry: RegistryEntry
    potential: Potential | None = None
    """Loaded while the member is resident."""
    sha256: str = ""
    load_s: float | None = None
    memory_bytes: int | None = None
    """What it took when it was loaded."""
    batch_atoms: int | None = None
    """Most atoms of one forward, as learned on this device; None until a batch didn't fit."""
    loads: int = 0
    hits: int = 0
    """How often it was needed and resident already."""
    evaluations: int = 0
    """Structures that it evaluated."""
    used_at: float = 0.0
    """When it was used last, by the monotonic clock."""
    reason: str = ""
    """Why it is unfit."""
    again_at: float = 0.0
    """When loading it is tried again, by the monotonic clock."""

    @property
    def resident(self) -> bool:
        return self.potential is not None

    @property
    def state(self) -> MemberState:
        if self.reason:
            return MemberState.UNFIT
        return MemberState.RESIDENT if self.resident else MemberState.ABSENT

    @property
    def needed_bytes(self) -> int:
        """Memory that it takes: as its entry says, or as it took before."""
        if self.entry.limits.memory_gib is not None:
            return int(self.entry.limits.memory_gib * GIB)
        return self.memory_bytes or _UNKNOWN_BYTES

    def report(self) -> MemberReport:
        return MemberReport(
            self.entry.name,
            self.state,
            self.reason,
            self.load_s,
            self.memory_bytes,
            self.batch_atoms,
            self.loads,
            self.hits,
            self.evaluations,
        )


@dataclass(frozen=True)
class MemberReport:
    """What the front end shows of one member that the settings name."""

    member: str
    state: MemberState
    reason: str
    load_s: float | None = None
    memory_bytes: int | None = None
    batch_atoms: int | None = None
    loads: int = 0
    hits: int = 0
    evaluations: int = 0
