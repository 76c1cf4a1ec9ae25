"""Distances between atoms under periodic boundaries, plain and scaled by covalent radii.

The scaled distance of a pair is d / (r_i + r_j) with the covalent radii of ase.data (Cordero et al., Dalton Trans.
2008, 2832, doi:10.1039/b801115j): about 1 for a covalent bond whatever the elements. Everything here takes all
pairs at once. Cells may be skewed: the shortest image is sought in the Minkowski-reduced cell, where the 27 images
around the origin are enough (Nguyen & Stehlé, ACM Trans. Algorithms 5, 46 (2009), doi:10.1145/1597036.1597050).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from ase.data import covalent_radii
from ase.geometry import complete_cell, minkowski_reduce
from numpy.typing import ArrayLike

from shared.structures import Floats, Integers, Mask

KEPT = 64
"""Cells for which what was prepared is kept."""
_CLEARLY = 1e-6
"""Å²: a difference that no rounding makes."""


def radii(numbers: ArrayLike) -> Floats:
    """Covalent radius of each atom, Å [n_atoms]."""
    return np.asarray(covalent_radii[np.asarray(numbers, dtype=np.int64)], dtype=np.float64)


def radius_sums(a_numbers: ArrayLike, b_numbers: ArrayLike) -> Floats:
    """r_i + r_j of every pair, Å [n_a, n_b]."""
    return np.asarray(radii(a_numbers)[:, None] + radii(b_numbers)[None, :], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Lattice:
    """What repeats of a cell, prepared once for many vectors; arrays are read-only."""

    complete: Floats
    """The periodic lattice vectors, with orthogonal vectors in place of the others, Å [3, 3].

    A third vector that leans over a slab must not take part: fractions along the surface would depend on height.
    """
    periodic: Mask
    """[3]."""
    reduced: Floats
    """The same lattice by its shortest vectors, Å [3, 3]."""
    to_fractions: Floats
    """Its inverse [3, 3]."""
    images: Floats
    """The translations around the origin, zero first, Å [n_images, 3]."""
    faces: Floats
    """One of each opposite two of these, Å [n_faces, 3]: half-way to them lie the faces of the cell of nearest points."""
    halves: Floats
    """Half of their squared lengths, Å² [n_faces, 1]."""
    shifts: Integers
    """Which of the images each face is, and which its opposite [2, n_faces]."""

    @classmethod
    def of(cls, cell: ArrayLike, pbc: ArrayLike) -> Lattice:
        """Kept, since a job asks about one cell all the time."""
        return _lattice(np.asarray(cell, dtype=np.float64).tobytes(), np.asarray(pbc, dtype=np.bool_).tobytes())

    def nearest(self, vectors: Floats) -> Floats:
        """The shortest periodic image of each vector, Å [n, 3]."""
        flat = vectors - (np.round(vectors @ self.to_fractions) * self.periodic) @ self.reduced
        nearest: Floats = flat + self.images[0]
        # half of the square by which a vector gets shorter by going to the face's image, or to its opposite
        along = self.faces @ flat.T
        gains = np.abs(along) - self.halves
        most = gains.max(axis=0, initial=-np.inf)
        outside = np.flatnonzero(most > -_CLEARLY)
        if len(outside):
            gains, most = gains[:, outside], most[outside]
            face = gains.argmax(axis=0)
            shift = self.shifts[(along[face, outside] > 0).astype(np.int64), face]
            nearest[outside] = flat[outside] + self.images[shift]
            equal = outside[((gains > most - _CLEARLY).sum(axis=0) > 1) | (most < _CLEARLY)]
            options = flat[equal, None, :] + self.images
            shortest = np.einsum("vsx,vsx->vs", options, options).argmin(axis=1)
            nearest[equal] = options[np.arange(len(equal)), shortest]
        return nearest


@lru_cache(maxsize=KEPT)
def _lattice(cell: bytes, pbc: bytes) -> Lattice:
    periodic = np.frombuffer(pbc, dtype=np.bool_)
    given = np.frombuffer(cell).reshape(3, 3)
    complete = np.asarray(complete_cell(given * periodic[:, None]), dtype=np.float64)
    reduced = np.asarray(minkowski_reduce(complete, periodic)[0], dtype=np.float64)
    steps = np.array(list(product(*((0, -1, 1) if p else (0,) for p in periodic))), dtype=np.float64)
    images = steps @ reduced
    upper = [index for index, step in enumerate(steps.tolist()) if step > [0.0, 0.0, 0.0]]
    opposite = [int((steps == -steps[index]).all(axis=1).argmax()) for index in upper]
    lattice = Lattice(
        complete=complete,
        periodic=periodic,
        reduced=reduced,
        to_fractions=np.linalg.inv(reduced),
        images=images,
        faces=images[upper],
        halves=0.5 * np.einsum("fx,fx->f", images[upper], images[upper])[:, None],
        shifts=np.array([upper, opposite], dtype=np.int64),
    )
    return _read_only(lattice)


def lattice_vectors(cell: ArrayLike, pbc: ArrayLike, longest: float) -> Floats:
    """Every periodic translation no longer than `longest` (Å), the zero vector first, Å [n_translations, 3]; read-only."""
    cell, pbc = np.asarray(cell, dtype=np.float64), np.asarray(pbc, dtype=np.bool_)
    return _lattice_vectors(cell.tobytes(), pbc.tobytes(), float(longest))


@lru_cache(maxsize=KEPT)
def _lattice_vectors(cell: bytes, pbc: bytes, longest: float) -> Floats:
    lattice = _lattice(cell, pbc)
    spacing = 1 / np.linalg.norm(np.linalg.inv(lattice.complete), axis=0)  # between lattice planes, Å
    most = np.where(lattice.periodic, np.floor(longest / spacing), 0).astype(int)
    steps = sorted(product(*(range(-m, m + 1) for m in most)), key=lambda step: (sum(map(abs, step)), step))
    vectors = np.array(steps, dtype=np.float64) @ lattice.complete
    chosen = np.asarray(vectors[np.linalg.norm(vectors, axis=1) <= longest], dtype=np.float64)
    chosen.flags.writeable = False
    return chosen


def _read_only(lattice: Lattice) -> Lattice:
    for array in vars(lattice).values():
        array.flags.writeable = False
    return lattice


def minimum_image(vectors: ArrayLike, cell: ArrayLike, pbc: ArrayLike) -> Floats:
    """The shortest periodic image of each vector, Å [..., 3]; right for any skew of the cell."""
    given = np.asarray(vectors, dtype=np.float64)
    if not np.any(pbc) or given.size == 0:
        return given.copy()
    return Lattice.of(cell, pbc).nearest(given.reshape(-1, 3)).reshape(given.shape)


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
    pairs, which = np.nonzero(squares <= reach * reach + _CLEARLY)
    vectors = nearest[pairs] + translations[which]
    within = np.einsum("ix,ix->i", vectors, vectors) <= reach * reach
    return pairs[within], vectors[within]
