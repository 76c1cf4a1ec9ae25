"""Shares with their counts and bootstrap intervals.

Configurations of one system are not independent, so systems are drawn, with all that they hold (cluster bootstrap; Davison & Hinkley,
Bootstrap Methods and their Application, 1997, doi:10.1017/CBO9780511802843).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from shared.structures import Floats, Integers, Mask

DRAWS = 2000


class Interval(NamedTuple):
    """Of a statistic; NaN where it isn't known."""

    low: float
    high: float


@dataclass(frozen=True)
class Share:
    """hits of count, and the 95 % interval of their share."""

    hits: int
    count: int
    low: float
    """NaN for no count."""
    high: float
    """NaN for no count."""

    @property
    def value(self) -> float:
        """NaN for no count."""
        return self.hits / self.count if self.count else float("nan")

    def __str__(self) -> str:
        if not self.count:
            return "- (0)"
        return f"{100 * self.value:.1f} % ({self.hits}/{self.count}; {100 * self.low:.0f}-{100 * self.high:.0f})"


def groups(systems: Sequence[str]) -> Integers:
    """A number for each system's name [n]."""
    return np.asarray(np.unique(np.asarray(systems, dtype=str), return_inverse=True)[1], dtype=np.int64)


def share(hits: Mask, systems: Integers | None = None, *, seed: int = 0) -> Share:
    """hits [n]; systems: which one each belongs to [n], every one its own if not given."""
    if not len(hits):
        return Share(0, 0, float("nan"), float("nan"))
    own = np.arange(len(hits)) if systems is None else np.unique(systems, return_inverse=True)[1]
    good, total = np.bincount(own, weights=hits.astype(float)), np.bincount(own).astype(float)
    drawn = _drawn(len(total), seed)
    low, high = np.percentile(good[drawn].sum(axis=1) / total[drawn].sum(axis=1), [2.5, 97.5])
    return Share(int(hits.sum()), len(hits), float(low), float(high))


def _drawn(n: int, seed: int, draws: int = DRAWS) -> Integers:
    return np.asarray(np.random.default_rng(seed).integers(n, size=(draws, n)))


def interval(
    statistic: Callable[[Integers], float], systems: Integers, *, seed: int = 0, draws: int = 500, level: float = 0.95
) -> Interval:
    """Percentile interval of a statistic of the indices drawn, systems [n] drawn whole. Draws that give NaN are left out."""
    order = np.argsort(systems, kind="stable")
    starts = np.flatnonzero(np.diff(systems[order], prepend=-1))
    members = np.split(order, starts[1:])
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        picked = rng.integers(len(members), size=len(members))
        values.append(statistic(np.concatenate([members[index] for index in picked])))
    finite = np.array(values)[np.isfinite(values)]
    if not len(finite):
        return Interval(float("nan"), float("nan"))
    low, high = np.percentile(finite, [50 * (1 - level), 50 * (1 + level)])
    return Interval(float(low), float(high))


def correlation(first: Floats, second: Floats) -> float:
    """Pearson's; NaN where one of them doesn't vary."""
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])
