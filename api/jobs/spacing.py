"""Cells that are none, atoms too near or too far apart, adsorbates that span the vacuum: each refused with what to change.

Pure checks on arrays, as in api.jobs.validation. Lengths in Å.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from ase.neighborlist import primitive_neighbor_list

from api.jobs import hints
from shared.errors import InvalidInput
from shared.slabs import faces_down, outward_heights
from shared.structures import Floats, Mask, Structure
from shared.submissions import Adsorbate

CLOSEST = 0.5
"""Atoms nearer than this are a mistake in any units."""
FARTHEST = 1.0e4
"""No coordinate or lattice vector may be longer."""
THINNEST_CELL = 1.0
"""Least distance between opposite faces of a cell, along periodic directions."""
CLEARANCE = 2.0
"""Least empty space between the adsorbate and the next image of the slab's bottom."""


def check_cell(cell: Floats, pbc: Mask, field: str) -> None:
    if not np.isfinite(cell).all():
        raise InvalidInput("the cell is not made of finite numbers", field=field)
    if np.abs(cell).max() > FARTHEST:
        raise InvalidInput(f"lattice vectors beyond {FARTHEST:.0f} Å: are they in Å?", field=field)
    area = float(np.linalg.norm(np.cross(cell[0], cell[1])))
    if area < THINNEST_CELL**2:
        raise InvalidInput("the cell has no area: its first two lattice vectors must span the surface", field=field)
    if not (pbc[0] and pbc[1]):
        raise InvalidInput("a surface is periodic along its first two lattice vectors: set pbc for both", field=field)
    volume = abs(float(np.linalg.det(cell)))
    faces = [volume / float(np.linalg.norm(np.cross(cell[i - 2], cell[i - 1]))) for i in range(3) if volume > 0]
    if not faces or min(faces) < THINNEST_CELL:
        raise InvalidInput(
            f"the cell is flat: every pair of opposite faces must be {THINNEST_CELL:.0f} Å apart at least, and the third "
            "lattice vector must hold the slab and its vacuum",
            field=field,
        )


@lru_cache(maxsize=hints.REMEMBERED)
def check_crystal_distances(positions: hints.Triples, cell: hints.Triples, field: str) -> None:
    places = np.array(positions, dtype=float).reshape(-1, 3)
    check_distances(places, np.array(cell, dtype=float), np.ones(3, dtype=bool), field)


@lru_cache(maxsize=hints.REMEMBERED)
def check_molecule_distances(adsorbate: Adsorbate, field: str) -> None:
    places = np.array(adsorbate.positions, dtype=float).reshape(-1, 3)
    check_distances(places, np.zeros((3, 3)), np.zeros(3, dtype=bool), field)


def check_distances(positions: Floats, cell: Floats, pbc: Mask, field: str) -> None:
    i, j, d = primitive_neighbor_list("ijd", pbc, cell, positions, CLOSEST)
    if len(d):
        k = int(np.argmin(d))
        raise InvalidInput(
            f"atoms {min(i[k], j[k])} and {max(i[k], j[k])} are {d[k]:.2f} Å apart (periodic images counted): "
            f"at least {CLOSEST} Å is needed",
            field=field,
        )


def height(structure: Structure) -> float:
    """Distance between the cell's bottom and top face."""
    return abs(float(structure.cell[2] @ structure.normal))


def check_vacuum(vacuum: float, adsorbate: Adsorbate, field: str) -> None:
    positions = np.array(adsorbate.positions, dtype=float).reshape(-1, 3)
    length = float(np.linalg.norm(positions[:, None] - positions[None, :], axis=-1).max())
    needed = length + 2 * CLEARANCE
    if vacuum < needed:
        raise InvalidInput(
            f"the adsorbate is {length:.1f} Å long and the vacuum {max(vacuum, 0.0):.1f} Å: it would span it. "
            f"Give at least {needed:.1f} Å of vacuum",
            field=field,
        )


def turned(structure: Structure) -> bool:
    """Whether the surface looks the other way than the structure's normal says, where none is marked. In one piece."""
    return not structure.surface.any() and faces_down(structure)


def check_adsorbate_place(structure: Structure, field: str) -> None:
    """The adsorbate sits on the surface, and doesn't reach the next image of the slab's other side. The slab in one piece."""
    heights = outward_heights(structure)
    adsorbate, slab = heights[structure.adsorbate], heights[structure.slab]
    if adsorbate.mean() < slab.mean():
        raise InvalidInput(
            "the adsorbate lies below the middle of the slab, away from its surface: shift it onto the surface, or mark the surface "
            "where it is. (Tags must be OC20's: 0 subsurface, 1 surface, 2 adsorbate; ASE's surface builders number layers instead.)",
            field=field,
        )
    if structure.pbc[2]:
        gap = float(slab.min()) + height(structure) - float(adsorbate.max())
        if gap < CLEARANCE:
            raise InvalidInput(
                f"the adsorbate spans the vacuum: it ends {gap:.1f} Å below the next image of the slab. "
                f"At least {CLEARANCE:.0f} Å is needed: add vacuum",
                field=field,
            )
