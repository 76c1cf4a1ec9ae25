"""A job's candidates as the choice sees them, and what the choice says of each: columns, one entry per candidate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.structures import Floats, Integers, Mask


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates with their members' energies."""

    keys: Integers
    """Ids [n]."""
    members: tuple[str, ...]
    """Names, in the order of the columns [n_members]."""
    energies: Floats
    """Adsorption energies, eV per adslab, NaN where a member has none [n, n_members]."""
    references: tuple[str, ...]
    """What they are relative to, with the scale, each once, the commonest first."""
    converged: Mask
    """[n]."""
    fmax: Floats
    """eV/Å [n]."""
    anomalies: Sequence[str]
    """Their names, comma-separated; empty for one without [n]."""
    first: Integers
    """The key of the earliest candidate that is the same minimum, its own where it is the first [n]."""

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the ensemble and the rules say, one entry per candidate of a pool."""

    mean: Floats
    """eV, NaN where there is none [n]."""
    std: Floats
    """eV, NaN where there is none [n]."""
    range: Floats
    """eV, NaN where there is none [n]."""
    relative: Floats
    """Relative spread (services.scoring.offsets), eV, NaN where it can't be told [n]."""
    offset: Floats
    """Of each member, eV, NaN for one that has none [n_members]."""
    offset_spread: float
    """eV; NaN where it can't be told."""
    n_offsets: int
    """Distinct sound candidates that the offsets are from."""
    n: Integers
    """Members that scored it [n]."""
    passes: Mask
    """The filter [n]."""
    reasons: Sequence[str]
    """Why not; empty where it passes [n]."""
    rank: Integers
    """0 is the putative global minimum, -1 where it wasn't chosen [n]."""
    same_as: Integers
    """The key of the candidate that stands for this one's minimum, its own where none other does [n]."""
    verdicts: Sequence[str]
    """Why it was chosen or why not, for people [n]."""
    low_confidence: bool
    """Nothing passed, and the one chosen is the lowest all the same."""
