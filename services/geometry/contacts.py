"""Distances between atoms under periodic boundaries, plain and scaled by covalent radii.

The scaled distance of a pair is d / (r_i + r_j) with the covalent radii of ase.data (Cordero et al., Dalton Trans.
2008, 2832, doi:10.1039/b801115j): about 1 for a covalent bond whatever the elements. Everything here takes all
pairs at once. Cells may be skewed: the shortest image is sought in the Minkowski-reduced cell, where the 27 images
around the origin are enough (Nguyen & Stehlé, ACM Trans. Algorithms 5, 46 (2009), doi:10.1145/1597036.1597050).
"""

from __future__ import annotations

from itertools import product

import numpy as np
from ase.data import covalent_radii
from ase.geometry import complete_cell, minkowski_reduce
from numpy.typing import ArrayLike

from shared.structures import Floats, Integers


def radii(numbers: ArrayLike) -> Floats:
    """Covalent radius of each atom, Å [n_atoms]."""
    return np.asarray(covalent_radii[np.asarray(numbers, dtype=np.int64)], dtype=np.float64)


def radius_sums(a_numbers: ArrayLike, b_numbers: ArrayLike) -> Floats:
    """r_i + r_j of every pair, Å [n_a, n_b]."""
    return np.asarray(radii(a_numbers)[:, None] + radii(b_numbers)[None, :], dtype=np.float64)


def _periodic_cell(cell: ArrayLike, pbc: ArrayLike) -> Floats:
    """The periodic lattice vectors, with orthogonal vectors in place of the others [3, 3].

    A third vector that leans over a slab must not take part: fractions along the surface would depend on height.
    """
    periodic = np.asarray(pbc, dtype=bool)
    return np.asarray(complete_cell(np.asarray(cell, dtype=np.float64) * periodic[:, None]), dtype=np.float64)


def lattice_vectors(cell: ArrayLike, pbc: ArrayLike, longest: float) -> Floats:
    """Every periodic translation no longer than `longest` (Å), the zero vector first, Å [n_translations, 3]."""
    complete = _periodic_cell(cell, pbc)
    spacing = 1 / np.linalg.norm(np.linalg.inv(complete), axis=0)  # between lattice planes, Å
    most = np.where(np.asarray(pbc, dtype=bool), np.floor(longest / spacing), 0).astype(int)
    steps = sorted(product(*(range(-m, m + 1) for m in most)), key=lambda step: (sum(map(abs, step)), step))
    vectors = np.array(steps, dtype=np.float64) @ complete
    return np.asarray(vectors[np.linalg.norm(vectors, axis=1) <= longest], dtype=np.float64)


def minimum_image(vectors: ArrayLike, cell: ArrayLike, pbc: ArrayLike) -> Floats:
    """The shortest periodic image of each vector, Å [..., 3]; right for any skew of the cell."""
    given = np.asarray(vectors, dtype=np.float64)
    periodic = np.asarray(pbc, dtype=bool)
    if not periodic.any() or given.size == 0:
        return given.copy()
    reduced = minkowski_reduce(_periodic_cell(cell, periodic), periodic)[0]
    flat = given.reshape(-1, 3)
    flat = flat - (np.round(flat @ np.linalg.inv(reduced)) * periodic) @ reduced
    shifts = np.array(list(product(*((0, -1, 1) if p else (0,) for p in periodic))), dtype=np.float64) @ reduced
    images = flat[:, None, :] + shifts
    nearest = np.einsum("vsx,vsx->vs", images, images).argmin(axis=1)
    return np.asarray(images[np.arange(len(flat)), nearest].reshape(given.shape), dtype=np.float64)


def pair_vectors(a_positions: ArrayLike, b_positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike) -> Floats:
    """Minimum-image vector from each a to each b, Å [n_a, n_b, 3]."""
    a = np.asarray(a_positions, dtype=np.float64).reshape(-1, 3)
    b = np.asarray(b_positions, dtype=np.float64).reshape(-1, 3)
    return minimum_image(b[None, :, :] - a[:, None, :], cell, pbc)


def distances(a_positions: ArrayLike, b_positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike) -> Floats:
    """Minimum-image distance of every pair, Å [n_a, n_b]."""
    return np.asarray(np.linalg.norm(pair_vectors(a_positions, b_positions, cell, pbc), axis=-1), dtype=np.float64)


def scaled_distances(
    a_numbers: ArrayLike,
    a_positions: ArrayLike,
    b_numbers: ArrayLike,
    b_positions: ArrayLike,
    cell: ArrayLike,
    pbc: ArrayLike,
) -> Floats:
    """Minimum-image d / (r_i + r_j) of every pair [n_a, n_b]; an atom and itself are 0 apart."""
    return np.asarray(
        distances(a_positions, b_positions, cell, pbc) / radius_sums(a_numbers, b_numbers), dtype=np.float64
    )


def neighbours(
    a_positions: ArrayLike, b_positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike, reach: float
) -> tuple[Integers, Integers, Floats]:
    """All image pairs within reach, every image of a pair listed on its own.

    Returns (index in a [n_pairs], index in b [n_pairs], vector from a to b's image, Å [n_pairs, 3]). Needed where a
    cell is so small that an atom touches several images of another, or of itself; an atom's zero-length vector to
    itself is listed too when both sets hold it. reach: Å.
    """
    a = np.asarray(a_positions, dtype=np.float64).reshape(-1, 3)
    b = np.asarray(b_positions, dtype=np.float64).reshape(-1, 3)
    nearest = pair_vectors(a, b, cell, pbc)
    # Two images within reach are no more than twice the reach apart.
    vectors = nearest[:, :, None, :] + lattice_vectors(cell, pbc, 2 * reach)
    found = np.nonzero(np.einsum("abix,abix->abi", vectors, vectors) <= reach * reach)
    return found[0].astype(np.int64), found[1].astype(np.int64), vectors[found]
