"""What members disagree by, in two parts: E[c, m] = mean[c] + offset[m] + rest[c, m].

A member's offset is what it says of all candidates alike: of the adsorbate in the gas, of the metal as such. It moves the
adsorption energy and not the order of the minima. The rest is what members say differently of one candidate and another:
whether they agree which is lowest. The spread of E mixes the two.

The two-way additive model without interaction, by least squares over the cells that are there (Yates, Emp. J. Exp. Agric. 1, 129
(1933)); Σ offset = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.structures import Floats, Integers, Mask


@dataclass(frozen=True, eq=False)
class Offsets:
    """One job's."""

    offset: Floats
    """eV [n_members]; NaN for a member that shares no candidate with another."""
    rest: Floats
    """eV [n, n_members]; NaN where the member has no energy or no offset."""
    relative: Floats
    """Relative spread: sample standard deviation of the rest of each candidate, eV [n]; NaN where it can't be told."""
    spread: float
    """Offset spread: sample standard deviation of the members' offsets, eV; NaN where it can't be told."""
    n: int
    """Candidates that the offsets are from."""


def decompose(energies: Floats, distinct: Mask) -> Offsets:
    """The members' offsets and what is left.

    energies: eV [n, n_members], NaN where a member has none. distinct: those that the offsets are taken from [n]: sound, one of each
    minimum, for a minimum found ten times would count tenfold. Of these, the ones with two members or more are used. One alone tells
    nothing: its disagreement is all offset, so relative spreads need two. Offsets are fitted to the very numbers whose rest is taken,
    which takes away one of n degrees of freedom: rests of those are scaled by sqrt(n / (n - 1)).
    """
    there = ~np.isnan(energies)
    used = distinct & (there.sum(axis=1) > 1)
    n = int(used.sum())
    offset, connected = _fitted(energies[used], there[used])
    rest = energies - offset
    rest -= _mean(rest)[:, None]
    relative = _std(rest)
    if n > 1:
        relative[used] *= np.sqrt(n / (n - 1))
    else:
        relative[:] = np.nan
    known = offset[~np.isnan(offset)]
    spread = float(known.std(ddof=1)) if connected and len(known) > 1 else float("nan")
    return Offsets(offset, rest, relative, spread, n)


def relative_spreads(energies: Floats, distinct: Mask, systems: Integers) -> Floats:
    """Relative spreads where candidates are of several systems, eV [n]: offsets are taken within each. systems: numbers [n]."""
    spreads = np.full(len(energies), np.nan)
    for system in np.unique(systems):
        rows = systems == system
        spreads[rows] = decompose(energies[rows], distinct[rows]).relative
    return spreads


def _fitted(energies: Floats, there: Mask) -> tuple[Floats, bool]:
    """Offsets [n_members], and whether candidates link all of these members, so that each can be compared with each."""
    offset = np.full(energies.shape[1], np.nan)
    members = np.flatnonzero(there.any(axis=0))
    if not len(members):
        return offset, False
    cells = there[:, members].astype(np.float64)
    count = cells.sum(axis=1, keepdims=True)
    values = np.where(there, energies, 0.0)[:, members]
    centred = (values - values.sum(axis=1, keepdims=True) / count) * cells
    # the candidates' means are eliminated: one equation a member is left
    normal = np.diag(cells.sum(axis=0)) - cells.T @ (cells / count)
    solved, _, rank, _ = np.linalg.lstsq(normal, centred.sum(axis=0), rcond=1e-10)
    offset[members] = solved - solved.mean()
    return offset, bool(rank == len(members) - 1)


def _mean(values: Floats) -> Floats:
    there = ~np.isnan(values)
    count = there.sum(axis=1)
    return np.asarray(np.where(there, values, 0.0).sum(axis=1) / np.where(count > 0, count, np.nan))


def _std(centred: Floats) -> Floats:
    """Sample standard deviation of rows whose mean is zero; NaN for fewer than two values."""
    there = ~np.isnan(centred)
    count = there.sum(axis=1)
    squares = np.where(there, centred, 0.0) ** 2
    return np.asarray(np.sqrt(squares.sum(axis=1) / np.where(count > 1, count - 1, np.nan)))
