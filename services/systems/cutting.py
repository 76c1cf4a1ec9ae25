"""A slab out of a crystal, by integer arithmetic on its primitive lattice (shared.planes): whatever the index, its cell is the
smallest one of the face, and it takes milliseconds.

Which terminations there are, how deep a slab gets and how much vacuum is above it are those of pymatgen's SlabGenerator as OC20 calls
it (doi:10.1021/acscatal.0c04525), with which the tests compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms
from pymatgen.core.structure import Structure as Crystal
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from shared.planes import Extent, Plane, carried, coprime, extent, plane, primitive
from shared.structures import Floats, Integers

SAME = 0.02
"""Å: sites this close under a symmetry are the same; a wider net would average small distortions away."""
_ONE_LEVEL = 0.1
"""Å: heights nearer than this are one plane of atoms, which no cut goes through (pymatgen)."""
_NOISE = 1e-6
"""Share of a plane's distance: a cut this little below the next plane is at it."""


@dataclass(frozen=True, eq=False)
class Cut:
    """A face of a crystal, before a slab of it is built."""

    face: Plane
    extent: Extent
    numbers: Integers
    """Of the primitive cell [n_atoms]."""
    positions: Floats
    """Of its atoms, Å [n_atoms, 3]."""
    lattice: Floats
    """The primitive one, rows in Å [3, 3]."""

    @property
    def n_atoms(self) -> int:
        """Of the slab."""
        return len(self.numbers) * self.extent.cells

    def terminations(self) -> list[float]:
        """Heights at which the crystal is cut, in shares of the planes' distance: one of each set that a symmetry of the crystal
        makes the same, the lowest first."""
        levels = self._levels()
        cuts = _gaps(levels, self.face.spacing)
        if len(cuts) == 1:
            return cuts
        edges = np.sort(levels)
        chosen: list[float] = []
        known: set[int] = set()
        turns = self._turns()
        for height in cuts:
            if _gap_of(height, edges) not in known:
                chosen.append(height)
                known |= {_gap_of((sign * height + shift) % 1.0, edges) for sign, shift in turns}
        return chosen

    def build(self, termination: float, *, top: bool) -> Atoms:
        """The slab above one of the terminations, its first vector along x and the face along z; turned over where `top` is
        false."""
        face, taken = self.face, self.extent
        sense = 1 if taken.upwards else -1
        levels = (self._levels() - termination) % 1.0  # counted the way that terminations are
        planes = np.arange(taken.planes)
        heights = sense * (levels[:, None] + planes) * face.spacing
        # each atom at its height, by as many steps from plane to plane as that takes
        own = self.positions @ face.normal / face.spacing
        steps = np.rint(heights / face.spacing - own[:, None] + sense * termination)
        there = self.positions[:, None] + steps[..., None] * face.step
        normal = face.normal if top else -face.normal
        first = face.vectors[0] / np.linalg.norm(face.vectors[0])
        axes = np.array([first, np.cross(normal, first), normal])
        a, b = face.vectors @ axes.T
        b = b if b[1] > 0 else -b
        height = (taken.planes + taken.empty) * face.spacing
        atoms = Atoms(
            numbers=np.repeat(self.numbers, taken.planes),
            positions=there.reshape(-1, 3) @ axes.T,
            cell=[a, b, [0.0, 0.0, height]],
            pbc=True,
        )
        low = atoms.positions[:, 2].min()
        atoms.positions[:, 2] += _NOISE * height - low
        atoms.wrap(pbc=[True, True, False], eps=_NOISE)
        order = np.argsort(np.round(atoms.positions[:, 2], 3), kind="stable")
        widened: Atoms = atoms[order].repeat((*taken.repeats, 1))
        return widened

    def _levels(self) -> Floats:
        """Of the atoms, in shares of the planes' distance, the way that terminations are counted [n_atoms]."""
        sense = 1 if self.extent.upwards else -1
        return np.asarray(sense * (self.positions @ self.face.normal) / self.face.spacing % 1.0)

    def _turns(self) -> set[tuple[int, float]]:
        """What the crystal's symmetries do to heights: turn them over or not, and shift them, in shares of the planes' distance."""
        crystal = Crystal(self.lattice, self.numbers.tolist(), self.positions, coords_are_cartesian=True)
        try:
            found = SpacegroupAnalyzer(crystal, symprec=SAME).get_symmetry_dataset()
        except (TypeError, ValueError):  # no symmetry can be told
            found = None
        index = np.rint(self.lattice @ self.face.normal / self.face.spacing)
        sense = 1 if self.extent.upwards else -1
        turns = {(1, 0.0)}
        for rotation, translation in zip(found.rotations, found.translations, strict=True) if found else ():
            turned = index @ rotation
            for sign in (1, -1):
                if np.abs(turned - sign * index).max() < _NOISE:
                    turns.add((sign, sense * float(index @ translation)))
        return turns


def cut_of(
    crystal: Crystal,
    miller: tuple[int, ...],
    unit: tuple[Floats, tuple[int, ...]],
    *,
    min_depth: float,
    min_width: float,
    vacuum: float,
) -> Cut:
    """The face of an index of a crystal. unit: the cell, rows in Å [3, 3], whose height a slab is a multiple of, and the index of the
    same planes in it. Lengths in Å."""
    cell, index = unit
    given = np.asarray(crystal.lattice.matrix, dtype=np.float64)
    numbers = np.array(crystal.atomic_numbers, dtype=np.int64)
    fractions = np.asarray(crystal.frac_coords, dtype=np.float64)
    basis = primitive(given, fractions, numbers, SAME)
    lattice = basis @ given
    inside = fractions @ np.linalg.inv(basis)
    kept = _one_of_each(inside, lattice, numbers)
    face = plane(lattice, carried(miller, basis))
    handed = 1 if np.linalg.det(cell) > 0 else -1  # pymatgen's cell is a right-handed one
    whole = tuple(int(number) for number in handed * coprime(index))
    taken = extent(face, handed * cell, whole, min_depth=min_depth, min_width=min_width, vacuum=vacuum)
    return Cut(face, taken, numbers[kept], (inside[kept] @ lattice), lattice)


def _one_of_each(inside: Floats, lattice: Floats, numbers: Integers) -> Integers:
    """The first of each set of atoms that lattice vectors bring together. inside: fractions of the primitive lattice [n_atoms, 3]."""
    apart = inside[:, None] - inside[None]
    apart -= np.rint(apart)
    same = (np.linalg.norm(apart @ lattice, axis=-1) < 2 * SAME) & (numbers[:, None] == numbers[None])
    return np.asarray(np.unique(same.argmax(axis=1)), dtype=np.int64)


def _gaps(levels: Floats, spacing: float) -> list[float]:
    """The middles between planes of atoms, from the lowest up; where none are apart, of the widest gap. levels: shares of the planes'
    distance, Å, in [0, 1)."""
    edges = np.sort(levels)
    widths = np.diff(np.append(edges, edges[0] + 1.0))
    wide = np.flatnonzero(widths * spacing > _ONE_LEVEL)
    chosen = wide if len(wide) else np.array([int(widths.argmax())])
    middles = (edges[chosen] + 0.5 * widths[chosen]) % 1.0
    return [float(height) for height in np.sort(np.where(middles > 1 - _NOISE, 0.0, middles))]


def _gap_of(height: float, edges: Floats) -> int:
    """The gap between two atoms' heights that this one lies in. edges: sorted [n_atoms]."""
    return int(np.searchsorted(edges, height % 1.0) % len(edges))
