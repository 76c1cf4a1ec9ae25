"""One-sided springs of many structures in one pass: E = k/2 (excess)², exactly zero inside the threshold.

A pair's vector is a reference plus the shortest periodic image of the deviation from it. A slab pair refers to the image it
touches in the clean slab, so small cells are right; other pairs refer to zero and go by the nearest image. Wrapped positions
are as good as unwrapped ones.

Every operation is element by element, or a sum in the order of a structure's own pairs: what one structure gets is the same to
the last bit whoever shares the pass. Arrays run over pairs in their last axis, which is what numpy is fast at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from shared.structures import Floats, Integers

KINDS = ("dissociation", "desorption", "intercalation", "reconstruction")
DISSOCIATION, DESORPTION, INTERCALATION, RECONSTRUCTION = range(4)


@dataclass(frozen=True, eq=False)
class Springs:
    """The springs of one structure. The last pairs are those of every adsorbate atom with every slab atom, its contacts."""

    n_atoms: int
    atoms: Integers
    """First and second of each pair [2, n]."""
    kind: Integers
    """Index into KINDS [n]."""
    reference: Floats
    """Å [3, n]."""
    threshold: Floats
    """Å [n]."""
    side: Floats
    """+1 acts beyond the threshold, -1 below it [n]."""
    stiffness: Floats
    """eV/Å² [n]."""
    sums: Floats
    """Radius sums of the contacts, Å [n_contacts], infinitely small where one can't hold the adsorbate."""
    hold: Floats
    """eV/Å², of a spring on the contact of smallest scaled distance, beyond the scaled distance `contact` [n_contacts]."""
    contact: float
    """Scaled distance up to which a contact holds the adsorbate."""
    lattice: Floats
    """The inverse of the cell, and the cell with directions that aren't periodic set to zero [18]."""
    images: Floats
    """Lattice vectors that may bring a shortest vector closer still, Å [n_images, 3]."""
    parts: Floats
    """Of what is left to a pair's threshold, the part of each of its atoms [2, n]."""
    halves: Floats
    """Half the distance between the lattice planes of each lattice vector, Å, infinite where nothing repeats [3]."""
    sure: float
    """Length up to which those that go by the nearest image are right, Å."""

    @property
    def half(self) -> float:
        """No vector shorter than this has another image that is closer, Å."""
        return float(self.halves.min())


@dataclass(frozen=True, eq=False)
class _Pulled:
    """Pairs that a spring acts on."""

    pairs: Integers
    """Their indices [n]."""
    kind: Integers
    """Index into KINDS [n]."""
    excess: Floats
    """Å, positive [n]."""
    towards: Floats
    """+1 pulls together [n]."""
    stiffness: Floats
    """eV/Å² [n]."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Every pair as it lies, one structure after the other."""

    vectors: Floats
    """From first to second, Å [3, n]."""
    lengths: Floats
    """Å [n]."""
    away: Floats
    """Length of the vector's deviation from its reference, Å [n]."""


