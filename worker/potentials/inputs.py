"""What every potential does with a structure before its own code sees it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from services.forces.potential import Card
from shared.errors import InvalidInput
from shared.structures import Structure


def refuse_unknown_elements(card: Card, structures: Sequence[Structure]) -> None:
    """Raises InvalidInput that names the elements this potential was never trained on."""
    asked = {int(number) for structure in structures for number in structure.numbers}
    if unknown := sorted(asked - card.elements):
        symbols = ", ".join(chemical_symbols[number] if 0 < number < 119 else str(number) for number in unknown)
        raise InvalidInput(f"{card.name} doesn't know {symbols}", field="structure")


def wrapped(structure: Structure) -> Atoms:
    """The structure as ASE Atoms without constraints, moved by whole lattice vectors into its cell.

    Neighbour searches size their grids by the bounding box: an atom that diffused across many cells would cost
    memory for nothing, and float32 coordinates would lose digits. Atoms inside the cell keep every bit.
    """
    atoms = Atoms(numbers=structure.numbers, positions=structure.positions, cell=structure.cell, pbc=structure.pbc)
    cell = atoms.cell.complete()
    # The margin keeps atoms that lie on the cell's face from changing sides with the last bit.
    cells_away = np.floor(cell.scaled_positions(structure.positions) + 1e-7)
    atoms.positions -= np.where(structure.pbc, cells_away, 0.0) @ cell.array
    return atoms
