"""Lattice planes by integer arithmetic: the smallest cell of a face, the distance of its planes, and how many atoms a slab takes.

Known from the metric and the index alone, in well under a millisecond: what a cut costs is known before anything is cut. The third
vector that decides how deep a slab gets is chosen as pymatgen's SlabGenerator with max_normal_search=1 chooses it, which OC20 uses
(doi:10.1021/acscatal.0c04525): slabs are whole multiples of its height.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from scipy.spatial import cKDTree

from shared.structures import Floats, Integers

_NOISE = 1e-6
"""Relative: an extent this little short of what is asked for is as long."""
_LEVEL = 1e-8
"""Cosines this close are the same."""


@dataclass(frozen=True, eq=False)
class Plane:
    """The planes of one index."""

    vectors: Floats
    """The two shortest lattice vectors in the plane, Å [2, 3]."""
    step: Floats
    """A lattice vector from one plane to the next one along +[h k l], Å [3]."""
    normal: Floats
    """Unit vector along +[h k l] [3]."""
    spacing: float
    """Distance of the planes, Å."""


@dataclass(frozen=True)
class Extent:
    """How many planes and cells of a face a slab takes."""

    planes: int
    """In the slab."""
    empty: int
    """In the vacuum."""
    repeats: tuple[int, int]
    """Of the face's smallest cell along its two vectors."""
    upwards: bool
    """Whether the third vector of pymatgen's cell points along +[h k l]; terminations are counted along it."""

    @property
    def cells(self) -> int:
        """Primitive cells of the crystal in the slab."""
        return self.planes * self.repeats[0] * self.repeats[1]


def plane(lattice: Floats, index: Integers) -> Plane:
    """The planes of an index of a primitive lattice. lattice: rows are its vectors, Å [3, 3]; index: without a common divisor [3]."""
    rows = _unimodular(index)
    reciprocal = np.linalg.inv(lattice) @ index  # Å^-1, along the normal: 1 / spacing
    length = float(np.linalg.norm(reciprocal))
    a, b = _shortest(rows[0] @ lattice, rows[1] @ lattice)
    return Plane(np.array([a, b]), np.asarray(rows[2] @ lattice), reciprocal / length, 1 / length)


def extent(
    face: Plane, lattice: Floats, index: tuple[int, ...], *, min_depth: float, min_width: float, vacuum: float
) -> Extent:
    """What a slab of this face takes. lattice: of the cell that the index is of, rows in Å [3, 3], which may be a centred one; index:
    coprime in it. Lengths in Å."""
    rise = _third(lattice, index, face.normal)
    height = abs(rise)
    high = max(1, round(height / face.spacing))
    deep, wide = (math.ceil(length / height - _NOISE) for length in (min_depth, vacuum))
    a, b = (max(1, math.ceil(min_width / float(length) - _NOISE)) for length in np.linalg.norm(face.vectors, axis=1))
    return Extent(max(1, deep) * high, wide * high, (a, b), rise > 0)


def primitive(lattice: Floats, fractions: Floats, numbers: Integers, tolerance: float) -> Floats:
    """Vectors of the crystal's primitive lattice in units of those given, as rows [3, 3]. tolerance: how near, in Å, a translation
    brings each atom to one of its kind. The identity where the cell is primitive, or where translations are too blurred to tell."""
    shifts = _translations(lattice, fractions, numbers, tolerance)
    times = len(shifts)
    whole = np.rint(shifts * times)
    if times == 1 or np.abs(shifts * times - whole).max() > 0.1:
        return np.eye(3)
    basis = _basis(np.concatenate([whole.astype(np.int64), times * np.eye(3, dtype=np.int64)])) / times
    closed = abs(abs(float(np.linalg.det(basis))) * times - 1) < _NOISE
    return basis if closed else np.eye(3)


