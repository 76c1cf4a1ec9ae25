"""What repeats: lattice vectors, and the shortest image of a vector under periodic boundaries.

Cells may be skewed: the shortest image is sought in the Minkowski-reduced cell, where the 27 images around the origin are enough
(Nguyen & Stehlé, ACM Trans. Algorithms 5, 46 (2009), doi:10.1145/1597036.1597050).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from ase.geometry import complete_cell, minkowski_reduce
from numpy.typing import ArrayLike

from shared.structures import Floats, Integers, Mask

KEPT = 64
"""Cells for which what was prepared is kept."""
CLEARLY = 1e-6
"""Å²: a difference that no rounding makes."""


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
        outside = np.flatnonzero(most > -CLEARLY)
        if len(outside):
            gains, most = gains[:, outside], most[outside]
            face = gains.argmax(axis=0)
            shift = self.shifts[(along[face, outside] > 0).astype(np.int64), face]
            nearest[outside] = flat[outside] + self.images[shift]
            equal = outside[((gains > most - CLEARLY).sum(axis=0) > 1) | (most < CLEARLY)]
            options = flat[equal, None, :] + self.images
            shortest = np.einsum("vsx,vsx->vs", options, options).argmin(axis=1)
            nearest[equal] = options[np.arange(len(equal)), shortest]
        return nearest


@lru_cache(maxsize=KEPT)
def _lattice(cell: bytes, pbc: bytes) -> Lattice:
    given = np.frombuffer(cell).reshape(3, 3)
    periodic = np.frombuffer(pbc, dtype=np.bool_) & given.any(axis=1)
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
