"""The name of an adsorption site: `fcc hollow Pt3 via C`, `bridge Pd-Cu via C`, `top O via H`, `physisorbed, 3.2 Å above Pt`.

The kind of site, the atoms of the slab that make it, and the atoms of the adsorbate that bind there. The slab's elements come
heaviest first: both of a bridge (`Pt-Pt`, `Pd-Cu`), those of a hollow with their counts (`Pt2Ni`, `Cu4`).
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from ase.data import chemical_symbols

from services.geometry.contacts import neighbours, radius_sums
from shared.structures import Floats, Integers, Structure

BONDED = 1.25
"""Scaled distance of a contact between adsorbate and slab."""
_WITHIN_REACH, _SKIN = 1.5, 0.6
"""Atoms nearer than this scaled distance plus the skin, Å, are within reach: beyond it the anomaly detector says desorbed."""
_SAME_SHELL = 1.18
"""Contacts up to this times the shortest one belong to the site."""
_EVEN = 0.12
"""Three atoms make a level, equilateral triangle when sides and heights differ by no more than this share of a side."""
_STRAIGHT_BELOW = 0.3
"""Lateral offset, as a share of the triangle's side; the next atom of the layer is 0.58 away."""
_NAMES = {1: "top", 2: "bridge", 3: "hollow", 4: "fourfold hollow"}


def describe(adslab: Structure) -> str:
    """The sites and the atoms that bind, the tightest first; `physisorbed` and how far away where nothing is bound but the slab is
    within reach; `unbound` beyond, where the anomaly is desorption. Never raises on a structure with a cell of finite volume, and
    says `unbound` of one that has no adsorbate or no finite positions."""
    mine, theirs = adslab.only(adslab.adsorbate), adslab.only(adslab.slab)
    sums = radius_sums(mine.numbers, theirs.numbers)
    reach = _WITHIN_REACH * sums + _SKIN
    first, second, vectors = neighbours(
        mine.positions, theirs.positions, adslab.cell, adslab.pbc, float(reach.max(initial=0.0))
    )
    lengths = np.linalg.norm(vectors, axis=1)
    near = lengths < reach[first, second]
    first, second, vectors, lengths = (part[near] for part in (first, second, vectors, lengths))
    if not len(first) or (vectors @ adslab.normal > 0).all():  # all of it above: the bottom of the next image
        return "unbound"
    scaled = lengths / sums[first, second]
    if scaled.min() >= BONDED:
        nearest = int(scaled.argmin())
        return _physisorbed(vectors[nearest], adslab.normal, int(theirs.numbers[second[nearest]]))
    names = []
    for atom in sorted(set(first[scaled < BONDED].tolist()), key=lambda atom: scaled[first == atom].min()):
        shell = (first == atom) & (scaled < BONDED) & (scaled <= _SAME_SHELL * scaled[first == atom].min())
        name = site_name(theirs, theirs.numbers[second[shell]], mine.positions[atom] + vectors[shell])
        names.append((name, chemical_symbols[mine.numbers[atom]]))
    if len({name for name, _ in names}) == 1:
        return f"{names[0][0]} via {', '.join(symbol for _, symbol in names)}"
    return ", ".join(f"{name} via {symbol}" for name, symbol in names)


def site_name(slab: Structure, numbers: Integers, partners: Floats) -> str:
    """Kind and elements of the site that these atoms of the slab make.

    numbers: [n_partners]; partners: their positions, images placed, Å [n_partners, 3].
    """
    n = len(partners)
    kind = _NAMES.get(n, f"{n}-fold hollow")
    stacking = _stacking(slab, partners) if n == 3 else ""
    return f"{stacking}{kind} {_elements(numbers)}"


def _elements(numbers: Integers) -> str:
    heaviest_first = sorted(numbers.tolist(), reverse=True)
    if len(numbers) == 2:
        return "-".join(chemical_symbols[number] for number in heaviest_first)
    pairs = Counter(heaviest_first).items()
    return "".join(f"{chemical_symbols[number]}{count if count > 1 else ''}" for number, count in pairs)


def _physisorbed(vector: Floats, normal: Floats, number: int) -> str:
    """vector: from the adsorbate to the nearest atom of the slab, Å [3]."""
    height, distance = float(-vector @ normal), float(np.linalg.norm(vector))
    symbol = chemical_symbols[number]
    if height < 0.5 * distance:  # a step's or an adatom's flank
        return f"physisorbed, {distance:.1f} Å beside {symbol}"
    return f"physisorbed, {height:.1f} Å above {symbol}"


def _stacking(slab: Structure, partners: Floats) -> str:
    """`hcp ` where a second-layer atom lies straight below a hollow of a close-packed face, `fcc ` where none does.

    Layers of touching spheres of diameter d are √(2/3) d apart. Nothing is said where the three partners make no even,
    level triangle (bcc(110), steps) or there is no second layer.
    """
    normal = slab.normal
    sides = np.linalg.norm(partners - partners[[2, 0, 1]], axis=1)
    levels = partners @ normal
    if np.ptp(sides) > _EVEN * sides.min() or np.ptp(levels) > _EVEN * sides.mean():
        return ""
    spacing = np.sqrt(2 / 3) * sides.mean()
    reach = 1.5 * spacing
    _, _, vectors = neighbours(partners.mean(axis=0)[None], slab.positions, slab.cell, slab.pbc, float(reach))
    depths = -vectors @ normal
    second = vectors[depths > 0.5 * spacing]
    if not len(second):
        return ""
    lateral = np.linalg.norm(second - np.outer(second @ normal, normal), axis=1)
    return "hcp " if lateral.min() < _STRAIGHT_BELOW * sides.mean() else "fcc "
