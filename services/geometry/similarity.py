"""When two relaxed adslabs are the same minimum.

Each adslab gets a fingerprint: the distances from its adsorbate atoms to the nearest slab atoms of each element
(periodic images counted one by one, so small cells are safe) and the distances within the adsorbate. Distances don't
change under translation, rotation or reflection, so symmetry-equivalent sites agree; distances are sorted over like
atoms, so permutations agree. Reaching into the second layer is what tells the fcc from the hcp hollow.

Every entry is continuous in the positions: moving each atom by at most δ changes no entry by more than 2δ. That holds
because a k-th smallest distance is as smooth as the distances, and because distances beyond CUTOFF count as CUTOFF, so
nothing jumps when an atom crosses it. Relaxation noise (some 0.05 Å at fmax 0.05 eV/Å) therefore stays below the
default tolerance of 0.2 Å, while fcc and hcp hollows differ by 0.4 Å or more. Mirror images count as the same, and slab
changes out of the adsorbate's reach are seen through the energy alone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from services.geometry.kept import by_content
from shared.errors import InvalidInput
from shared.parameters import Similarity
from shared.periodic import lattice_vectors, minimum_image
from shared.structures import Floats, Integers, Mask, Structure

CUTOFF = 6.0
"""Å; a longer distance counts as this."""
NEIGHBOURS = 16
"""Nearest slab atoms of each element that enter, per adsorbate atom."""
TOGETHER = 32
"""Structures whose distances are held in memory at once."""

KEPT = 512
"""Structures whose fingerprints are kept: a job's walkers are compared with the same minima at each hop."""


class MinimumLike(Protocol):
    """A structure and its bare energy, eV."""

    @property
    def structure(self) -> Structure: ...

    @property
    def energy(self) -> float: ...


@by_content(KEPT)
def fingerprint(structure: Structure) -> Floats:
    """Å [n_entries]; the length depends only on the composition of slab and adsorbate.

    The largest difference between the entries of two fingerprints is what `Similarity.distance` limits.
    """
    found: Floats = _fingerprints(structure, structure.positions[None])[0]
    found.flags.writeable = False
    return found


