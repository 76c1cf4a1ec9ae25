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
    """Identity of a member. cutoff in Å; sha256 of the checkpoint file, or of what stands in for it."""

    name: str
    family: str
    version: str
    sha256: str
    energy_kind: EnergyKind
    elements: frozenset[int]
    cutoff: float
    trained_on: str
    license: str


@dataclass(frozen=True, eq=False)
class Evaluation:
    """energy: eV. forces: eV/Å [n_atoms, 3], of the bare potential, fixed atoms included."""

    energy: float
    forces: Floats


class Potential(Protocol):
    """A resident model, evaluated in batches. The result of one structure doesn't depend on its batch-mates
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
    """evaluation: the bare potential's. energy: with the restraints', eV. forces: with the restraints', zero on fixed atoms, eV/Å
    [n_atoms, 3]. restraint_energy: eV."""

    evaluation: Evaluation
    energy: float
    forces: Floats
    restraint_energy: float


Walk: TypeAlias = Generator[Request, Answer, T]
"""A coroutine that yields what it wants evaluated, is sent the answer, and returns a T."""
