"""Distances between atoms under periodic boundaries, plain and scaled by covalent radii.

The scaled distance of a pair is d / (r_i + r_j) with the covalent radii of ase.data (Cordero et al., Dalton Trans.
2008, 2832, doi:10.1039/b801115j): about 1 for a covalent bond whatever the elements. Everything here takes all
pairs at once.
"""

from __future__ import annotations

import numpy as np
from ase.data import covalent_radii
from numpy.typing import ArrayLike

from shared.periodic import CLEARLY, lattice_vectors, minimum_image
from shared.structures import Floats, Integers


def radii(numbers: ArrayLike) -> Floats:
    """Covalent radius of each atom, Å [n_atoms]."""
    return np.asarray(covalent_radii[np.asarray(numbers, dtype=np.int64)], dtype=np.float64)


def radius_sums(a_numbers: ArrayLike, b_numbers: ArrayLike) -> Floats:
    """r_i + r_j of every pair, Å [n_a, n_b]."""
    return np.asarray(radii(a_numbers)[:, None] + radii(b_numbers)[None, :], dtype=np.float64)


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
    nearest = pair_vectors(a_positions, b_positions, cell, pbc)
    pairs, vectors = _images_within(nearest.reshape(-1, 3), cell, pbc, reach)
    first, second = np.divmod(pairs, max(nearest.shape[1], 1))
    return first, second, vectors


def pairs_within(
    positions: Floats, first: Integers, second: Integers, cell: ArrayLike, pbc: ArrayLike, reach: float
) -> tuple[Integers, Integers, Floats]:
    """`neighbours` of these pairs of atoms alone: indices of first and second [n_pairs], vectors, Å [n_pairs, 3]."""
    nearest = minimum_image(positions.take(second, axis=0) - positions.take(first, axis=0), cell, pbc)
    pairs, vectors = _images_within(nearest, cell, pbc, reach)
    return first[pairs], second[pairs], vectors


def _images_within(nearest: Floats, cell: ArrayLike, pbc: ArrayLike, reach: float) -> tuple[Integers, Floats]:
    """All images within reach: indices of their pairs [n_images], vectors, Å [n_images, 3]. nearest: Å [n_pairs, 3]."""
    # Two images within reach are no more than twice the reach apart.
    translations = lattice_vectors(cell, pbc, 2 * reach)
    # |v + t|² by its parts finds all that may be within reach, and few that aren't; then each is looked at as it is
    squares = 2 * nearest @ translations.T
    squares += np.einsum("px,px->p", nearest, nearest)[:, None]
    squares += np.einsum("tx,tx->t", translations, translations)
    pairs, which = np.nonzero(squares <= reach * reach + CLEARLY)
    vectors = nearest[pairs] + translations[which]
    within = np.einsum("ix,ix->i", vectors, vectors) <= reach * reach
    return pairs[within], vectors[within]
