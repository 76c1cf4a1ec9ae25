"""The name of an adsorption site, read off a relaxed geometry: `fcc hollow via C`, `bridge via C`, `top via O`."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols

from services.geometry.contacts import neighbours, radius_sums
from shared.structures import Floats, Structure

BONDED = 1.25
"""Scaled distance of a contact between adsorbate and slab."""
_SAME_SHELL = 1.18
"""Contacts up to this times the shortest one belong to the site."""
_EVEN = 0.12
"""Three atoms make a level, equilateral triangle when sides and heights differ by no more than this share of a side."""
_STRAIGHT_BELOW = 0.3
"""Lateral offset, as a share of the triangle's side; the next atom of the layer is 0.58 away."""
_NAMES = {1: "top", 2: "bridge", 3: "hollow", 4: "fourfold hollow"}


def describe(adslab: Structure) -> str:
    """The site and the atoms that bind, the tightest first; `unbound` where nothing touches the slab. Never raises on a
    structure with a cell of finite volume, and says `unbound` of one that has no adsorbate or no finite positions."""
    mine, theirs = adslab.only(adslab.adsorbate), adslab.only(adslab.slab)
    sums = radius_sums(mine.numbers, theirs.numbers)
    first, second, vectors = neighbours(
        mine.positions, theirs.positions, adslab.cell, adslab.pbc, BONDED * float(sums.max(initial=0.0))
    )
    scaled = np.linalg.norm(vectors, axis=1) / sums[first, second]
    first, second, vectors, scaled = (part[scaled < BONDED] for part in (first, second, vectors, scaled))
    if not len(first):
        return "unbound"
    names = []
    for atom in sorted(set(first.tolist()), key=lambda atom: scaled[first == atom].min()):
        near = (first == atom) & (scaled <= _SAME_SHELL * scaled[first == atom].min())
        partners = mine.positions[atom] + vectors[near]
        names.append((_name(theirs, partners), chemical_symbols[mine.numbers[atom]]))
    if len(names) == 1 or len({name for name, _ in names}) == 1:
        return f"{names[0][0]} via {', '.join(symbol for _, symbol in names)}"
    return ", ".join(f"{name} via {symbol}" for name, symbol in names)


def _name(slab: Structure, partners: Floats) -> str:
    """partners: the surface atoms it touches, images placed, Å [n_partners, 3]."""
    name = _NAMES.get(len(partners), f"{len(partners)}-fold hollow")
    return f"{_stacking(slab, partners)}{name}" if len(partners) == 3 else name


def _stacking(slab: Structure, partners: Floats) -> str:
    """`hcp ` where a second-layer atom lies straight below a hollow of a close-packed face, `fcc ` where none does.

    Layers of touching spheres of diameter d are √(2/3) d apart. Nothing is said where the three partners make no even,
    level triangle (bcc(110), steps) or there is no second layer.
    """
    sides = np.linalg.norm(partners - np.roll(partners, 1, axis=0), axis=1)
    levels = partners @ slab.normal
    if np.ptp(sides) > _EVEN * sides.min() or np.ptp(levels) > _EVEN * sides.mean():
        return ""
    spacing = np.sqrt(2 / 3) * sides.mean()
    reach = 1.5 * spacing
    _, _, vectors = neighbours(partners.mean(axis=0)[None], slab.positions, slab.cell, slab.pbc, float(reach))
    depths = -vectors @ slab.normal
    second = vectors[depths > 0.5 * spacing]
    if not len(second):
        return ""
    lateral = np.linalg.norm(second - np.outer(second @ slab.normal, slab.normal), axis=1)
    return "hcp " if lateral.min() < _STRAIGHT_BELOW * sides.mean() else "fcc "
