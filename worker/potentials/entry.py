"""A registry entry: one member as the registry describes it, before anything of it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from services.forces.potential import EnergyKind
from shared.errors import Misconfigured

Option: TypeAlias = str | int | float | bool


@dataclass(frozen=True)
class Limits:
    """Where a member may run."""

    devices: frozenset[str] = frozenset({"cpu", "cuda"})
    """Kinds of device."""
    memory_gib: float | None = None
    """Memory that must be free before it is loaded, GiB; None where it was never stated."""
    batch_atoms: int | None = None
    """Most atoms of one forward; None makes that a matter of what the device can hold."""


@dataclass(frozen=True)
class RegistryEntry:
    """What is known of a member before it is loaded."""

    name: str
    family: str
    """One of worker.potentials.families."""
    path: Path | None
    """Its checkpoint; None where the weights come in the family's wheel."""
    sha256: str
    """Of that checkpoint; empty for a family without one."""
    energy_kind: EnergyKind
    elements: frozenset[int] | None = None
    """Atomic numbers it was trained on; None for those of the checkpoint."""
    precision: str = "float32"
    """`float32` or `float64`."""
    options: Mapping[str, Option] = field(default_factory=lambda: MappingProxyType({}))
    """What only this family understands."""
    limits: Limits = field(default_factory=Limits)
    trained_on: str = ""
    license: str = ""

    @property
    def tf32(self) -> bool:
        """Whether a GPU may round the factors of float32 products to ten bits: faster, and another answer in the fourth digit."""
        asked = self.options.get("tf32", False)
        if not isinstance(asked, bool):
            raise Misconfigured(f"{self.name}: its option tf32 is {asked!r}; it may be true or false")
        return asked
