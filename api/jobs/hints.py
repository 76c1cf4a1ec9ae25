"""Mistakes that are easily recognised, said before they show as something else: units, fractions, the vacuum's direction.

Pure checks on arrays: no database, no HTTP. Lengths in Å.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
from ase.data import covalent_radii
from ase.geometry import minkowski_reduce
from scipy.spatial import cKDTree

from shared.errors import InvalidInput
from shared.structures import Floats, Integers, Mask, Structure
from shared.submissions import AdslabSubmission, Adsorbate, BulkSubmission, StructuresSubmission, Submission

BOHR = 0.529177
"""Å."""
CLOSEST = 0.5
"""As in api.jobs.spacing: what lies nearer is refused, and here it is said why where all atoms do."""
CRAMPED = 0.2
"""Distance of neighbours over the sum of their covalent radii: below it in the median, the coordinates are no Å (nm give 0.1)."""
LOOSE = 1.6
"""Above it for every pair of a crystal, they are none either (Bohr gives 1.8 to 2)."""
LOOSE_MOLECULE = 1.4
"""The same for molecules, whose bonds are shorter (Bohr gives 1.46 for N2)."""
VACUUM = 6.0
"""Empty space that no layer of a slab leaves open."""
CLOSED = 4.0
"""Empty space along the third lattice vector that no adsorbate fits into."""
SLAB_AS_BULK = 8.0
"""Empty space that no crystal has between planes of atoms."""
REMEMBERED = 512
"""Molecules and crystals that were found sound of late, and aren't looked at again: jobs come by the hundred on the same ones."""
Triples = tuple[tuple[float, float, float], ...]

_FARTHEST = 1.0e4
_MOST_NEAR = 12
"""How many neighbours of an atom are looked at."""
_NOBLE = (2, 10, 18, 36, 54, 86)
_NAMES = ("first", "second", "third")
_TURNED = ("second, third, first", "third, first, second")


def check(submission: Submission) -> None:
    """Raise InvalidInput, with what was probably meant, for coordinates in other units, and for a vacuum along the wrong vector."""
    if isinstance(submission, BulkSubmission):
        _check_crystal(submission.numbers, submission.positions, submission.cell)
        _check_molecule(submission.adsorbate)
        return
    if isinstance(submission, AdslabSubmission | StructuresSubmission):
        field = "input.structure" if isinstance(submission, AdslabSubmission) else "input.structures"
        _check_surface(Structure.from_document(submission.structure), field)
    else:
        _check_surface(Structure.from_document(submission.slab), "input.slab")
        _check_molecule(submission.adsorbate)


@lru_cache(maxsize=REMEMBERED)
def _check_crystal(numbers: tuple[int, ...], positions: Triples, cell: Triples) -> None:
    vectors = np.array(cell, dtype=float)
    places = np.array(positions, dtype=float).reshape(-1, 3)
    _check_units(np.array(numbers), places, vectors, np.ones(3, dtype=bool), "input.bulk")
    _check_filled(places, vectors)


def _check_surface(structure: Structure, field: str) -> None:
    _check_units(structure.numbers, structure.positions, structure.cell, structure.pbc, field)
    _check_vacuum_direction(structure.positions[structure.slab], structure.cell, field)


@lru_cache(maxsize=REMEMBERED)
def _check_molecule(adsorbate: Adsorbate) -> None:
    positions = np.array(adsorbate.positions, dtype=float).reshape(-1, 3)
    nowhere = np.zeros(3, dtype=bool)
    _check_units(np.array(adsorbate.numbers), positions, np.eye(3), nowhere, "input.adsorbate", loose=LOOSE_MOLECULE)


def _check_units(
    numbers: Integers, positions: Floats, cell: Floats, pbc: Mask, field: str, *, loose: float = LOOSE
) -> None:
    known = ((numbers >= 1) & (numbers < len(covalent_radii))).all()
    if not known or not _usable(positions, cell) or (len(positions) < 2 and not pbc.any()):
        return
    near = _Neighbours(numbers, positions, cell, pbc)
    if near.distance < CLOSEST and np.median(near.ratios) < CRAMPED:
        images = " (periodic images counted)" if pbc.any() else ""
        fractions = pbc.any() and np.abs(positions).max() <= 1.05 and np.linalg.norm(cell, axis=1).min() > 2
        meant = "fractions of the lattice vectors" if fractions else "in nm"
        raise InvalidInput(
            f"atoms {near.first} and {near.second} are {near.distance:.2f} Å apart{images}, and the others are as near: are the "
            f"coordinates {meant}? Give them in Å",
            field=field,
        )
    if near.least_ratio > loose and not np.isin(numbers, _NOBLE).any():
        bohr = f": if they are in Bohr, it is {near.least * BOHR:.2f} Å" if near.least_ratio < 2 * loose else ""
        raise InvalidInput(
            f"no two atoms are near enough to be bonded, the nearest are {near.least:.2f} Å apart{bohr}. Give the coordinates in Å",
            field=field,
        )


