"""Structures on which members are compared with their packages' own calculators."""

import numpy as np
from ase import Atoms
from ase.build import add_adsorbate, fcc111

from shared.structures import Structure

METALS = {"Pt": 3.97, "Cu": 3.64, "Ni": 3.52, "Pd": 3.95}
ADSORBATES = {
    "": None,
    "O": Atoms("O"),
    "H": Atoms("H"),
    "CO": Atoms("CO", [[0, 0, 0], [0, 0, 1.16]]),
    "OH": Atoms("OH", [[0, 0, 0], [0.6, 0, 0.75]]),
}


def twenty() -> list[Structure]:
    """Five adsorbates, one of them none, on four metals; shaken, of several sizes, half of them not periodic along the normal."""
    made = []
    for row, (metal, constant) in enumerate(METALS.items()):
        for column, adsorbate in enumerate(ADSORBATES.values()):
            size = (2, 2, 3) if (row + column) % 2 else (2, 1, 3)
            slab = fcc111(metal, size, a=constant, vacuum=8.0, periodic=True)
            n_slab = len(slab)
            if adsorbate is not None:
                add_adsorbate(slab, adsorbate, 1.4, "fcc", mol_index=0)
            slab.rattle(0.05, seed=10 * row + column)
            slab.positions += [0.4, 0.3, 0.0]
            slab.pbc = (True, True, (row + column) % 4 < 2)
            made.append(structure_of(slab, n_slab))
    return made


def structure_of(slab: Atoms, n_slab: int) -> Structure:
    """OC20's roles: what was added is adsorbate, the topmost layer is surface."""
    index = np.arange(len(slab))
    heights = slab.positions[:, 2]
    surface = (index < n_slab) & (heights > heights[:n_slab].max() - 1.0)
    return Structure.from_atoms(slab, adsorbate=index >= n_slab, surface=surface)
