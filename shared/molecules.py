"""A molecule as such: its own bonds, in one piece across its cell, and how near it comes to its own periodic images.

Two atoms are bonded where they are nearer than the sum of their covalent radii plus 0.6 Å. It is what the community's anomaly
detector calls bonded (services.geometry.anomalies). Lengths in Å.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii
from numpy.typing import ArrayLike

from shared.periodic import minimum_image
from shared.structures import Floats, Integers, Mask

CUSHION = 0.6
"""Å: the detector's neighbour list adds 0.3 Å for each of the two atoms."""
TIGHT = 1.25
"""Scaled distance, d / (r_i + r_j), of a bond that is surely one."""
_STAYED = 1e-6
"""Å: an atom that was moved by less to put the molecule in one piece was not moved."""

Links = Sequence[tuple[int, int]]
"""Pairs (atom that has its place, atom placed next to it) that lead from the first atom to every other one."""


def bond_lengths(numbers: ArrayLike) -> Floats:
    """Distance below which each pair is bonded, Å [n, n]."""
    return _radius_sums(numbers) + CUSHION


def bonds(numbers: ArrayLike, positions: ArrayLike) -> Mask:
    """Which pairs are bonded, periodic images left out [n, n]; no atom with itself."""
    where = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    distances = np.linalg.norm(where[:, None] - where[None], axis=-1)
    return np.asarray((distances < bond_lengths(numbers)) & ~np.eye(len(where), dtype=bool), dtype=np.bool_)


def pieces(bonded: Mask) -> list[list[int]]:
    """Atoms that hang together by bonds [n, n], in their order, the piece of the first atom first."""
    left, found = set(range(len(bonded))), []
    while left:
        piece, grown = {min(left)}, [min(left)]
        while grown:
            new = set(np.flatnonzero(bonded[grown.pop()]).tolist()) - piece
            piece |= new
            grown += sorted(new)
        left -= piece
        found.append(sorted(piece))
    return found


def links(numbers: ArrayLike, positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike) -> Links:
    """A tree of the shortest contacts by scaled distance: what belongs together is joined before what merely comes near. Periodic
    images count only where tight bonds don't hold the molecule together without them, so that no image is taken for a neighbour."""
    where = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    vectors = (where[None] - where[:, None]).reshape(-1, 3)
    tree, longest = _tree(vectors, numbers)
    if longest > TIGHT and np.any(pbc):
        tree, _ = _tree(minimum_image(vectors, cell, pbc), numbers)
    return tree


def _tree(vectors: Floats, numbers: ArrayLike) -> tuple[Links, float]:
    """Links, and the scaled distance of the longest. vectors: from each atom to each, Å [n * n, 3]."""
    sums = _radius_sums(numbers)
    scaled = np.linalg.norm(vectors, axis=-1).reshape(sums.shape) / sums
    placed, left, found = [0], list(range(1, len(sums))), []
    longest = 0.0
    while left:
        options = scaled[np.ix_(placed, left)]
        a, b = np.unravel_index(int(options.argmin()), options.shape)
        longest = max(longest, float(options[a, b]))
        atom = left.pop(int(b))
        found.append((placed[int(a)], atom))
        placed.append(atom)
    return found, longest


def along(tree: Links, positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike) -> Floats:
    """The molecule laid out along these links, each by its shortest image, Å [n, 3]; the very positions where they are laid out
    so already."""
    given = np.array(positions, dtype=np.float64).reshape(-1, 3)
    if not len(tree):
        return given
    first, second = np.array(tree).T
    vectors = given[second] - given[first]
    if float(np.linalg.norm(vectors, axis=1).max()) < _surely_nearest(cell, pbc):
        return given
    vectors = minimum_image(vectors, cell, pbc)
    whole = given.copy()
    for (begin, end), vector in zip(tree, vectors, strict=True):
        whole[end] = whole[begin] + vector
    return given if np.abs(whole - given).max() < _STAYED else whole


def unwrapped(numbers: ArrayLike, positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike) -> Floats:
    """The molecule in one piece, whatever cell it was wrapped into, Å [n, 3]: a molecule longer than half a cell as well."""
    return along(links(numbers, positions, cell, pbc), positions, cell, pbc)


@dataclass(frozen=True)
class Contact:
    """Two atoms of a molecule and of its periodic image."""

    first: int
    second: int
    distance: float
    """Å."""
    bond: float
    """Distance below which they are bonded, Å."""