def _usable(positions: Floats, cell: Floats) -> bool:
    """Whether distances can be asked for at all; what can't be is refused in words of its own."""
    finite = np.isfinite(positions).all() and np.isfinite(cell).all()
    if not len(positions) or not finite or max(np.abs(positions).max(), np.abs(cell).max()) > _FARTHEST:
        return False
    lengths = np.linalg.norm(cell, axis=1)
    return bool(lengths.min() > 0.1 and abs(float(np.linalg.det(cell / lengths[:, None]))) > 1e-3)


class _Neighbours:
    """Who is near whom.

    first, second, distance: the two nearest atoms, Å; an atom's own images don't count where there are other atoms.
    ratios: for each atom with a neighbour among its nearest, the least distance over the sum of the covalent radii [n].
    least, least_ratio: the least distance, Å, and ratio of all, own images counted.
    """

    def __init__(self, numbers: Integers, positions: Floats, cell: Floats, pbc: Mask) -> None:
        n = len(positions)
        reduced, _ = minkowski_reduce(cell, pbc)
        fractions = positions @ np.linalg.inv(reduced)
        fractions[:, pbc] %= 1.0
        here = fractions @ reduced
        steps = np.array(list(product((0, -1, 1), repeat=3)), dtype=float)
        steps = steps[(np.abs(steps) <= pbc).all(axis=1)]
        there = (here[None] + (steps @ reduced)[:, None]).reshape(-1, 3)
        lengths, indices = cKDTree(there).query(here, k=min(len(there), _MOST_NEAR))
        found, atoms = np.asarray(indices), np.arange(n)[:, None]
        apart = np.where(found == atoms, np.inf, lengths)
        others = found % n
        scaled = apart / (covalent_radii[numbers][:, None] + covalent_radii[numbers[others]])
        self.least, self.least_ratio = float(apart.min()), float(scaled.min())
        if n > 1:
            apart, scaled = (np.where(others == atoms, np.inf, values) for values in (apart, scaled))
        atom, nearest = np.unravel_index(int(apart.argmin()), apart.shape)
        self.first, self.second = sorted((int(atom), int(others[atom, nearest])))
        self.distance = float(apart[atom, nearest])
        ratios = scaled.min(axis=1)
        self.ratios = ratios[np.isfinite(ratios)] if np.isfinite(ratios).any() else np.array([np.inf])


def _gaps(positions: Floats, cell: Floats) -> Floats:
    """Widest empty space along each lattice vector, between planes of the other two, Å [3]."""
    volume = abs(float(np.linalg.det(cell)))
    faces = np.array([volume / np.linalg.norm(np.cross(cell[k - 2], cell[k - 1])) for k in range(3)])
    levels = np.sort((positions @ np.linalg.inv(cell)) % 1.0, axis=0)
    return np.asarray(np.diff(np.vstack([levels, levels[:1] + 1.0]), axis=0).max(axis=0) * faces)


def _check_vacuum_direction(positions: Floats, cell: Floats, field: str) -> None:
    if not _usable(positions, cell) or len(positions) < 2:
        return
    gaps = _gaps(positions, cell)
    k = int(gaps[:2].argmax())
    if gaps[k] >= VACUUM and gaps[2] < CLOSED:
        raise InvalidInput(
            f"the vacuum ({gaps[k]:.1f} Å) lies along the {_NAMES[k]} lattice vector, and only {gaps[2]:.1f} Å along the third: the "
            "surface must be spanned by the first two lattice vectors, with the vacuum along the third. Give the lattice vectors in "
            f"the order {_TURNED[k]}; the positions in Å stay as they are",
            field=field,
        )


def _check_filled(positions: Floats, cell: Floats) -> None:
    if not _usable(positions, cell):
        return
    gaps = _gaps(positions, cell)
    k = int(gaps.argmax())
    if gaps[k] >= SLAB_AS_BULK and len(positions) > 1:
        raise InvalidInput(
            f"the bulk has {gaps[k]:.1f} Å of empty space along its {_NAMES[k]} lattice vector: is it a slab? Submit it as one",
            field="input.bulk",
        )
