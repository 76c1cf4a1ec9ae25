"""A model of the curvature of an adslab, from its geometry alone: where relaxations and escapes start from.

A stretching spring for each pair within reach, of a stiffness that falls off exponentially with the scaled distance (after
Lindh et al., Chem. Phys. Lett. 241, 423 (1995), doi:10.1016/0009-2614(95)00646-L), and a soft isotropic floor for all that
stretching doesn't see: bending, turning, sliding. It is positive definite. Only ratios between stiff and soft directions matter
much; BFGS corrects the rest within a few steps.
"""

from __future__ import annotations

import numpy as np

from services.geometry.contacts import neighbours, radius_sums
from shared.structures import Floats, Structure

STIFFNESS = (2.5, 8.0, 40.0)
"""eV/Å² at scaled distance 1: slab-slab, adsorbate-slab, adsorbate-adsorbate."""
DECAY = 5.0
"""Fall-off of the logarithm of the stiffness with the scaled distance."""
FLOOR = 2.0
"""eV/Å², on every coordinate."""
REACH = 1.6
"""Scaled distance beyond which a pair has no spring."""
_CLOSEST = 0.8
"""Scaled distance below which a spring gets no stiffer."""


def model_hessian(structure: Structure) -> Floats:
    """Second derivatives by the free coordinates, eV/Å² [3 n_free, 3 n_free], symmetric and positive definite."""
    free = np.flatnonzero(structure.free)
    n_atoms = len(structure)
    sums = radius_sums(structure.numbers, structure.numbers)
    first, second, vectors = neighbours(
        structure.positions, structure.positions, structure.cell, structure.pbc, REACH * float(sums.max(initial=0.0))
    )
    lengths = np.linalg.norm(vectors, axis=1)
    scaled = lengths / sums[first, second]
    # an image of an atom moves with it: no spring
    chosen = (first != second) & (scaled < REACH) & (lengths > 1e-6)
    first, second, vectors, scaled = (part[chosen] for part in (first, second, vectors, scaled))
    kind = structure.adsorbate[first].astype(int) + structure.adsorbate[second]
    stiffness = np.asarray(STIFFNESS)[kind] * np.exp(-DECAY * (np.maximum(scaled, _CLOSEST) - 1))
    directions = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    blocks = stiffness[:, None, None] * directions[:, :, None] * directions[:, None, :]
    hessian = np.zeros((n_atoms, n_atoms, 3, 3))
    np.add.at(hessian, (first, first), blocks)
    np.subtract.at(hessian, (first, second), blocks)
    size = 3 * len(free)
    flat = hessian[np.ix_(free, free)].transpose(0, 2, 1, 3).reshape(size, size)
    return np.asarray(0.5 * (flat + flat.T) + FLOOR * np.eye(size), dtype=np.float64)
