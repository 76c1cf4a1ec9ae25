"""A slab in the one form that doesn't depend on how it was written down, and the way back.

The same surface can be given in many cells: lattice vectors swapped, added to each other or left-handed, a third vector that leans,
a normal along any direction, atoms wrapped and in any order. Placements are found in the canonical form, so that all of these get
the same ones, and are then carried back into the cell that was given.

The form: the shortest two lattice vectors, the first along x; the normal along z; the lowest atom at height 0. Which of the shortest
vectors is the first, and which atom stands at the origin, is decided by a sum over all atoms that is the same for two choices only
where a symmetry of the slab takes one into the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from shared.structures import Floats, Integers, Structure

_ALIKE = 1e-4
"""Relative difference of two lengths that count as the same, and share of a cell by which an atom may lie outside."""
_STEP = 1e-10
"""Å: positions are rounded to it, so that arithmetic in another frame leaves no trace."""
_LEVEL = 1e-3
"""Å: atoms are put in order by coordinates rounded to it..."""
_OFF = 0.000318309886
"""Å: ...and moved by this first, since atoms like to stand at round fractions."""
_ROUND = 1e-3
"""Share of a moment below which a molecule counts as round to it."""
_PEAK = 1.3
"""The smaller above 1, the more a sum tells supercells of many repeats apart."""
_PHASES = 0.137, 0.291
"""Periods: without them a choice and its opposite would have the same sum."""


@dataclass(frozen=True, eq=False)
class Canonical:
    """A slab in canonical form."""

    slab: Structure
    """Atoms in canonical order."""
    given: Structure
    """As it was given."""
    axes: Floats
    """Rows: the canonical x, y and z in the frame that was given [3, 3]."""
    origin: Floats
    """The canonical origin there, Å [3]."""

    def back(self, positions: Floats, anchor: Floats) -> Floats:
        """Canonical positions, Å [n, 3], in the frame that was given, moved as a whole by lattice vectors of the surface so that
        `anchor` [3], canonical too, comes to lie in the given cell."""
        cell = self.given.cell
        fractions = np.linalg.solve(cell.T, anchor @ self.axes + self.origin)
        whole = np.floor(fractions[:2] + _ALIKE) @ cell[:2]
        return np.asarray(positions @ self.axes + self.origin - whole, dtype=np.float64)


def canonical(slab: Structure) -> Canonical:
    """The canonical form of a clean slab in one piece, its surface marked."""
    normal = slab.normal
    frames = _frames(slab.cell[0], slab.cell[1], normal)
    fractions = [_fractions(slab.positions, u, v, normal) for u, v in frames]
    weights = _weights(slab)
    sums = np.array([_sums(one, weights) for one in fractions])
    chosen, centre = np.unravel_index(int(sums.argmax()), sums.shape)
    (u, v), flat = frames[int(chosen)], fractions[int(chosen)]
    flat = flat - flat[centre]
    flat = flat - np.floor(flat + _ALIKE)
    first = u / np.linalg.norm(u)
    axes = np.array([first, np.cross(normal, first), normal])
    heights = slab.heights
    lowest = float(heights.min())
    cell = np.array([[u @ axes[0], 0, 0], [v @ axes[0], v @ axes[1], 0], [0, 0, abs(float(slab.cell[2] @ normal))]])
    positions = np.column_stack([flat @ cell[:2, :2], heights - lowest])
    cell, positions = np.round(cell / _STEP) * _STEP + 0.0, np.round(positions / _STEP) * _STEP + 0.0
    order = _order(slab.numbers, positions)
    form = Structure(
        numbers=slab.numbers,
        positions=positions,
        cell=cell,
        pbc=slab.pbc,
        adsorbate=slab.adsorbate,
        surface=slab.surface,
        fixed=slab.fixed,
    ).only(order)
    return Canonical(form, slab, axes, slab.positions[centre] - (heights[centre] - lowest) * normal)


def upright(slab: Structure, numbers: Integers, positions: Floats) -> Floats:
    """A molecule that lies on a slab: its centre at the origin, the slab's normal along z, and turned about that to where the
    molecule itself says. However the two were turned together, and whatever the slab's symmetry, it comes out the same. positions:
    Å [n_atoms, 3], returned likewise."""
    normal = slab.normal
    first = slab.cell[0] / np.linalg.norm(slab.cell[0])
    axes = np.array([first, np.cross(normal, first), normal])
    mine = (positions - positions.mean(axis=0)) @ axes.T
    across = mine[:, 0] + 1j * mine[:, 1]
    weights = numbers * np.exp(mine[:, 2] / 3.0)
    angle = 0.0
    for fold in range(1, 7):  # the lowest moment that its own symmetry about the normal leaves
        moment, largest = (weights * across**fold).sum(), (weights * np.abs(across) ** fold).sum()
        if np.abs(moment) > _ROUND * largest and largest > _ROUND * weights.sum():
            angle = -float(np.angle(moment)) / fold
            break
    turned = across * np.exp(1j * angle)
    upright = np.column_stack([turned.real, turned.imag, mine[:, 2]])
    return np.asarray(np.round(upright / _STEP) * _STEP + 0.0, dtype=np.float64)


def _frames(a: Floats, b: Floats, normal: Floats) -> list[tuple[Floats, Floats]]:
    """Every pair of shortest lattice vectors that spans the surface cell, right-handed about the normal; at no more than 90°
    where there is such a pair."""
    while True:  # Lagrange: the shorter one is taken off the longer one
        if b @ b < a @ a:
            a, b = b, a
        steps = np.round((a @ b) / (a @ a))
        if steps == 0 or (b - steps * a) @ (b - steps * a) > (b @ b) * (1 - 1e-9):
            break
        b = b - steps * a
    area = np.linalg.norm(np.cross(a, b))
    short, longer = (1 + _ALIKE) * np.linalg.norm(a), (1 + _ALIKE) * np.linalg.norm(b)
    around = [i * a + j * b for i, j in product((-1, 0, 1), repeat=2) if (i, j) != (0, 0)]
    pairs = [(u, v) for u in around for v in around if np.linalg.norm(u) < short and np.linalg.norm(v) < longer]
    right_handed = [(u, v) for u, v in pairs if np.cross(u, v) @ normal > 0.5 * area]
    acute = [(u, v) for u, v in right_handed if u @ v > -_ALIKE * short * longer]
    return acute or right_handed


def _fractions(positions: Floats, u: Floats, v: Floats, normal: Floats) -> Floats:
    """Of u and v, the height left out [n_atoms, 2]."""
    solved = np.linalg.solve(np.array([u, v, normal]).T, positions.T).T
    return np.asarray(solved[:, :2], dtype=np.float64)


def _weights(slab: Structure) -> Floats:
    """What an atom is, and how deep it lies [n_atoms]."""
    depths = slab.heights.max() - slab.heights
    kinds = slab.numbers * (1 + 0.31 * slab.surface + 0.17 * slab.fixed)
    return np.asarray(kinds * np.exp(-depths / 7.0), dtype=np.float64)


def _sums(fractions: Floats, weights: Floats) -> Floats:
    """What all atoms add up to, seen from each of them [n_atoms]: a smooth periodic function without any symmetry."""
    apart = fractions[None] - fractions[:, None]
    peaks = 1 / (_PEAK - np.cos(2 * np.pi * (apart + np.array(_PHASES))))
    return np.asarray((peaks.prod(axis=-1) * weights).sum(axis=1), dtype=np.float64)


def _order(numbers: Integers, positions: Floats) -> Integers:
    """The topmost first, then along y and x [n_atoms]."""
    x, y, z = np.floor((positions.T + _OFF) / _LEVEL)
    return np.asarray(np.lexsort((numbers, x, y, -z)), dtype=np.int64)
