"""What several members say together of each candidate. One formula each, here and nowhere else.

Members that failed or can't tell are missing (NaN): they are left out of mean and spread and counted, never imputed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shared.errors import InvalidInput
from shared.parameters import Spread
from shared.structures import Floats, Integers, Mask


@dataclass(frozen=True, eq=False)
class Summaries:
    """One entry per candidate."""

    mean: Floats
    """eV [n]; NaN for no member."""
    std: Floats
    """Sample standard deviation (ddof = 1), eV [n]; NaN for fewer than two members."""
    range: Floats
    """max - min, eV [n]; NaN for fewer than two members."""
    n: Integers
    """How many members [n]."""

    def spread(self, kind: Spread) -> Floats:
        """The measure of disagreement that was asked for, eV [n]. Raises InvalidInput for the relative one, which a candidate doesn't
        have by itself (services.scoring.offsets)."""
        if kind is Spread.RELATIVE:
            raise InvalidInput("the relative spread is of several candidates together", field="spread")
        return self.std if kind is Spread.STD else self.range


def summarise(energies: Floats, weights: Floats | None = None) -> Summaries:
    """Mean and spread of the members' adsorption energies, eV [n, n_members], NaN where a member has none.

    weights: positive, one per member; they steer the mean alone, over the members that are there. The spread is what members disagree
    by, whatever they weigh.
    """
    there = ~np.isnan(energies)
    count = there.sum(axis=1)
    values = np.where(there, energies, 0.0)
    ones = np.ones(energies.shape[1])
    plain = _mean(values, there, ones)
    mean = plain if weights is None else _mean(values, there, np.asarray(weights, dtype=np.float64))
    deviations = np.where(there, energies - plain[:, None], 0.0)
    several = count > 1
    std = np.sqrt((deviations**2).sum(axis=1) / np.where(several, count - 1, np.nan))
    highest = np.where(there, energies, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(there, energies, np.inf).min(axis=1, initial=np.inf)
    width = np.full(len(energies), np.nan)
    width[several] = highest[several] - lowest[several]
    return Summaries(mean, std, width, count)


def _mean(values: Floats, there: Mask, weights: Floats) -> Floats:
    total = np.where(there, weights, 0.0).sum(axis=1)
    return np.asarray((values * weights).sum(axis=1) / np.where(total > 0, total, np.nan))


def weights_of(members: Sequence[str], weights: Mapping[str, float]) -> Floats | None:
    """Weights in the order of the members; 1 where none is given, None where none is at all.

    Raises InvalidInput for a weight of a member that isn't among them.
    """
    strange = sorted(set(weights) - set(members))
    if strange:
        raise InvalidInput(
            f"weights for {', '.join(strange)}, but the members are {', '.join(members)}", field="weights"
        )
    return np.array([weights.get(member, 1.0) for member in members]) if weights else None


def one_reference(stated: Iterable[str]) -> str:
    """The reference that all energies share; empty where there is none.

    Raises InvalidInput where they differ: such numbers have no common scale, and a spread over them would be no spread.
    """
    found = sorted(set(stated))
    if len(found) > 1:
        raise InvalidInput(f"no mean or spread over energies with different references: {'; '.join(found)}")
    return found[0] if found else ""
