"""How a molecule stands on a surface: binding atoms down, and both flat and end-on where a molecule can do either.

One binding atom: the axis from it to the molecule's centre stands upright. Several: their line or plane lies level and, of what that
leaves free, the rest of the molecule is as high as it goes. OC20's own adsorbates keep the orientation in which OC20 stores them: its
placements turn that about the normal, and tilt it (fairchem.data.oc.core.adsorbate; Chanussot et al., ACS Catal. 11, 6059 (2021),
doi:10.1021/acscatal.0c04525).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from shared.structures import Floats, Integers
from shared.submissions import Adsorbate

MOST_HEAVY = 4
"""Heavy atoms of the largest molecule that is placed both flat and end-on."""
_SAME = 0.1
"""Å: distances within a molecule that differ by less count as equal."""
_THIN = 0.1
"""Å: a molecule, or its binding atoms, no wider than this about a line or a point is a line or a point."""
_LYING = 0.5
"""A pair lies where its heights differ by no more than this share of its length."""
_UNDER = 0.3
"""Å: a molecule that has a heavy atom this far below the one it stands on doesn't stand on an end."""
_LOWEST = 0.3
"""Å above the lowest one up to which atoms bind, where nobody says which do."""


def nearest_the_surface(heights: Floats) -> tuple[int, ...]:
    """The atoms that bind in an adslab that doesn't name them: the lowest ones. heights: Å [n_atoms]."""
    return tuple(int(index) for index in np.flatnonzero(heights < heights.min() + _LOWEST))


@dataclass(frozen=True, eq=False)
class Stances:
    """The ways in which a molecule is placed, in a frame whose third axis is the surface normal."""

    ways: tuple[Floats, ...]
    """One, or two: positions with the centre of the atoms that bind at the origin, Å [n_atoms, 3]."""
    by_site: bool = False
    """Of two ways, whether the first one is for tops and the second for other sites when they come for the first time; or else the
    first one is for all. They change places each time the sites come again."""

    def at(self, site: str, turn: int) -> Floats:
        """The molecule for a site of this name when the sites come for the turn-th time, counted from 0, Å [n_atoms, 3]."""
        first = 1 if self.by_site and not site.startswith("top") else 0
        return self.ways[(turn + first) % len(self.ways)]


def stances(adsorbate: Adsorbate) -> Stances:
    """The ways to stand, from the molecule alone.

    Two, end-on and flat, for a molecule of up to MOST_HEAVY heavy atoms with two equivalent ends: where the binding atom has
    exactly one equivalent (O2, N2, H2, C2H4, C2H2, NO2 by an oxygen), where both of such a pair are named, and where a linear
    molecule is bound by its middle (CO2 by its carbon). On tops end-on comes first and on bridges and hollows flat; but where
    several binding atoms are named, all sites are tried level before any is tried end-on.

    Two also for a linear molecule that OC20 stores lying down on one atom (`*NO`, `*CN`): so on tops first, upright elsewhere.
    """
    positions, binding = np.asarray(adsorbate.positions, dtype=np.float64), list(adsorbate.binding)
    numbers = np.array(adsorbate.numbers)
    given = positions if adsorbate.oriented else _binding_down(positions, binding)
    given = given - given[binding].mean(axis=0)
    ends, several = _ends(numbers, positions, binding), len(binding) > 1
    if ends is None:
        lying = (
            adsorbate.oriented and not several and _is_line(positions) and _lies(given, _outermost(numbers, positions))
        )
        if lying and (numbers > 1).sum() > 1:
            return Stances((given, _upright(positions, binding[0])), by_site=True)
        return Stances((given,))
    foot = next((atom for atom in binding if atom in ends), ends[0])
    flat, end_on = _binding_down(positions, list(ends)), _upright(positions, foot)
    if end_on[numbers > 1, 2].min(initial=0.0) < -_UNDER:  # it is not at its molecule's end: a carbon of glyoxal
        return Stances((given,))
    if adsorbate.oriented:
        flat, end_on = (given, end_on) if _lies(given, ends) else (flat, given)
    return Stances((flat, end_on)) if several else Stances((end_on, flat), by_site=True)


def _binding_down(positions: Floats, binding: list[int]) -> Floats:
    """Turned so that these atoms are at the bottom, level where they are several, their centre at the origin, Å [n_atoms, 3]."""
    around = positions - positions[binding].mean(axis=0)
    _, spread, directions = np.linalg.svd(around[binding], full_matrices=True)
    extent = int((spread > _THIN).sum())
    rest = np.delete(around, binding, axis=0)
    if extent == 0:
        return _upright(positions, binding[0])
    if extent == 1:
        return _turned(around, _highest(_across(rest, directions[0]), rest))
    return _turned(around, _highest([directions[2], -directions[2]], rest))


