"""How far a structure reaches, and how many atoms a cut will have: what bounds the cost of placements, known before any is found.

Pure checks on arrays. Lengths in Å.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from api.jobs import hints
from shared.errors import InvalidInput
from shared.planes import Plane, carried, plane, primitive
from shared.slabs import outward_heights
from shared.structures import Integers, Structure
from shared.submissions import BulkSubmission

THICKEST = 100.0
"""A slab is no thicker."""
WIDEST_GAP = 20.0
"""Atoms further above or below all others are no part of a slab, or not on it."""
_SAME = 0.02
"""Atoms this near to their like under a translation are repeats."""


def check_heights(structure: Structure, field: str) -> None:
    """Raise InvalidInput where a slab isn't one, or the adsorbate is far above it. The slab in one piece."""
    heights = outward_heights(structure)
    slab = np.flatnonzero(structure.slab)
    order = slab[np.argsort(heights[slab])]
    steps = np.diff(heights[order])
    if len(steps) and steps.max() > WIDEST_GAP:
        at = int(steps.argmax())
        above, below = order[at + 1 :], order[: at + 1]
        apart, side = (above, "above") if len(above) <= len(below) else (below, "below")
        raise InvalidInput(
            f"{_named(apart)} {side} the rest of the slab, with {steps.max():.0f} Å of nothing between them: atoms more than "
            f"{WIDEST_GAP:.0f} Å apart are no slab. Correct the positions, or leave these atoms out",
            field=field,
        )
    thickness = float(np.ptp(heights[slab]))
    if thickness > THICKEST:
        raise InvalidInput(
            f"the slab is {thickness:.0f} Å thick; at most {THICKEST:.0f} Å are allowed: give fewer layers", field=field
        )
    if structure.adsorbate.any():
        gap = float(heights[structure.adsorbate].min() - heights[slab].max())
        if gap > WIDEST_GAP:
            raise InvalidInput(
                f"the adsorbate is {gap:.0f} Å above the slab, and at most {WIDEST_GAP:.0f} Å are allowed: put it on the surface",
                field=field,
            )


def check_cut(submission: BulkSubmission, max_atoms: int) -> None:
    """Raise InvalidInput for a cut that can't have few enough atoms, whatever its termination. Where the index is of the cell given
    its face's own cell is counted; of another cell the density alone."""
    numbers, cell = np.array(submission.numbers, dtype=np.int64), np.array(submission.cell, dtype=np.float64)
    volume = abs(float(np.linalg.det(cell)))
    least = int(len(numbers) / volume * submission.min_width**2 * submission.min_depth)
    if least > max_atoms:
        raise InvalidInput(
            f"a slab {submission.min_width} Å wide and {submission.min_depth} Å deep needs about {least} atoms; "
            f"at most {max_atoms} are allowed: lower min_width or min_depth",
            field="input.min_width",
        )
    if not submission.conventional:
        _check_face(submission, max_atoms)


@lru_cache(maxsize=hints.REMEMBERED)
def _face(
    numbers: tuple[int, ...], positions: hints.Triples, vectors: hints.Triples, miller: tuple[int, int, int]
) -> tuple[Plane, int]:
    """The smallest cell of a face of a crystal, and how many atoms it has in each plane."""
    cell = np.array(vectors, dtype=np.float64)
    fractions = np.array(positions, dtype=np.float64) @ np.linalg.inv(cell)
    basis = primitive(cell, fractions, np.array(numbers, dtype=np.int64), _SAME)
    per_plane = round(len(numbers) * abs(float(np.linalg.det(basis))))
    return plane(basis @ cell, carried(miller, basis)), per_plane


def _check_face(submission: BulkSubmission, max_atoms: int) -> None:
    face, per_plane = _face(submission.numbers, submission.positions, submission.cell, submission.miller)
    sides = np.linalg.norm(face.vectors, axis=1)
    repeats = [max(1, math.ceil(submission.min_width / float(side) - 1e-6)) for side in sides]
    planes = max(1, math.ceil(submission.min_depth / face.spacing - 1e-6))
    least = per_plane * planes * repeats[0] * repeats[1]
    if least > max_atoms:
        index = " ".join(map(str, submission.miller))
        smaller = per_plane * planes <= max_atoms
        change = (
            "lower min_width or min_depth, or take lower Miller indices" if smaller else "take lower Miller indices"
        )
        raise InvalidInput(
            f"a slab along ({index}) would have at least {least} atoms, and at most {max_atoms} are allowed: its smallest cell is "
            f"{sides[0]:.1f} by {sides[1]:.1f} Å with {per_plane} atoms every {face.spacing:.2f} Å of depth. {change}",
            field="input.miller",
        )


def _named(atoms: Integers) -> str:
    shown = ", ".join(str(atom) for atom in sorted(atoms.tolist())[:5])
    more = f" and {len(atoms) - 5} more" if len(atoms) > 5 else ""
    return f"atom {shown} lies" if len(atoms) == 1 else f"atoms {shown}{more} lie"
