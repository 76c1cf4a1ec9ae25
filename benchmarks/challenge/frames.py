"""What a potential was asked during a search, as labelled structures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from services.forces.potential import Evaluation, Potential
from shared.structures import Structure

LARGEST_FORCE = 15.0
"""eV/Å: frames above it are left out."""


class Recorder:
    """A potential that keeps what it was asked and what it said."""

    def __init__(self, potential: Potential) -> None:
        self.card = potential.card
        self._potential = potential
        self.said: list[tuple[Structure, Evaluation]] = []

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """One evaluation per structure, in order."""
        answers = self._potential.evaluate(structures)
        self.said += zip(structures, answers, strict=True)
        return answers


def thinned(said: Sequence[tuple[Structure, Evaluation]], apart: float) -> Iterator[tuple[Structure, Evaluation]]:
    """Frames that differ by more than `apart`, Å, for some atom from the last one taken, without the wildest."""
    last: Structure | None = None
    for structure, evaluation in said:
        if np.abs(evaluation.forces).max() > LARGEST_FORCE:
            continue
        if last is None or np.linalg.norm(structure.positions - last.positions, axis=1).max() > apart:
            last = structure
            yield structure, evaluation


def frame(
    structure: Structure, energy: float, forces: np.ndarray[tuple[int, ...], np.dtype[np.float64]], title: str
) -> Atoms:
    """ASE Atoms with OC20 tags, energy, eV, and forces, eV/Å [n_atoms, 3]."""
    atoms = structure.to_atoms()
    atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
    atoms.info["system"] = title
    return atoms
