"""Adsorption systems whose intact minimum is known to exist: one slab builder per face, OC20's adsorbates.

On EMT, H-rich molecules have no intact minimum on several metals (H2O, NH3, C2H2): they are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.build import fcc100, fcc110, fcc111, fcc211

from services.placement import place
from services.systems import System, assemble
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

    def __str__(self) -> str:
        return f"{self.adsorbate} on {self.metal}({self.face})"


_BUILDERS = {
    "111": (fcc111, (3, 3, 3)),
    "100": (fcc100, (3, 3, 3)),
    "110": (fcc110, (2, 3, 4)),
    "211": (fcc211, (3, 3, 3)),
}


def _slab(case: Case) -> Atoms:
    builder, usual = _BUILDERS[case.face]
    slab: Atoms = builder(case.metal, case.size or usual, vacuum=VACUUM)  # type: ignore[no-untyped-call]
    slab.pbc = True
    slab.set_tags(0)  # ASE's count layers; the surface is found from the geometry
    return slab


def build(case: Case) -> System:
    """The slab, its subsurface fixed, and the adsorbate."""
    slab = Structure.from_oc_atoms(_slab(case))
    return assemble(SlabSubmission(slab=slab.to_document(), adsorbate=lookup(case.adsorbate)))


def starts(system: System, count: int, seed: int) -> list[Structure]:
    """Placements at random sites, turned at random about the normal: what every method starts from."""
    settings = Placement(count=count, mode=PlacementMode.RANDOM_SITE)
    return [placed.structure for placed in place(system.slab, system.adsorbate, settings, np.random.default_rng(seed))]


EMT_CASES = [
    Case("Pt", "100", "*H"),
    Case("Cu", "211", "*H"),
    Case("Cu", "211", "*O"),
    Case("Au", "110", "*O"),
    Case("Au", "111", "*OH"),
    Case("Au", "100", "*OH"),
    Case("Cu", "211", "*CO"),
    Case("Pt", "110", "*CO"),
    Case("Au", "110", "*CO"),
    Case("Cu", "111", "*NO"),
    Case("Ag", "110", "*NO"),
    Case("Pd", "211", "*NO"),
    Case("Cu", "111", "*CH"),
    Case("Pd", "110", "*CH"),
    Case("Au", "100", "*CH2"),
    Case("Ag", "110", "*CH2"),
    Case("Ag", "110", "*CH3"),
    Case("Au", "110", "*CH3"),
    Case("Pt", "211", "*CCO"),
    Case("Pd", "110", "*CCO"),
    Case("Cu", "110", "*CCO"),
    Case("Au", "111", "*CHO"),
    Case("Ni", "211", "*CN"),
]
CHGNET_CASES = [Case("Pt", "111", "*CO"), Case("Cu", "100", "*OH"), Case("Pd", "111", "*CH3")]