def coprime(index: Floats | tuple[int, ...]) -> Integers:
    """The whole numbers without a common divisor that are in these ratios [3]. Raises ValueError where there are none up to 1000."""
    given = np.asarray(index, dtype=np.float64)
    for times in range(1, 1000):
        whole = np.rint(given * times)
        if np.abs(given * times - whole).max() < 1e-3 and whole.any():
            integers = whole.astype(np.int64)
            return np.asarray(integers // np.gcd.reduce(integers), dtype=np.int64)
    raise ValueError(f"no lattice plane has the index {given.tolist()}")


def carried(index: tuple[int, ...], basis: Floats) -> Integers:
    """The index of the same planes in a primitive lattice, without a common divisor [3]. basis: its vectors in units of those that
    the index is of [3, 3], as `primitive` finds it."""
    times = round(1 / abs(float(np.linalg.det(basis))))
    whole = np.rint(basis @ np.array(index, dtype=np.float64) * times).astype(np.int64)
    return np.asarray(whole // np.gcd.reduce(whole), dtype=np.int64)


def _unimodular(index: Integers) -> Integers:
    """Rows of determinant ±1 that the index takes to (0, 0, 1): two lattice vectors in the plane, and one to the next plane
    [3, 3]."""
    rest, rows = [int(number) for number in index], np.eye(3, dtype=np.int64)
    while sum(number != 0 for number in rest) > 1:  # Euclid
        least = min((abs(number), at) for at, number in enumerate(rest) if number)[1]
        for other in range(3):
            if other != least:
                times = rest[other] // rest[least]
                rest[other] -= times * rest[least]
                rows[other] -= times * rows[least]
    last = next(at for at, number in enumerate(rest) if number)
    rows[last] *= rest[last]
    return np.asarray(rows[[at for at in range(3) if at != last] + [last]], dtype=np.int64)


def _shortest(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """The shortest two vectors of a plane lattice, at 90° or more (Lagrange)."""
    while True:
        if b @ b < a @ a:
            a, b = b, a
        steps = np.rint((a @ b) / (a @ a))
        if steps == 0 or (b - steps * a) @ (b - steps * a) > (b @ b) * (1 - 1e-9):
            return a, b
        b = b - steps * a


def _third(lattice: Floats, index: tuple[int, ...], normal: Floats) -> float:
    """How far the third vector of pymatgen's cell rises along the normal, Å; negative where it points down."""
    across = _in_plane(lattice, index, normal)
    steps = (-1, 1, 0)
    best: tuple[float, float, float, int] | None = None
    for third in product(steps, steps, steps):
        spanned = round(float(np.linalg.det([*across, third])))
        if not spanned:
            continue
        vector = np.array(third) @ lattice
        length, rise = float(np.linalg.norm(vector)), float(vector @ normal)
        cosine = abs(rise) / length
        if best is None or cosine > best[0] + _LEVEL or (cosine > best[0] - _LEVEL and length < best[1] - _NOISE):
            best = cosine, length, rise, spanned
        if cosine > 1 - _LEVEL:
            break
    if best is None:
        raise ValueError(f"the lattice has no planes of the index {index}")
    return math.copysign(1, best[3]) * best[2]


def _in_plane(lattice: Floats, index: tuple[int, ...], normal: Floats) -> list[list[int]]:
    """The two vectors in the plane that pymatgen takes; whether the third one points up depends on them [2, 3]."""
    across = [[int(at == other) for other in range(3)] for at, number in enumerate(index) if not number]
    leaning = [at for at, number in enumerate(index) if number]
    multiple = math.lcm(*(index[at] for at in leaning))
    for one, other in combinations(leaning, 2):
        if len(across) == 2:
            break
        vector = [0, 0, 0]
        vector[one], vector[other] = -(multiple // index[one]), multiple // index[other]
        across.append(vector)
    return across


def _translations(lattice: Floats, fractions: Floats, numbers: Integers, tolerance: float) -> Floats:
    """Translations that take every atom to one of its kind, none by a lattice vector but zero; in fractions [n, 3]."""
    kinds, counts = np.unique(numbers, return_counts=True)
    inside = [_wrapped(fractions[numbers == kind]) for kind in kinds]
    trees = [cKDTree(one, boxsize=np.ones(3)) for one in inside]
    rarest = inside[int(counts.argmin())]
    found = []
    for start in rarest:
        shift, drift = start - rarest[0], np.zeros(3)
        for one, tree in zip(inside, trees, strict=True):
            there = _wrapped(one + shift)
            nearest = np.asarray(tree.query(there)[1], dtype=np.int64)
            apart = one[nearest] - there
            apart -= np.rint(apart)
            if np.linalg.norm(apart @ lattice, axis=1).max() > tolerance or len(set(nearest.tolist())) < len(nearest):
                break
            drift = drift + apart.sum(axis=0)
        else:
            exact = shift + drift / len(fractions)
            found.append(exact - np.floor(exact + _NOISE))
    return np.array(found)


def _basis(rows: Integers) -> Integers:
    """Three vectors with the same whole multiples as these [n, 3]: Gauss with whole numbers."""
    rows = rows.copy()
    for column in range(3):
        while True:
            below = np.flatnonzero(rows[column:, column]) + column
            least = below[np.abs(rows[below, column]).argmin()]
            rows[[column, least]] = rows[[least, column]]
            times = rows[column + 1 :, column] // rows[column, column]
            rows[column + 1 :] -= times[:, None] * rows[column]
            if not rows[column + 1 :, column].any():
                break
    return rows[:3]


def _wrapped(fractions: Floats) -> Floats:
    """Into [0, 1)."""
    inside = fractions - np.floor(fractions)
    return np.asarray(np.where(inside >= 1.0, 0.0, inside), dtype=np.float64)
