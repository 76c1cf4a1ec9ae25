"""How far the atoms of an adslab may go before any of its springs can act: most steps of a walk need not look at springs at all.

A pair's length changes by no more than its two atoms move together. So what is left to each pair's threshold is shared out between
its atoms, and while every atom stays within its share of all its pairs the springs give exactly nothing. This holds as long as no
periodic image changes hands that a spring goes by, which bounds the shares too. The molecule's own pairs are few and move together:
their lengths are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.forces.springs import DISSOCIATION, RECONSTRUCTION, Springs
from shared.structures import Floats, Integers, Structure

_ROUNDING = 1e-9
"""Å that no rounding makes."""
_LIVELY = 0.7
"""Part of a molecule's atom in what is left between it and a slab atom that may move too."""


@dataclass(frozen=True, eq=False)
class Leeway:
    """From where, and how far."""

    start: Floats
    """Å [n_atoms, 3]."""
    squares: Floats
    """Squares of the distances that the atoms may go from there, Å² [n_atoms]."""
    own: Integers
    """First and second of each of the molecule's pairs that are looked at [2, n]."""
    vectors: Floats
    """Theirs at the start, Å [n, 3]."""
    bounds: Floats
    """Least and largest square of their lengths, Å² [2, n]."""


def leeway(springs: Springs, positions: Floats, vectors: Floats, lengths: Floats, away: Floats) -> Leeway | None:
    """With the atoms at positions, Å [n_atoms, 3], and every pair as it lies there: its vector, Å [3, n], the vector's length, Å [n],
    and the length of its deviation from the reference, Å [n]. None where a spring may act already."""
    left = _left(springs, lengths, away)
    held = _held(springs, lengths)
    if left.min(initial=np.inf) < 0 or (held is not None and held[1] < 0):
        return None
    first, second = springs.atoms
    looked = (springs.kind == DISSOCIATION) & (lengths < springs.half)
    left[looked] = np.inf
    far = np.full(springs.n_atoms, np.inf)
    for atoms, part in ((first, springs.parts[0]), (second, springs.parts[1])):
        np.minimum.at(far, atoms, part * left)
        if held is not None:
            far[atoms[held[0]]] = min(far[atoms[held[0]]], part[held[0]] * held[1])
    own = np.flatnonzero(looked)
    threshold, bond = springs.threshold[own], springs.side[own] > 0
    least = np.where(bond, 0.0, threshold + _ROUNDING)
    most = np.where(bond, np.minimum(threshold, springs.half), springs.half) - _ROUNDING
    bounds = np.stack([least, most])
    return Leeway(positions, far * far, springs.atoms[:, own], vectors[:, own].T.copy(), bounds * bounds)


def calm(leeways: Sequence[Leeway], positions: Sequence[Floats]) -> list[bool]:
    """Whether surely no spring acts, of each. positions: of each, Å [n_atoms, 3]."""
    if not leeways:
        return []
    starts = np.cumsum([0, *(len(one.squares) for one in leeways[:-1])])
    apart = np.concatenate(positions)
    apart -= np.concatenate([one.start for one in leeways])
    far = _squares(apart) > np.concatenate([one.squares for one in leeways])
    n_own = [one.own.shape[1] for one in leeways]
    if any(n_own):
        first, second = np.concatenate([one.own for one in leeways], axis=1) + np.repeat(starts, n_own)
        squares = _squares(np.concatenate([one.vectors for one in leeways]) + apart[second] - apart[first])
        least, most = np.concatenate([one.bounds for one in leeways], axis=1)
        far[first[(squares < least) | (squares > most)]] = True
    return [not one for one in np.logical_or.reduceat(far, starts)]


def parts(start: Structure, atoms: Integers) -> Floats:
    """How what is left to each pair is shared out between its atoms [2, n]: an atom that is fixed needs nothing."""
    lively = np.where(start.adsorbate, _LIVELY, 1 - _LIVELY) * start.free
    both = lively[atoms]
    return np.asarray(both / np.maximum(both.sum(axis=0), _ROUNDING), dtype=np.float64)


def _left(springs: Springs, lengths: Floats, away: Floats) -> Floats:
    """How far the two atoms of each pair may move together before its spring can act, Å [n]; negative where it may act already."""
    nearest = springs.kind != RECONSTRUCTION
    right = np.where(nearest, np.minimum(lengths, springs.sure), lengths)
    left = springs.side * (springs.threshold - right)
    return np.asarray(np.where(nearest, left, np.minimum(left, springs.half - away)) - _ROUNDING, dtype=np.float64)


def _held(springs: Springs, lengths: Floats) -> tuple[int, float] | None:
    """The pair that holds the adsorbate most safely, and how far its atoms may move apart, Å; None without contacts."""
    if not len(springs.sums):
        return None
    others = len(lengths) - len(springs.sums)
    slack = np.minimum(springs.contact * springs.sums, springs.sure) - lengths[others:]
    best = int(slack.argmax())
    return others + best, float(slack[best]) - _ROUNDING


def _squares(vectors: Floats) -> Floats:
    """Squared lengths [n] of vectors [n, 3]."""
    squares = vectors * vectors
    return np.asarray(squares[:, 0] + squares[:, 1] + squares[:, 2], dtype=np.float64)