@dataclass(frozen=True, eq=False)
class Extent:
    """How far apart a molecule's atoms are, by which its images come near whatever way it is turned about the surface's normal."""

    numbers: Integers
    """Atomic numbers [n]."""
    apart: Floats
    """Å [n, n]."""
    sideways: Floats
    """Most of it that may lie along the surface, Å [n, n]."""

    @classmethod
    def of(cls, numbers: ArrayLike, ways: Sequence[Floats], tilt: float) -> Extent:
        """Of a molecule that is placed in these ways, the surface's normal along z, Å [n, 3], and tilted by no more than `tilt`,
        radians. The molecule is the same in all of them."""
        vectors = np.stack(ways)[:, :, None] - np.stack(ways)[:, None]
        apart = np.linalg.norm(vectors[0], axis=-1)
        flat, high = np.linalg.norm(vectors[..., :2], axis=-1), np.abs(vectors[..., 2])
        sideways = apart * np.cos(np.maximum(np.arctan2(high, flat) - tilt, 0.0))
        return cls(np.asarray(numbers, dtype=np.int64), apart, np.asarray(sideways.max(axis=0), dtype=np.float64))

    def touching(self, vectors: Floats) -> Contact | None:
        """The worst contact with the images at these lattice vectors of the surface, Å [n_vectors, 3], each at the turn that brings
        it closest: there the image lies opposite, so d² = L² + apart² - 2 L sideways. None where nothing touches."""
        lengths = np.linalg.norm(vectors, axis=1)[:, None, None]
        squared = lengths**2 + self.apart**2 - 2 * lengths * self.sideways
        return _worst(np.sqrt(np.maximum(squared, 0.0)), bond_lengths(self.numbers))

    @property
    def room(self) -> float:
        """Shortest lattice vector of the surface with which the molecule touches no image, nor with any longer one, Å."""
        lift_squared = self.apart**2 - self.sideways**2
        spare = bond_lengths(self.numbers) ** 2 - lift_squared
        return float(np.where(spare > 0, self.sideways + np.sqrt(np.maximum(spare, 0.0)), 0.0).max(initial=0.0))


def image_contact(numbers: ArrayLike, positions: ArrayLike, vectors: Floats) -> Contact | None:
    """The worst contact of a molecule in one piece with its images at these lattice vectors, Å [n_vectors, 3], as it lies; None
    where nothing touches."""
    where = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    offsets = where[None, None] + vectors[:, None, None] - where[None, :, None]
    return _worst(np.linalg.norm(offsets, axis=-1), bond_lengths(numbers))


def is_endless(numbers: ArrayLike, positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike) -> bool:
    """Whether the atoms, in one piece, are tightly bonded to their own images: a chain, a layer or a crystal, and no molecule."""
    sums = _radius_sums(numbers)
    where = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    longest = float(np.ptp(where, axis=0).sum() + TIGHT * sums.max())
    vectors = translations(np.asarray(cell, dtype=np.float64)[np.asarray(pbc, dtype=bool)], longest)
    offsets = where[None, None] + vectors[:, None, None] - where[None, :, None]
    return bool((np.linalg.norm(offsets, axis=-1) < TIGHT * sums).any())


def translations(cell: ArrayLike, longest: float) -> Floats:
    """Every lattice vector no longer than `longest`, zero left out, Å [n, 3]. cell: the vectors that repeat, Å [n_periodic, 3]."""
    rows = np.asarray(cell, dtype=np.float64).reshape(-1, 3)
    if not len(rows):
        return np.zeros((0, 3))
    most = np.floor(longest * np.linalg.norm(np.linalg.pinv(rows), axis=0) + 1e-9).astype(int)
    steps = np.array(np.meshgrid(*(np.arange(-m, m + 1) for m in most), indexing="ij")).reshape(len(rows), -1).T
    vectors = steps[steps.any(axis=1)] @ rows
    return np.asarray(vectors[np.linalg.norm(vectors, axis=1) <= longest], dtype=np.float64)


def _radius_sums(numbers: ArrayLike) -> Floats:
    radii = covalent_radii[np.asarray(numbers, dtype=np.int64)]
    return np.asarray(radii[:, None] + radii[None, :], dtype=np.float64)


def _surely_nearest(cell: ArrayLike, pbc: ArrayLike) -> float:
    """Å: a vector shorter than this is the shortest of its images, since no lattice vector is twice as long."""
    rows = np.asarray(cell, dtype=np.float64)[np.asarray(pbc, dtype=bool)]
    rows = rows[rows.any(axis=1)]
    if not len(rows):
        return float("inf")
    return 0.499 / float(np.linalg.norm(np.linalg.pinv(rows), axis=0).max())


def _worst(distances: Floats, bonded_below: Floats) -> Contact | None:
    """The contact that is deepest within its bond length; distances: Å [n_images, n, n]."""
    if not distances.size:
        return None
    short = (distances - bonded_below).min(axis=0)
    first, second = (int(index) for index in np.unravel_index(int(short.argmin()), short.shape))
    bond = float(bonded_below[first, second])
    distance = float(short[first, second]) + bond
    return Contact(first, second, distance, bond) if distance < bond else None
