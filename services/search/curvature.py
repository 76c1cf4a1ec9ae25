"""A model of the curvature of an adslab, from its geometry alone: where relaxations and escapes start from.

A stretching spring for each pair within reach, of a stiffness that falls off exponentially with the scaled distance (after
Lindh et al., Chem. Phys. Lett. 241, 423 (1995), doi:10.1016/0009-2614(95)00646-L), and a soft isotropic floor for all that
stretching doesn't see: bending, turning, sliding. It is positive definite. Only ratios between stiff and soft directions matter
much; BFGS corrects the rest within a few steps.
"""

from __future__ import annotations

import numpy as np

from services.geometry.contacts import pairs_within, radius_sums
from shared.periodic import Lattice
from shared.structures import Floats, Integers, Structure

STIFFNESS = (2.5, 8.0, 40.0)
"""eV/Å² at scaled distance 1: slab-slab, adsorbate-slab, adsorbate-adsorbate."""
DECAY = 5.0
"""Fall-off of the logarithm of the stiffness with the scaled distance."""
FLOOR = 2.0
"""eV/Å², on every coordinate."""
REACH = 1.6
"""Scaled distance beyond which a pair has no spring."""
_CLEARLY = 1e-6
"""Å that no rounding makes."""
_CLOSEST = 0.8
"""Scaled distance below which a spring gets no stiffer."""


def model_hessian(structure: Structure) -> Floats:
    """Second derivatives by the free coordinates, eV/Å² [3 n_free, 3 n_free], symmetric and positive definite."""
    free = np.flatnonzero(structure.free)
    numbers, positions = structure.numbers, structure.positions
    sums = radius_sums(numbers, numbers)
    reach = REACH * float(sums.max(initial=0.0))
    column = np.full(len(structure), -1)
    column[free] = np.arange(len(free))
    first, second = _perhaps_within(structure, free, reach)
    first, second, vectors = pairs_within(positions, first, second, structure.cell, structure.pbc, reach)
    lengths = np.linalg.norm(vectors, axis=1)
    scaled = lengths / sums[first, second]
    chosen = np.flatnonzero((scaled < REACH) & (lengths > 1e-6))
    first, second = first[chosen], second[chosen]
    vectors, scaled = vectors[chosen], scaled[chosen]
    kind = structure.adsorbate[first].astype(int) + structure.adsorbate[second]
    stiffness = np.asarray(STIFFNESS)[kind] * np.exp(-DECAY * (np.maximum(scaled, _CLOSEST) - 1))
    directions = vectors / lengths[chosen, None]
    blocks = stiffness[:, None, None] * directions[:, :, None] * directions[:, None, :]
    return _assembled(blocks, column[first], column[second], len(free))


def _perhaps_within(structure: Structure, free: Integers, reach: float) -> tuple[Integers, Integers]:
    """Every pair of a free atom with another atom [n], but for those that are further apart than `reach` (Å) for sure: along one
    lattice vector's planes alone, whatever image is taken. An image of an atom moves with it, and is no pair."""
    lattice = Lattice.of(structure.cell, structure.pbc)
    planes = np.linalg.inv(lattice.complete)
    spacing = 1 / np.linalg.norm(planes, axis=0)
    heights = structure.positions @ (planes * spacing)
    near = np.ones((len(free), len(structure)), dtype=bool)
    for height, repeat, periodic in zip(heights.T, spacing, lattice.periodic, strict=True):
        apart = np.abs(height[free, None] - height)
        if periodic:
            apart %= repeat
            apart = np.minimum(apart, repeat - apart)
        near &= apart <= reach + _CLEARLY
    near[np.arange(len(free)), free] = False
    first, second = np.nonzero(near)
    return free[first], second


def _assembled(blocks: Floats, row: Integers, column: Integers, n_free: int) -> Floats:
    """The matrix from each spring's block, eV/Å² [n, 3, 3], in the order of the springs: added where its atom meets itself, taken
    off where it meets the other. row: index of the atom among the free ones; column: of the other, -1 for one that is fixed."""
    size = 3 * n_free
    inside = np.array([[size * x + y for y in range(3)] for x in range(3)])

    def summed(rows: Integers, columns: Integers, parts: Floats) -> Floats:
        slots = (3 * (size * rows + columns))[:, None, None] + inside
        return np.asarray(np.bincount(slots.ravel(), parts.ravel(), size * size), dtype=np.float64)

    both = np.flatnonzero(column >= 0)
    flat = summed(row, row, blocks) - summed(row[both], column[both], blocks[both])
    square = flat.reshape(size, size)
    matrix = 0.5 * (square + square.T)
    matrix.flat[:: size + 1] += FLOOR
    return np.asarray(matrix, dtype=np.float64)
