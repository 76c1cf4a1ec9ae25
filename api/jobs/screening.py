"""Which of a thousand structures are to be looked at one by one: a look at all at once clears those that are plainly in order, so
that reading a large request costs others little. Pure checks on arrays. Lengths in Å."""

from __future__ import annotations

import numpy as np

from api.jobs.extents import THICKEST, WIDEST_GAP
from shared.slabs import faces_down, gathered
from shared.structures import Floats, Integers, Mask, Structure

_AT_ONCE = 2_000_000
"""Pairs of atoms."""
_CELLS = 9.0
"""No atom of a cleared structure lies further away along the surface, in cells."""


def doubtful(first: Structure, positions: Floats, *, closest: float, clearance: float, farthest: float) -> Integers:
    """Indices of the structures that may break a rule of an adslab's geometry, or have to be put in one piece first.

    first: one that was looked at; positions: of all [n, n_atoms, 3]. closest: least distance of two atoms; clearance: least room
    between the adsorbate and the next image of the slab; farthest: largest coordinate.
    """
    if not first.surface.any() and faces_down(gathered(first)):
        return np.arange(len(positions))  # which side is the surface is told by each one's own adsorbate
    plain = np.isfinite(positions).all(axis=(1, 2)) & (np.abs(positions) <= farthest).all(axis=(1, 2))
    there = np.where(plain[:, None, None], positions, 0.0)
    cleared = plain & _apart(first, there, closest) & _in_place(first, there, clearance)
    return np.flatnonzero(~cleared)


def _apart(first: Structure, positions: Floats, closest: float) -> Mask:
    """Whether no two atoms are nearer than this, periodic images counted [n]. Of two atoms that are, each difference in fractions is
    below a half, since opposite faces of a cell are further apart than twice `closest`: the rounded image is the near one."""
    n_atoms, cell = len(first), first.cell
    turns = np.linalg.pinv(cell) * first.pbc
    upper = np.triu_indices(n_atoms, 1)
    found = np.ones(len(positions), dtype=bool)
    size = max(1, _AT_ONCE // max(len(upper[0]), 1))
    for start in range(0, len(positions), size):
        part = positions[start : start + size]
        vectors = part[:, upper[0]] - part[:, upper[1]]
        vectors -= np.rint(vectors @ turns) @ cell
        squares = np.einsum("npx,npx->np", vectors, vectors)
        found[start : start + size] = squares.min(axis=1, initial=np.inf) >= closest**2
    return found


def _in_place(first: Structure, positions: Floats, clearance: float) -> Mask:
    """Whether the slab is in one piece and no thicker than one may be, and the adsorbate on it, clear of the next image [n]."""
    whole = gathered(first)
    normal = whole.normal if whole.surface.any() else np.cross(whole.cell[0], whole.cell[1])
    normal = normal / np.linalg.norm(normal)
    if not whole.surface.any() and (normal @ whole.cell[2] < 0) != faces_down(whole):
        normal = -normal
    heights = positions @ normal
    slab, molecule = np.sort(heights[:, first.slab], axis=1), heights[:, first.adsorbate]
    steps = np.diff(slab, axis=1).max(axis=1, initial=0.0)
    thick, period = np.ptp(slab, axis=1), abs(float(first.cell[2] @ normal))
    good = (steps <= WIDEST_GAP) & (thick <= THICKEST)
    good &= molecule.mean(axis=1) >= slab.mean(axis=1)
    good &= (molecule.min(axis=1) >= slab[:, 0]) & (molecule.min(axis=1) - slab[:, -1] <= WIDEST_GAP)
    if first.pbc[2]:
        good &= (steps < period - thick) & (slab[:, 0] + period - molecule.max(axis=1) >= clearance)
    flat = np.linalg.pinv(first.cell)[:, :2]
    far = np.abs(positions @ flat - np.median((first.positions @ flat)[first.slab], axis=0)).max(axis=(1, 2))
    return np.asarray(good & (far < _CELLS), dtype=np.bool_)
