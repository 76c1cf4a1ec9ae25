"""The name of an adsorption site, read off a relaxed geometry: `fcc hollow via C`, `bridge via C`, `top via O`."""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols

from services.contacts import neighbours, pair_vectors, radius_sums
from shared.structures import Floats, Structure

BONDED = 1.25
"""Scaled distance of a contact between adsorbate and slab."""
_SAME_SHELL = 1.18
"""Contacts up to this times the shortest one belong to the site."""
_NAMES = {1: "top", 2: "bridge", 3: "hollow", 4: "fourfold hollow"}


def describe(adslab: Structure) -> str:
    """The site and the atoms that bind; `unbound` where nothing touches the slab."""
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
        names.append((_name(theirs, mine.positions[atom], partners), chemical_symbols[mine.numbers[atom]]))
    if len(names) == 1 or len({name for name, _ in names}) == 1:
        return f"{names[0][0]} via {', '.join(symbol for _, symbol in names)}"
    return ", ".join(f"{name} via {symbol}" for name, symbol in names)


def _name(slab: Structure, atom: Floats, partners: Floats) -> str:
    """atom: Å [3]; partners: the surface atoms it touches, images placed, Å [n_partners, 3]."""
    name = _NAMES.get(len(partners), f"{len(partners)}-fold hollow")
    return f"{_stacking(slab, atom, partners)}{name}" if len(partners) == 3 else name


def _stacking(slab: Structure, atom: Floats, partners: Floats) -> str:
    """`hcp ` where a second-layer atom lies below the hollow, `fcc ` where none does, nothing without a second layer."""
    heights = slab.heights
    below = np.flatnonzero(heights < float((partners @ slab.normal).mean()) - 1.0)
    if not len(below):
        return ""
    second = below[heights[below] > heights[below].max() - 0.8]
    vectors = pair_vectors(partners.mean(axis=0)[None], slab.positions[second], slab.cell, slab.pbc)[0]
    lateral = vectors - np.outer(vectors @ slab.normal, slab.normal)
    return "hcp " if np.linalg.norm(lateral, axis=1).min() < 0.7 else "fcc "
