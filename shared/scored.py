"""A job's candidates as the choice sees them, and what the choice says of each: columns, one entry per candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.structures import Floats, Integers, Mask


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates with their members' energies.

    keys: ids [n]. members: names, in the order of the columns [n_members]. energies: adsorption energies, eV per adslab, NaN where a
    member has none [n, n_members]. references: what they are relative to, each once. converged [n]. fmax: eV/Å [n]. anomalies: their
    names, comma-separated; empty for a sound one [n]. first: the key of the earliest candidate that is the same minimum, its own
    where it is the first [n].
    """

    keys: Integers
    members: tuple[str, ...]
    energies: Floats
    references: tuple[str, ...]
    converged: Mask
    fmax: Floats
    anomalies: Sequence[str]
    first: Integers

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the ensemble and the rules say, one entry per candidate of a pool.

    mean, std, range: eV, NaN where there is none [n]. n: members that scored it [n]. passes: the filter [n]. reasons: why not; empty
    where it passes [n]. rank: 0 is the putative global minimum, -1 where it wasn't chosen [n]. same_as: the key of the candidate that
    stands for this one's minimum, its own where none other does [n]. verdicts: why it was chosen or why not, for people [n].
    low_confidence: nothing passed, and the one chosen is the lowest all the same.
    """

    mean: Floats
    std: Floats
    range: Floats
    n: Integers
    passes: Mask
    reasons: Sequence[str]
    rank: Integers
    same_as: Integers
    verdicts: Sequence[str]
    low_confidence: bool
