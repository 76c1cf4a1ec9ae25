"""Adsorption systems whose intact minimum is known to exist: one slab builder per face, OC20's adsorbates.

EMT's H, C, N and O are toys, and many molecules fall apart on it wherever they are put. `python -m benchmarks.screening` relaxes
placements of every adsorbate on every face; a system is admitted where six of eight stay intact and at least three minima are
distinct, so that there is something to find. The others are left out.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import fcc100, fcc110, fcc111, fcc211
from ase.data import atomic_numbers, reference_states

from services.systems.assembly import System, assemble
from services.systems.placement import place
from shared.adsorbates import lookup
from shared.parameters import Placement, PlacementMode
from shared.structures import Structure
from shared.submissions import SlabSubmission

VACUUM = 7.0


@dataclass(frozen=True)
class Case:
    """One (adsorbate, surface) pair."""

    metal: str
    face: str
    adsorbate: str
    size: tuple[int, int, int] | None = None
    """Repeats along the surface, and layers; None for the usual size of the face."""
    guest: str | None = None
    """A metal that has a third of the places of each layer, drawn at random but always alike: a disordered alloy."""

    @property
    def surface(self) -> str:
        return f"{self.metal}{self.guest or ''}({self.face})"

    def __str__(self) -> str:
        return f"{self.adsorbate} on {self.surface}"


def _missing_row(metal: str, size: tuple[int, int, int], vacuum: float) -> Atoms:
    """(110) with every other row of its top layer gone, as Au and Pt form it: its ridges move easily."""
    slab = fcc110(metal, size, vacuum=vacuum)
    rows = np.unique(slab.positions[slab.get_tags() == 1, 1].round(3))
    gone = (slab.get_tags() == 1) & np.isin(slab.positions[:, 1].round(3), rows[1::2])
    left: Atoms = slab[~gone]
    return left


_BUILDERS: dict[str, tuple[Callable[..., Atoms], tuple[int, int, int]]] = {
    "111": (fcc111, (3, 3, 3)),
    "100": (fcc100, (3, 3, 3)),
    "110": (fcc110, (2, 3, 4)),
    "211": (fcc211, (3, 3, 3)),
    "110 missing row": (_missing_row, (2, 4, 4)),
}


def _slab(case: Case) -> Atoms:
    builder, usual = _BUILDERS[case.face]
    size = case.size or usual
    if case.guest is None:
        slab: Atoms = builder(case.metal, size, vacuum=VACUUM)
    else:
        slab = builder(case.metal, size, a=_mixed_constant(case.metal, case.guest), vacuum=VACUUM)
        _substitute(slab, case.guest, zlib.crc32(f"{case.surface} {size}".encode()))
    slab.pbc = True
    slab.set_tags(0)  # ASE's count layers; the surface is found from the geometry
    return slab


def _mixed_constant(metal: str, guest: str) -> float:
    """Lattice constant of the alloy by Vegard's rule, Å."""
    states: Any = reference_states
    of = [float(states[atomic_numbers[symbol]]["a"]) for symbol in (metal, guest)]
    return (2 * of[0] + of[1]) / 3


def _substitute(slab: Atoms, guest: str, seed: int) -> None:
    """A third of each layer becomes the guest's. Layers are ASE's tags."""
    chance = np.random.default_rng(seed)
    for layer in np.unique(slab.get_tags()):
        places = np.flatnonzero(slab.get_tags() == layer)
        for index in chance.choice(places, size=round(len(places) / 3), replace=False):
            slab[int(index)].symbol = guest


def build(case: Case) -> System:
    """The slab, its subsurface fixed, and the adsorbate."""
    slab = Structure.from_oc_atoms(_slab(case))
    return assemble(SlabSubmission(slab=slab.to_document(), adsorbate=lookup(case.adsorbate)))


def starts(system: System, count: int, seed: int, mode: PlacementMode = PlacementMode.RANDOM_SITE) -> list[Structure]:
    """Placements at random sites, turned at random about the normal or any way: what every method starts from."""
    settings = Placement(count=count, mode=mode)
    return [placed.structure for placed in place(system.slab, system.adsorbate, settings, np.random.default_rng(seed))]


EMT_CASES = [
    Case("Pt", "100", "*H"),
    Case("Cu", "211", "*H"),
    Case("Cu", "211", "*O"),
    Case("Ag", "211", "*O"),
    Case("Ni", "111", "*N"),
    Case("Pd", "111", "*OH"),
    Case("Ag", "110", "*CO"),
    Case("Pd", "111", "*CO"),
    Case("Cu", "110", "*CO"),
    Case("Ag", "111", "*NO"),
    Case("Au", "111", "*NO"),
    Case("Cu", "211", "*NO"),
    Case("Pd", "110", "*NO"),
    Case("Au", "111", "*CN"),
    Case("Ag", "110", "*CN"),
    Case("Cu", "111", "*CN"),
    Case("Ag", "110", "*CH"),
    Case("Cu", "211", "*CH"),
    Case("Pt", "110", "*CH"),
    Case("Pd", "100", "*CH2"),
]
"""Those that `python -m benchmarks.screening` admits, one or two for each adsorbate and face."""
LOOSE_CASES = [Case(metal, "110 missing row", "*O") for metal in ("Au", "Ag", "Pt", "Cu")]
"""Surfaces that an escape can rebuild: what the restraints against reconstruction are for."""
STRETCHED_CASES = [Case("Ag", "111", "*OH"), Case("Pd", "110", "*OH"), Case("Ag", "100", "*OH2")]
"""Sound minima with bonds far beyond what restraints measured from a placement allow: EMT's O-H."""
LEVER_CASES = [EMT_CASES[index] for index in (0, 3, 6, 11, 14, 16)]
CHGNET_CASES = [
    *(Case("Pt", "111", "*CO"), Case("Cu", "100", "*OH"), Case("Pd", "111", "*CH3")),
    *(Case("Pt", "111", "*OH2"), Case("Pt", "111", "*CHO"), Case("Pd", "100", "*COH"), Case("Cu", "211", "*OCHO")),
    *(Case("Cu", "111", "*CO", guest="Pd"), Case("Pd", "111", "*CHO", guest="Ag")),
]
