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
    """A minimum that is known already."""

    structure: Structure
    energy: float
    """Bare, eV."""


@dataclass(frozen=True, eq=False)
class Walker:
    """All that a walker needs to go on."""

    hop: int
    """The next one to run."""
    structure: Structure
    """The last accepted minimum; the placement, before hop 0."""
    energy: float | None
    """Bare, at `structure`, eV; None before hop 0."""
    forces: Floats | None
    """Bare, at `structure`, eV/Å [n_atoms, 3]; None before hop 0."""
    temperature_k: float
    """Of the next escape."""
    energy_window: float
    """E_diff, eV."""
    seed: tuple[int, ...]
    """With the number of the hop after it, what each hop draws from."""
    force_calls: int
    """Used so far."""
    failures: int = 0
    """Hops in a row, up to the last one, that came to nothing sound."""

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
            "failures": self.failures,
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
            failures=document.get("failures", 0),  # documents of before this was counted
        )


@dataclass(frozen=True, eq=False)
class Found:
    """A minimum, relaxed at last without restraints."""

    structure: Structure
    energy: float
    """Bare, eV."""
    fmax: float
    """Largest force on a free atom, eV/Å."""
    converged: bool
    anomalies: tuple[str, ...]
    """Names of what is wrong with it."""
    accepted: bool
    """Whether the walker goes on from it."""
    temperature_k: float | None
    """Of the escape; None for a placement's own relaxation."""
    force_calls: int
    """Of this hop."""

    def sound(self, selection: Selection) -> bool:
        """Whether it may be chosen."""
        return is_sound(self.converged, self.anomalies, include_anomalous=selection.include_anomalous)


@dataclass(frozen=True, eq=False)
class Hop:
    """What a hop comes to."""

    walker: Walker
    """After the hop."""
    found: Found | None
    """None where it diverged."""
