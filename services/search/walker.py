"""What a walker is between two hops, and what a hop leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.parameters import Selection
from shared.soundness import is_sound
from shared.structures import Floats, Structure


@dataclass(frozen=True, eq=False)
class Minimum:
    """A minimum that is known already. energy: bare, eV."""

    structure: Structure
    energy: float


@dataclass(frozen=True, eq=False)
class Walker:
    """All that a walker needs to go on. hop: the next one to run. energy, forces: bare, at `structure`, which is the last
    accepted minimum (the placement, before hop 0)."""

    hop: int
    structure: Structure
    energy: float | None
    forces: Floats | None
    temperature_k: float
    energy_window: float
    seed: tuple[int, ...]
    force_calls: int

    def to_document(self) -> dict[str, Any]:
        """Plain values for JSON, exact to the last bit; the topology is left out."""
        return {
            "hop": self.hop,
            "positions": self.structure.positions.tolist(),
            "energy": self.energy,
            "forces": None if self.forces is None else self.forces.tolist(),
            "temperature_k": self.temperature_k,
            "energy_window": self.energy_window,
            "seed": list(self.seed),
            "force_calls": self.force_calls,
        }

    @classmethod
    def from_document(cls, document: dict[str, Any], topology: Structure) -> Walker:
        """Inverse of `to_document`; topology is the structure at any positions."""
        forces = document["forces"]
        return cls(
            hop=document["hop"],
            structure=topology.moved(document["positions"]),
            energy=document["energy"],
            forces=None if forces is None else np.asarray(forces, dtype=np.float64),
            temperature_k=document["temperature_k"],
            energy_window=document["energy_window"],
            seed=tuple(document["seed"]),
            force_calls=document["force_calls"],
        )


@dataclass(frozen=True, eq=False)
class Found:
    """A minimum, relaxed at last without restraints. energy: bare, eV. anomalies: names of what is wrong with it. temperature_k:
    of the escape, None for a placement's own relaxation."""

    structure: Structure
    energy: float
    fmax: float
    converged: bool
    anomalies: tuple[str, ...]
    accepted: bool
    temperature_k: float | None
    force_calls: int

    def sound(self, selection: Selection) -> bool:
        """Whether it may be chosen."""
        return is_sound(self.converged, self.anomalies, include_anomalous=selection.include_anomalous)


@dataclass(frozen=True, eq=False)
class Hop:
    """The walker after the hop, and what the hop found (None where the escape ran away)."""

    walker: Walker
    found: Found | None