def _all_fingerprints(structures: Sequence[Structure]) -> Floats:
    """Of many structures of one composition, Å [n, n_entries]; those that differ in positions alone go together."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for index, one in enumerate(structures):
        # `moved` shares the arrays, so the same objects are the same topology
        alike.setdefault((id(one.numbers), id(one.cell), id(one.pbc), id(one.adsorbate)), []).append(index)
    found: dict[int, Floats] = {}
    for indices in alike.values():
        for start in range(0, len(indices), TOGETHER):
            part = indices[start : start + TOGETHER]
            positions = np.stack([structures[index].positions for index in part])
            found |= zip(part, _fingerprints(structures[part[0]], positions), strict=True)
    return np.stack([found[index] for index in range(len(structures))])


def _fingerprints(like: Structure, positions: Floats) -> Floats:
    """[n, n_entries] of one topology at many positions, Å [n, n_atoms, 3]."""
    if not like.adsorbate.any():
        return np.zeros((len(positions), 0))
    return np.concatenate([*_contacts(like, positions), *_within(like, positions)], axis=1)


def _contacts(like: Structure, positions: Floats) -> list[Floats]:
    """Sorted contact distances per (adsorbate element, slab element), each flat [n, n_entries]."""
    slab, molecule = positions[:, None, like.slab], positions[:, like.adsorbate, None]
    slab_numbers, numbers = like.numbers[like.slab], like.numbers[like.adsorbate]
    nearest_images = minimum_image(slab - molecule, like.cell, like.pbc)
    # two images within the cutoff are no more than twice the cutoff apart
    vectors = nearest_images[..., None, :] + lattice_vectors(like.cell, like.pbc, 2 * CUTOFF)
    reached = np.minimum(np.linalg.norm(vectors, axis=-1), CUTOFF)
    parts = []
    for there in np.unique(slab_numbers):
        columns = reached[:, :, slab_numbers == there].reshape(len(positions), len(numbers), -1)
        padding = np.full((*columns.shape[:2], NEIGHBOURS), CUTOFF)
        padded = np.concatenate([columns, padding], axis=2)
        nearest = np.sort(np.partition(padded, NEIGHBOURS - 1, axis=2)[..., :NEIGHBOURS], axis=2)
        # sorted over like atoms for each k: no matter which hydrogen is which
        parts += [
            np.sort(nearest[:, numbers == here], axis=1).reshape(len(positions), -1) for here in np.unique(numbers)
        ]
    return parts


def _within(like: Structure, positions: Floats) -> list[Floats]:
    """Sorted minimum-image distances within the adsorbate per pair of elements [n, n_entries]."""
    molecule, numbers = positions[:, like.adsorbate], like.numbers[like.adsorbate]
    first, second = np.triu_indices(len(numbers), k=1)
    if len(first) == 0:
        return []
    vectors = minimum_image(molecule[:, second] - molecule[:, first], like.cell, like.pbc)
    lengths = np.linalg.norm(vectors, axis=-1)
    elements = np.sort(np.stack([numbers[first], numbers[second]], axis=1), axis=1)
    return [np.sort(lengths[:, (elements == pair).all(axis=1)], axis=1) for pair in np.unique(elements, axis=0)]


def equivalents(own: Floats, energy: float, fingerprints: Floats, energies: Floats, tolerances: Similarity) -> Mask:
    """Which of many known minima one is the same as [n_known].

    own: Å [n_entries]. fingerprints: Å [n_known, n_entries]. energy, energies [n_known]: eV. All of one composition.
    """
    near = np.abs(energies - energy) <= tolerances.energy
    found = np.zeros(len(energies), dtype=np.bool_)
    if near.any():
        found[near] = (np.abs(fingerprints[near] - own) <= tolerances.distance).all(axis=1)
    return found


def same(a: MinimumLike, b: MinimumLike, tolerances: Similarity) -> bool:
    """Whether two minima are one: energies within `tolerances.energy`, fingerprints within `tolerances.distance`."""
    if abs(a.energy - b.energy) > tolerances.energy or _composition(a.structure) != _composition(b.structure):
        return False
    return bool((np.abs(fingerprint(a.structure) - fingerprint(b.structure)) <= tolerances.distance).all())


def representatives(structures: Sequence[Structure], energies: Sequence[float], tolerances: Similarity) -> list[int]:
    """For each structure the index of the earliest representative it is the same as; its own index when it is new.

    Only representatives are compared with, so an answer always points at an index that points at itself. energies:
    eV [n]. Raises InvalidInput when the structures differ in composition.
    """
    if len({_composition(structure) for structure in structures}) > 1:
        raise InvalidInput("only structures of one composition can be compared", field="structures")
    if not structures:
        return []
    known = _all_fingerprints(structures)
    values = np.asarray(energies, dtype=np.float64)
    # Kept in rising energy, so that only those within the tolerance are looked at.
    ladder: list[tuple[float, int]] = []
    answer: list[int] = []
    for index, energy in enumerate(values.tolist()):
        reach = tolerances.energy + 1e-9  # rounding must lose none; `equivalents` draws the line
        near = ladder[bisect_left(ladder, (energy - reach, -1)) : bisect_right(ladder, (energy + reach, len(values)))]
        known_as = sorted(which for _, which in near)
        found = equivalents(known[index], energy, known[known_as], values[known_as], tolerances)
        if found.any():
            answer.append(known_as[int(found.argmax())])
        else:
            insort(ladder, (energy, index))
            answer.append(index)
    return answer


def _composition(structure: Structure) -> tuple[frozenset[tuple[int, int]], frozenset[tuple[int, int]]]:
    def count(numbers: Integers) -> frozenset[tuple[int, int]]:
        return frozenset(Counter(numbers.tolist()).items())

    return count(structure.numbers[structure.slab]), count(structure.numbers[structure.adsorbate])
