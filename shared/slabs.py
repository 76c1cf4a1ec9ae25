"""A slab in one piece, and the side of it that is the surface, whatever cell it was written down in.

A crystal doesn't know where its cell begins: a slab may be cut in two by the cell's face, an adsorbate may be wrapped to the other
end of the vacuum, and a surface may look down as well as up. Only whole lattice vectors are added here, so nothing changes but how
the structure is written down.
"""

from __future__ import annotations

import numpy as np

from shared.structures import Floats, Integers, Structure

_FAR = 10.0
"""Cells: an atom further away than this from where most are is brought back."""
_ON_THE_FACE = 1e-6
"""Share of the third vector: an atom this far below the slab's lowest one lies level with it."""
_FREE_SIDE = 4.0
"""Å: least room on the other side of an adsorbate that is taken to sit under the slab; with less it would span the vacuum."""
_ONE_SIDED = 0.25
"""Share of the slab's thickness that fixed atoms lie above the free ones, on average, where they are the bottom of a slab that
looks down."""


def brought_back(structure: Structure) -> Structure:
    """With every atom that lies more than ten cells away from the slab, along the surface, brought back by whole lattice vectors; a
    molecule is moved as a whole. Distances to far images cost time and digits, and say nothing. The same object where nothing is that
    far away."""
    flat = np.array([structure.cell[0], structure.cell[1], _along_third(structure)])
    fractions = np.linalg.solve(flat.T, structure.positions.T).T[:, :2]
    if not structure.slab.any():
        return structure
    fractions -= np.median(fractions[structure.slab], axis=0)
    turns = np.zeros((len(structure), 2))
    mine = np.flatnonzero(structure.adsorbate)
    if len(mine):
        turns[mine] = _far(fractions[mine[:1]])
    turns += _far(fractions - turns)
    turns *= structure.pbc[:2]
    return structure.moved(structure.positions - turns @ structure.cell[:2]) if turns.any() else structure


def _far(fractions: Floats) -> Floats:
    """How many cells those are away that are far from where most are [n, 2]."""
    return np.where(np.abs(fractions) > _FAR, np.rint(fractions), 0.0)


def gathered(structure: Structure) -> Structure:
    """With the slab in one piece along the third lattice vector, and the adsorbate on the side of the slab that is its surface; all
    of it near its cell along the surface. The same object where nothing had to be moved."""
    return brought_back(_in_one_piece(structure))


def _in_one_piece(structure: Structure) -> Structure:
    """The same object where nothing had to be moved, or where the third vector isn't periodic."""
    slab = np.flatnonzero(structure.slab)
    if not structure.pbc[2] or not len(slab):
        return structure
    levels = _levels(structure)
    turns = np.zeros(len(structure), dtype=np.int64)
    turns[slab] = _turns(levels[slab])
    whole = _turned(structure, turns)
    mine = structure.adsorbate
    if mine.any():
        levels = _levels(whole)
        # none lies under the slab, or over one that looks down; what lies within it stays there
        start = levels[slab].max() - 1.0 if faces_down(whole) else levels[slab].min() - 2 * _ON_THE_FACE
        turns[mine] = np.floor(levels[mine] - start - _ON_THE_FACE).astype(np.int64)
    return _turned(structure, turns) if turns.any() else structure


def faces_down(structure: Structure) -> bool:
    """Whether the surface looks against the third lattice vector: by the marked surface layer; where none is marked, by the
    adsorbate, when it sits under the slab; where there is none, by the fixed atoms, which are the bottom. The slab in one piece."""
    if structure.surface.any():
        return bool(structure.normal @ structure.cell[2] < 0)
    levels = structure.positions @ _along_third(structure)
    slab = levels[structure.slab]
    low, high = float(slab.min()), float(slab.max())
    if structure.adsorbate.any():
        return _hangs(levels[structure.adsorbate], low, high, _period(structure))
    fixed, free = levels[structure.fixed], levels[structure.free]
    one_sided = len(fixed) and len(free) and fixed.mean() - free.mean() > _ONE_SIDED * (high - low)
    return bool(one_sided)


def outward_heights(structure: Structure) -> Floats:
    """Position of each atom along the normal that points out of the surface, marked or not, Å [n_atoms]. In one piece."""
    heights = structure.positions @ _along_third(structure)
    return np.asarray(-heights if faces_down(structure) else heights, dtype=np.float64)


def _hangs(molecule: Floats, low: float, high: float, period: float | None) -> bool:
    """Whether the molecule hangs under a slab from `low` to `high`, all Å along the third vector's side of the slab."""
    if period is not None:
        # as if it were above: whichever image lies between the slab and its next one
        molecule = molecule - period * np.floor((molecule - low) / period)
        over, under = float(molecule.min()) - high, low + period - float(molecule.max())
        return over > _FREE_SIDE and 0 < under < over
    return bool(molecule.max() < low)


def _along_third(structure: Structure) -> Floats:
    """Unit vector perpendicular to the first two lattice vectors, on the third one's side [3]."""
    normal = np.cross(structure.cell[0], structure.cell[1])
    normal = normal / np.linalg.norm(normal)
    return np.asarray(-normal if normal @ structure.cell[2] < 0 else normal, dtype=np.float64)


def _period(structure: Structure) -> float | None:
    """Distance of the cell's lower and upper face, Å; None where the third vector isn't periodic."""
    return abs(float(structure.cell[2] @ _along_third(structure))) if structure.pbc[2] else None


def _levels(structure: Structure) -> Floats:
    """Fractional coordinates along the third vector [n_atoms]."""
    along = _along_third(structure)
    return np.asarray(structure.positions @ along / (structure.cell[2] @ along), dtype=np.float64)


def _turns(levels: Floats) -> Integers:
    """How many third vectors each atom of a slab is to go back for the slab to be in one piece; most stay [n_atoms]."""
    inside = np.sort(levels % 1.0)
    gaps = np.diff(np.append(inside, inside[0] + 1))
    bottom = float(inside[(int(gaps.argmax()) + 1) % len(inside)])
    turns = np.floor(levels - bottom + _ON_THE_FACE).astype(np.int64)
    found, counts = np.unique(turns, return_counts=True)
    return np.asarray(turns - found[counts.argmax()], dtype=np.int64)


def _turned(structure: Structure, turns: Integers) -> Structure:
    return structure.moved(structure.positions - turns[:, None] * structure.cell[2]) if turns.any() else structure
