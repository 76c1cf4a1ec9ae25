"""A landscape over any number of Pt(111) slabs with a small molecule, in a few vectorised operations: smooth, with minima to hop
between, deterministic to the last bit, some microseconds a structure. It stands for no physics.

Slab atoms sit in wells at the lattice's sites; the molecule's atoms feel a corrugation of the surface's period, a well above the
surface, and springs along their chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from ase.data import covalent_radii

from services.forces.potential import Evaluation
from shared.structures import Floats, Integers, Mask, Structure

METAL = 78
NEAREST = 2.7719
"""Å between neighbours in the slab (a = 3.92 Å)."""
LAYER = NEAREST * np.sqrt(2 / 3)
BOTTOM = 10.0
"""Height of the lowest layer, Å: the slabs' vacuum on each side."""
_SLAB, _SITES, _LONG = 0.4, 0.12, 0.05
"""eV: depth of a slab atom's well, of the molecule's between sites, and how much sites differ."""
_BOND, _HEIGHT = 40.0, 4.0
"""eV/Å²."""
_HANGING = 1.9
"""Å above the surface, of the molecule's lowest atom; each one after it hangs a bond higher."""


def evaluate(structures: Sequence[Structure]) -> list[Evaluation]:
    """Energies and forces of them all in one go."""
    numbers = np.concatenate([one.numbers for one in structures])
    positions = np.concatenate([one.positions for one in structures])
    ends = np.cumsum([len(one) for one in structures])
    starts = np.concatenate([[0], ends[:-1]])
    frames = np.stack([_frame(one.cell.tobytes()) for one in structures])
    across, repeats = frames[:, :3], frames[:, 3]
    which = np.repeat(np.arange(len(structures)), ends - starts)
    metal = numbers == METAL
    surfaces = np.maximum.reduceat(np.where(metal, positions[:, 2], -np.inf), starts)
    on_slab = np.isfinite(surfaces)[which]
    turns = 2 * np.pi * np.einsum("ai,aij->aj", positions, across[which])
    waves = repeats[which] * np.where(metal, 3, 1)[:, None]
    depth = np.where(metal, _SLAB, np.where(on_slab, _SITES, 0.0))[:, None]
    long = np.where(metal | ~on_slab, 0.0, _LONG)[:, None]
    energy = (depth * (1 - np.cos(waves * turns)) + long * (1 - np.cos(turns))).sum(axis=1)
    slope = 2 * np.pi * (depth * waves * np.sin(waves * turns) + long * np.sin(turns))
    forces = -np.einsum("aij,aj->ai", across[which], slope)
    layers = 2 * np.pi / LAYER * (positions[:, 2] - BOTTOM)
    energy += np.where(metal, _SLAB * (1 - np.cos(layers)), 0.0)
    forces[:, 2] -= np.where(metal, 2 * np.pi / LAYER * _SLAB * np.sin(layers), 0.0)
    _molecules(numbers, positions, which, surfaces, on_slab & ~metal, energy, forces)
    energies = np.add.reduceat(energy, starts)
    return [
        Evaluation(float(total), np.ascontiguousarray(part))
        for total, part in zip(energies, np.split(forces, ends[:-1]), strict=True)
    ]


@lru_cache(maxsize=64)
def _frame(cell: bytes) -> Floats:
    """What gives fractional coordinates in the plane, 1/Å [3, 2], and below it how often the primitive cell repeats [2]."""
    vectors = np.frombuffer(cell).reshape(3, 3)
    repeats = np.round(np.linalg.norm(vectors[:2], axis=1) / NEAREST)
    return np.vstack([np.linalg.inv(vectors)[:, :2], repeats])


def _molecules(
    numbers: Integers, positions: Floats, which: Integers, surfaces: Floats, hangs: Mask, energy: Floats, forces: Floats
) -> None:  # fmt: skip
    """Add the chains' springs, and what holds each chain at its height, in place."""
    light = numbers != METAL
    first = np.flatnonzero(light[:-1] & light[1:] & (which[:-1] == which[1:]))
    apart = positions[first + 1] - positions[first]
    length = np.linalg.norm(apart, axis=1)
    stretch = length - covalent_radii[numbers[first]] - covalent_radii[numbers[first + 1]]
    energy[first] += 0.5 * _BOND * stretch**2
    pull = (_BOND * stretch / length)[:, None] * apart
    forces[first] += pull
    forces[first + 1] -= pull
    hanging = np.flatnonzero(hangs)
    steps = hanging - np.searchsorted(which, which[hanging]) - np.bincount(which, ~light)[which[hanging]].astype(int)
    off = positions[hanging, 2] - (BOTTOM + LAYER * np.round((surfaces[which[hanging]] - BOTTOM) / LAYER))
    off -= _HANGING + 1.1 * steps
    energy[hanging] += 0.5 * _HEIGHT * off**2
    forces[hanging, 2] -= _HEIGHT * off
