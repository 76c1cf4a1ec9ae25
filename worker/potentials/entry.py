"""One member as the registry describes it, before anything of it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from services.forces.potential import EnergyKind

Option: TypeAlias = str | int | float | bool


@dataclass(frozen=True)
class Limits:
    """Where a member may run. devices: kinds of device ("cpu", "cuda"). memory_gib: memory that must be free before it is loaded,
    GiB; None where it was never stated. batch_atoms: most atoms of one forward; None leaves that to what the device can hold."""

    devices: frozenset[str] = frozenset({"cpu", "cuda"})
    memory_gib: float | None = None
    batch_atoms: int | None = None


@dataclass(frozen=True)
class Entry:
    """A member: its name, its family (worker.potentials.families), and the checkpoint that it is made from.

    path: the checkpoint; None where the weights come in the family's wheel. sha256: of that checkpoint; empty for a family without
    one. elements: atomic numbers it was trained on; None leaves them to the checkpoint. precision: `float32` or `float64`. options:
    what only this family understands.
    """

    name: str
    family: str
    path: Path | None
    sha256: str
    energy_kind: EnergyKind
    elements: frozenset[int] | None = None
    precision: str = "float32"
    options: Mapping[str, Option] = field(default_factory=lambda: MappingProxyType({}))
    limits: Limits = field(default_factory=Limits)
    trained_on: str = ""
    license: str = ""