def _upright(positions: Floats, foot: int) -> Floats:
    """Turned so that the axis from one atom to the molecule's centre stands upright, that atom at the origin, Å [n_atoms, 3]. Where
    the atom is the centre (CH4, CO2 by its carbon), the others are as high as they go."""
    around = positions - positions[foot]
    axis = around.mean(axis=0)
    length = np.linalg.norm(axis)
    if length > 0.05:
        return _turned(around, axis / length)
    if len(around) == 1:
        return np.asarray(around, dtype=np.float64)
    others = np.delete(around, foot, axis=0)
    faces = [np.cross(b - a, c - a) for a, b, c in combinations(others, 3)]
    planes = [np.cross(a, b) for a, b in combinations(others, 2)]
    directions = [*_units([*faces, *planes]), *_across(others, others[0] / np.linalg.norm(others[0]))]
    return _turned(around, _highest([sign * one for one in directions for sign in (1.0, -1.0)], others))


def _across(rest: Floats, line: Floats) -> list[Floats]:
    """Directions at right angles to a line of which one has the rest as high as it goes, unit vectors: there one of them is right
    above the line, or two are equally high."""
    aside = rest - np.outer(rest @ line, line)
    level = [np.cross(line, one) for one in [*aside, *(a - b for a, b in combinations(aside, 2))]]
    found = _units([*aside, *level])
    some = np.cross(line, np.eye(3)[np.abs(line).argmin()])
    return [sign * one for one in [*found, some / np.linalg.norm(some)] for sign in (1.0, -1.0)]


def _highest(directions: list[Floats], rest: Floats) -> Floats:
    """The direction along which the lowest of the rest is highest; the first of those that do equally well, their mean decides."""
    if not len(rest):
        return directions[0]
    along = rest @ np.array(directions).T
    best = np.lexsort((np.arange(len(directions)), -along.mean(axis=0).round(4), -along.min(axis=0).round(4)))
    return directions[int(best[0])]


def _units(vectors: Iterable[Floats]) -> list[Floats]:
    """Those that have a direction, at length 1."""
    return [vector / length for vector in vectors if (length := np.linalg.norm(vector)) > 1e-2]


def _turned(around: Floats, up: Floats) -> Floats:
    turn, _ = Rotation.align_vectors([[0.0, 0.0, 1.0]], [up])
    return np.asarray(turn.apply(around), dtype=np.float64)


def _ends(numbers: Integers, positions: Floats, binding: list[int]) -> tuple[int, int] | None:
    """The two equivalent atoms that a small molecule can stand on, one or both."""
    if (numbers > 1).sum() > MOST_HEAVY:
        return None
    alike = _equivalent(numbers, positions, binding[0])
    if len(alike) == 2 and set(binding) <= set(alike):
        return alike[0], alike[1]
    if len(numbers) > 2 and _is_line(positions):
        first, last = _outermost(numbers, positions)
        if last in _equivalent(numbers, positions, first):
            return first, last
    return None


def _equivalent(numbers: Integers, positions: Floats, atom: int) -> list[int]:
    """Atoms of the same element with the same distances to the same elements, itself among them."""
    apart = cdist(positions, positions)
    seen = [row[np.lexsort((row, numbers))] for row in apart]
    same = [np.abs(one - seen[atom]).max() < _SAME for one in seen]
    return [int(index) for index in np.flatnonzero(np.array(same) & (numbers == numbers[atom]))]


def _is_line(positions: Floats) -> bool:
    if len(positions) == 1:
        return False
    around = positions - positions.mean(axis=0)
    _, _, directions = np.linalg.svd(around)
    aside = around - np.outer(around @ directions[0], directions[0])
    return bool(np.linalg.norm(aside, axis=1).max() < _THIN)


def _outermost(numbers: Integers, positions: Floats) -> tuple[int, int]:
    """The two heavy atoms farthest from each other; any two where there is one heavy atom at most."""
    heavy = np.flatnonzero(numbers > 1) if (numbers > 1).sum() > 1 else np.arange(len(numbers))
    apart = cdist(positions[heavy], positions[heavy])
    first, last = np.unravel_index(int(apart.argmax()), apart.shape)
    return int(heavy[first]), int(heavy[last])


def _lies(positions: Floats, pair: tuple[int, int]) -> bool:
    vector = positions[pair[1]] - positions[pair[0]]
    return bool(abs(vector[2]) <= _LYING * np.linalg.norm(vector))
