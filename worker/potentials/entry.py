"""A registry entry: one member as the registry describes it, before anything of it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from services.forces.potential import EnergyKind
from shared import scales
from shared.cautions import Caution
from shared.errors import Misconfigured
from shared.scales import Scale

Option: TypeAlias = str | int | float | bool
OC20_TASK = "oc20"
"""The task, or head, of a network of several that has OC20's DFT for its scale."""


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
    references: Scale | None = None
    """Whose gas molecules its adsorption energies are relative to; None for what is usual of its kind (`scale`)."""
    cautions: tuple[Caution, ...] = ()
    """What is known to be wrong with it."""

    @property
    def scale(self) -> Scale:
        """As stated, or the usual one: OC20's constants for a task of OC20's, the member's own molecules for other total energies."""
        if self.references is not None:
            return self.references
        if self.energy_kind is EnergyKind.TOTAL and OC20_TASK in (self.task, self.options.get("head")):
            return scales.OC20
        return scales.usual(self.energy_kind)

    @property
    def task(self) -> Option | None:
        """The task of a network that has several: UMA's is OC20's where none is named."""
        return self.options.get("task_name", OC20_TASK if self.family == "uma" else None)

    @property
    def tf32(self) -> bool:
        """Whether a GPU may round the factors of float32 products to ten bits: faster, and another answer in the fourth digit."""
        asked = self.options.get("tf32", False)
        if not isinstance(asked, bool):
            raise Misconfigured(f"{self.name}: its option tf32 is {asked!r}; it may be true or false")
        return asked