class Pass:
    """The springs of several structures, laid out one after the other."""

    def __init__(self, springs: Sequence[Springs]) -> None:
        counts = np.array([len(one.kind) for one in springs])
        self._springs = tuple(springs)
        self._owner = np.repeat(np.arange(len(springs)), counts)
        self._first_atoms = np.cumsum([0, *(one.n_atoms for one in springs)])
        self._atoms = np.concatenate([one.atoms for one in springs], axis=1) + self._first_atoms[self._owner]
        self._kind = np.concatenate([one.kind for one in springs])
        self._reference = np.concatenate([one.reference for one in springs], axis=1)
        self._threshold = np.concatenate([one.threshold for one in springs])
        self._side = np.concatenate([one.side for one in springs])
        self._stiffness = np.concatenate([one.stiffness for one in springs])
        self._lattice = np.stack([one.lattice for one in springs], axis=1)[:, self._owner]
        self._first_pairs = np.cumsum(counts) - counts
        self._near, self._images = self._narrow()
        self._holding = np.flatnonzero([len(one.sums) for one in springs])
        sizes = [len(springs[index].sums) for index in self._holding]
        ends = (self._first_pairs + counts)[self._holding]
        self._contacts = np.concatenate(
            [np.arange(end - size, end) for end, size in zip(ends, sizes, strict=True)] or [np.zeros(0, dtype=np.int64)]
        )
        self._first_contacts = np.cumsum([0, *sizes])
        self._sums = np.concatenate([one.sums for one in springs])

    def _narrow(self) -> tuple[Integers, Floats]:
        """Pairs whose reduced vector may not be the shortest, and the lattice vectors to try for each, the zero vector first, Å
        [n_images, 3, n]; structures with fewer images get the zero vector again."""
        narrow = [index for index, one in enumerate(self._springs) if len(one.images)]
        most = 1 + max((len(self._springs[index].images) for index in narrow), default=0)
        images = np.zeros((most, 3, len(narrow)))
        pairs = [np.zeros(0, dtype=np.int64)]
        for slot, index in enumerate(narrow):
            one = self._springs[index]
            images[1 : 1 + len(one.images), :, slot] = one.images
            pairs.append(self._first_pairs[index] + np.flatnonzero(one.kind != RECONSTRUCTION))
        return np.concatenate(pairs), np.repeat(images, [len(part) for part in pairs[1:]], axis=2)

    def evaluate(self, positions: Sequence[Floats]) -> tuple[Floats, list[Floats]]:
        """`pull` of the structures with the atoms there. positions: of each, Å [n_atoms, 3]."""
        return self.pull(self.see(positions))

    def see(self, positions: Sequence[Floats]) -> Seen:
        """The pairs with the atoms there. positions: of each structure, Å [n_atoms, 3]."""
        vectors = self._deviations(np.concatenate(positions).T.copy())
        away = np.sqrt(_squares(vectors))
        vectors += self._reference
        return Seen(vectors, np.sqrt(_squares(vectors)), away)

    def split(self, seen: Seen) -> list[Seen]:
        """The pairs of each structure."""
        return [
            Seen(seen.vectors[:, begin:end], seen.lengths[begin:end], seen.away[begin:end])
            for begin, end in pairwise([*self._first_pairs.tolist(), len(seen.lengths)])
        ]

    def pull(self, seen: Seen) -> tuple[Floats, list[Floats]]:
        """Energies by structure and kind, eV [n_structures, 4], and each structure's forces, eV/Å [n_atoms, 3]."""
        vectors, lengths = seen.vectors, seen.lengths
        pulled = self._pulled(lengths)
        energy = 0.5 * pulled.stiffness * pulled.excess * pulled.excess
        slots = self._owner[pulled.pairs] * len(KINDS) + pulled.kind
        energies = _summed(slots, energy, len(self._springs) * len(KINDS)).reshape(-1, len(KINDS))
        size = pulled.towards * pulled.stiffness * pulled.excess / np.maximum(lengths[pulled.pairs], 1e-12)
        first, second = self._atoms[:, pulled.pairs]
        n_atoms = int(self._first_atoms[-1])
        forces = np.empty((n_atoms, 3))
        for axis in range(3):
            pull = size * vectors[axis, pulled.pairs]
            forces[:, axis] = _summed(first, pull, n_atoms) - _summed(second, pull, n_atoms)
        return energies, [forces[begin:end] for begin, end in pairwise(self._first_atoms.tolist())]

    def _deviations(self, where: Floats) -> Floats:
        """From first to second of every pair, less its reference, Å [3, n]; where: Å [3, n_atoms of all]."""
        first, second = self._atoms
        apart: Floats = where[:, second] - where[:, first] - self._reference
        x, y, z = apart
        to, back = self._lattice[:9], self._lattice[9:]
        a, b, c = (np.rint(x * to[axis] + y * to[axis + 3] + z * to[axis + 6]) for axis in range(3))
        for axis in range(3):
            apart[axis] -= a * back[axis] + b * back[axis + 3] + c * back[axis + 6]
        if len(self._near):
            apart[:, self._near] = _shortest(apart[:, self._near] + self._images)
        return apart

    def _pulled(self, lengths: Floats) -> _Pulled:
        excess = self._side * (lengths - self._threshold)
        active = np.flatnonzero(excess > 0)
        parts = [_Pulled(active, self._kind[active], excess[active], self._side[active], self._stiffness[active])]
        if len(self._holding):
            parts += self._held(lengths[self._contacts])
        if len(parts) == 1:
            return parts[0]
        return _Pulled(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Pulled.__annotations__))

    def _held(self, lengths: Floats) -> list[_Pulled]:
        """The spring on the contact of smallest scaled distance, where that is too long; in scaled lengths, so that the energy
        doesn't jump where another contact becomes the nearest. lengths: of all contacts, Å."""
        scaled = lengths / self._sums
        smallest = np.minimum.reduceat(scaled, self._first_contacts[:-1])
        held = []
        for slot, index in enumerate(self._holding):
            one = self._springs[index]
            if smallest[slot] <= one.contact:
                continue
            begin, end = self._first_contacts[slot : slot + 2]
            nearest = int(scaled[begin:end].argmin())
            excess = lengths[begin + nearest] - one.contact * one.sums[nearest]
            pair, kind = np.array([self._contacts[begin + nearest]]), np.array([DESORPTION])
            held.append(_Pulled(pair, kind, np.array([excess]), np.ones(1), one.hold[[nearest]]))
        return held


def _shortest(options: Floats) -> Floats:
    """Of several vectors for each pair [n_options, 3, n], the shortest [3, n]."""
    best = (options * options).sum(axis=1).argmin(axis=0)
    return np.asarray(options[best, :, np.arange(len(best))].T, dtype=np.float64)


def _squares(vectors: Floats) -> Floats:
    """Squared lengths [n] of vectors [3, n]: written out, since a library's sum may depend on who else is summed."""
    x, y, z = vectors
    return np.asarray(x * x + y * y + z * z, dtype=np.float64)


def _summed(slots: Integers, values: Floats, size: int) -> Floats:
    """Sum of the values in each slot [size], in their order."""
    return np.bincount(slots, values, size).astype(np.float64, copy=False)
