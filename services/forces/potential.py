"""What the science asks of a potential: energies and forces of many structures at once."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from shared.references import EnergyKind as EnergyKind
from shared.structures import Floats, Structure

T = TypeVar("T")


@dataclass(frozen=True)
class Card:
    """Identity of a member."""

    name: str
    family: str
    version: str
    sha256: str
    """Of the checkpoint file, or of what stands in for it."""
    energy_kind: EnergyKind
    elements: frozenset[int]
    """Atomic numbers that it knows."""
    cutoff: float
    """Å."""
    trained_on: str
    license: str


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What the bare potential says of a structure."""

    energy: float
    """eV."""
    forces: Floats
    """eV/Å [n_atoms, 3], fixed atoms included."""


class Potential(Protocol):
    """A potential, evaluated in batches. The result of one structure doesn't depend on its batch-mates
    beyond the model's own rounding."""

    @property
    def card(self) -> Card: ...

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """One evaluation per structure, in order. Raises OutOfMemory when the batch doesn't fit."""
        ...


class Restraining(Protocol):
    """An energy added to the potential's."""

    def evaluate(self, positions: Floats) -> tuple[float, Floats]:
        """Energy, eV, and forces, eV/Å [n_atoms, 3], at positions, Å [n_atoms, 3]."""
        ...


@dataclass(frozen=True, eq=False)
class Request:
    """A structure that a walk wants evaluated, and what restrains it."""

    structure: Structure
    restraints: Restraining | None = None


@dataclass(frozen=True, eq=False)
class Answer:
    """What a walk is sent."""

    evaluation: Evaluation
    """The bare potential's."""
    energy: float
    """With the restraints', eV."""
    forces: Floats
    """With the restraints', zero on fixed atoms, eV/Å [n_atoms, 3]."""
    restraint_energy: float
    """eV."""


Walk: TypeAlias = Generator[Request, Answer, T]
"""A coroutine that yields what it wants evaluated, is sent the answer, and returns a T."""
