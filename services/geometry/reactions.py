"""What was adsorbed on the slab before: light atoms that the surface carries, and whether the molecule has reacted with them.

A slab may come with adsorbates of its own, such as O on Pt(111). They are the slab's atoms in everything that is computed, but a
bond of the molecule to one of them is a reaction, not a site, and no rebuilding of the surface.
"""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols

from services.geometry import sites
from services.geometry.contacts import distances, neighbours, radius_sums
from shared import molecules
from shared.structures import Integers, Mask, Structure

_LIGHT = (1, 6, 7, 8, 9, 15, 16, 17, 34, 35, 53)
"""Atomic numbers: H, C, N, O, F, P, S, Cl, Se, Br, I."""
_HYDROGEN = 1
_LEVEL = 0.3
"""Å: an atom that stands out less over a metal atom lies in its layer."""


def pre_adsorbates(structure: Structure) -> Mask:
    """The slab's atoms that were adsorbed on it before [n_atoms]; the adsorbate is left out of account.

    They are light elements that are found nowhere but on the surface: no atom of the element lies below the lowest metal atom of the
    surface layer, or beside or under a metal atom that it touches; and but for hydrogen there is metal below that layer. So the
    anions of an oxide, a carbide or a sulphide are none, not even those that stick out, nor is a closed layer such as graphene.
    """
    found = np.zeros(len(structure), dtype=bool)
    slab = structure.slab
    light = np.flatnonzero(slab & np.isin(structure.numbers, _LIGHT))
    metal = np.flatnonzero(slab & ~np.isin(structure.numbers, _LIGHT))
    if not len(light) or not len(metal):
        return found
    heights = structure.heights
    surface = metal[structure.surface[metal]]
    floor = heights[surface].min() if len(surface) else heights[metal].max()
    on_top = (heights[light] > floor + _LEVEL) & ~_embedded(structure, light, metal)
    if heights[metal].min() > floor - _LEVEL:  # one layer of metal: what lies on it may be half of a compound
        on_top &= structure.numbers[light] == _HYDROGEN
    in_the_lattice = np.unique(structure.numbers[light[~on_top]])
    found[light[on_top & ~np.isin(structure.numbers[light], in_the_lattice)]] = True
    found[_endless(structure, np.flatnonzero(found))] = False
    return found


def joined(adslab: Structure, before: Mask) -> Mask:
    """Those of the atoms adsorbed before that the molecule is bonded to now, and what hangs on these [n_atoms].

    before: of `pre_adsorbates` [n_atoms].
    """
    atoms = np.flatnonzero(before | adslab.adsorbate)
    piece = np.zeros(len(adslab), dtype=bool)
    if not before.any():
        return piece
    apart = distances(adslab.positions[atoms], adslab.positions[atoms], adslab.cell, adslab.pbc)
    bonded = apart < molecules.bond_lengths(adslab.numbers[atoms])
    for group in molecules.pieces(bonded):
        members = atoms[group]
        if adslab.adsorbate[members].any():
            piece[members] = True
    return piece & before


def describe(adslab: Structure, before: Mask) -> str:
    """The site, as on the slab without what was adsorbed before, and what of that the molecule has reacted with: `top via C;
    reacted with O of the slab`. before: of `pre_adsorbates` [n_atoms]."""
    if not before.any():
        return sites.describe(adslab)
    site = sites.describe(adslab.only(~before))
    partners = _partners(adslab, before)
    return f"{site}; reacted with {', '.join(partners)} of the slab" if partners else site


def _partners(adslab: Structure, before: Mask) -> list[str]:
    """Symbols of the atoms adsorbed before that the molecule itself is bonded to."""
    mine, theirs = np.flatnonzero(adslab.adsorbate), np.flatnonzero(before)
    apart = distances(adslab.positions[mine], adslab.positions[theirs], adslab.cell, adslab.pbc)
    reach = radius_sums(adslab.numbers[mine], adslab.numbers[theirs]) + molecules.CUSHION
    touched = theirs[(apart < reach).any(axis=0)]
    return sorted({chemical_symbols[number] for number in adslab.numbers[touched]})


def _embedded(structure: Structure, light: Integers, metal: Integers) -> Mask:
    """Which of the light atoms touch a metal atom that isn't below them [n_light]."""
    sums = radius_sums(structure.numbers[light], structure.numbers[metal])
    reach = molecules.TIGHT * float(sums.max())
    first, second, vectors = neighbours(
        structure.positions[light], structure.positions[metal], structure.cell, structure.pbc, reach
    )
    touching = np.linalg.norm(vectors, axis=1) < molecules.TIGHT * sums[first, second]
    embedded = np.zeros(len(light), dtype=bool)
    embedded[first[touching & (vectors @ structure.normal > -_LEVEL)]] = True
    return embedded


def _endless(structure: Structure, atoms: Integers) -> Integers:
    """Those of the atoms that hang together across the cell without end."""
    numbers, cell, pbc = structure.numbers[atoms], structure.cell, structure.pbc
    apart = distances(structure.positions[atoms], structure.positions[atoms], cell, pbc)
    found: list[int] = []
    for group in molecules.pieces(apart < molecules.TIGHT * radius_sums(numbers, numbers)):
        members = atoms[group]
        whole = molecules.unwrapped(structure.numbers[members], structure.positions[members], cell, pbc)
        if len(group) > 1 and molecules.is_endless(structure.numbers[members], whole, cell, pbc):
            found += members.tolist()
    return np.array(found, dtype=np.int64)
