"""Atoms as discs of their covalent radius, in a frame whose third axis is the surface normal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from ase.data import chemical_symbols, covalent_radii
from ase.data.colors import jmol_colors
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from shared.structures import Floats, Mask, Structure

MARGIN = 1.6
"""Shown around the cell, Å."""
OUTLINE = 1.8
"""Width of a surface atom's edge, points."""
HATCH = "////"
_PALE = 0.45
"""How far the slab's colours are mixed with white, so that the adsorbate stands out."""
_FADED = 0.8
"""The same for images."""
_FIXED = 0.82
"""Brightness of fixed atoms beside free ones."""
_LEAST_RADIUS = 0.4
"""Of an adsorbate atom's disc, Å."""
_IN_FRONT = 500
_FAR = 4
"""Images that are looked at, both ways along both surface vectors."""

Window = tuple[Floats, Floats]
"""Lower left and upper right corner of what is shown, Å [2] each."""


@dataclass(frozen=True, eq=False)
class View:
    """The frame: along the first lattice vector, across it within the surface, along the normal."""

    axes: Floats
    """Rows: unit vectors [3, 3]."""
    corners: Floats
    """Of the surface cell, Å [4, 2]."""
    edges: list[tuple[Floats, Floats]]
    """Of the cell: both ends, Å [3]."""

    @classmethod
    def of(cls, slab: Structure) -> View:
        first = slab.cell[0] / np.linalg.norm(slab.cell[0])
        axes = np.array([first, np.cross(slab.normal, first), slab.normal])
        a, b, c = slab.cell @ axes.T
        corners = np.array([np.zeros(3), a, a + b, b])[:, :2]
        edges = []
        for vector, one, other in ((a, b, c), (b, a, c), (c, a, b)):
            for m, n in product((0, 1), repeat=2):
                start = m * one + n * other
                edges.append((start, start + vector))
        return cls(axes, corners, edges)

    @property
    def window(self) -> Window:
        """The surface cell, and a little more."""
        return self.corners.min(axis=0) - MARGIN, self.corners.max(axis=0) + MARGIN

    def flat(self, positions: Floats) -> Floats:
        """positions in the frame, Å [n, 3]."""
        return np.asarray(positions @ self.axes.T, dtype=np.float64)

    def inside(self, point: Floats) -> Floats:
        """The image of a point of the surface, Å [2], that lies in the surface cell."""
        vectors = np.array([self.corners[1], self.corners[3]])
        fractions = np.linalg.solve(vectors.T, point)
        return np.asarray(((fractions + 1e-6) % 1.0 - 1e-6) @ vectors, dtype=np.float64)


def images(view: View, flat: Floats, window: Window) -> Iterator[tuple[Floats, Mask]]:
    """Shifts, Å [2], that bring atoms of the surface's images into a window, and which atoms these are [n]."""
    low, high = window
    for m, n in product(range(-_FAR, _FAR + 1), repeat=2):
        shift = m * view.corners[1] + n * view.corners[3]
        there = flat[:, :2] + shift
        seen = ((there > low - MARGIN) & (there < high + MARGIN)).all(axis=1)
        if (m or n) and seen.any():
            yield shift, seen


def colour(number: int, *, slab: bool, fixed: bool = False, faded: bool = False) -> tuple[float, float, float]:
    """Of an element: paler in a slab, darker where it is fixed."""
    white = _FADED if faded else _PALE if slab else 0.0
    dark = _FIXED if fixed else 1.0
    r, g, b = ((float(part) * (1 - white) + white) * dark for part in jmol_colors[number])
    return r, g, b


def put(
    axes: Axes, structure: Structure, points: Floats, depths: Floats, *, faded: bool = False, small: bool = False
) -> None:
    """Draw atoms at points [n, 2], those of larger depth [n] in front, an adsorbate before all. faded: images of a slab."""
    order = np.argsort(depths, kind="stable")
    base, thin = (0 if faded else 100), (0.6 if small else 1.0)
    for rank, atom in enumerate(order.tolist()):
        mine, number = bool(structure.adsorbate[atom]), int(structure.numbers[atom])
        fixed, outlined = bool(structure.fixed[atom]), bool(structure.surface[atom]) or mine
        level = base + (_IN_FRONT if mine else 0) + rank / (len(order) + 1)
        radius = float(covalent_radii[number])
        axes.add_artist(  # add_patch would measure each of them
            Circle(
                tuple(points[atom]),
                max(radius, _LEAST_RADIUS) if mine else radius,
                fc=colour(number, slab=not mine, fixed=fixed, faded=faded),
                ec="0.75" if faded else "black" if outlined else "0.45",
                lw=thin * (OUTLINE if outlined else 0.6),
                hatch=HATCH if fixed and not faded else None,
                zorder=level,
            )
        )
        if mine:
            x, y = points[atom].tolist()
            axes.text(
                x, y, chemical_symbols[number], ha="center", va="center", fontsize=7 if small else 9,
                color=_ink(number), zorder=level + 1e-4, clip_on=True,
            )  # fmt: skip


def _ink(number: int) -> str:
    """A colour that can be read on this element's."""
    return "white" if float(jmol_colors[number] @ [0.3, 0.59, 0.11]) < 0.5 else "black"
