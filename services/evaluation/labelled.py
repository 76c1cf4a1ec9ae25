"""A labelled set: configurations with the members' energies, and a reference's beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from services.evaluation.shares import groups
from services.scoring.ensemble import Summaries, summarise
from services.scoring.offsets import relative_spreads
from shared.errors import InvalidInput
from shared.parameters import Spread
from shared.structures import Floats, Integers, Mask


@dataclass(frozen=True, eq=False)
class Labelled:
    """Configurations with the members' energies and a reference's, eV per adslab on one scale."""

    name: str
    """What they are."""
    reference_name: str
    """What the reference is, always shown."""
    systems: Sequence[str]
    """Names [n]."""
    candidates: Sequence[str]
    """Names [n]."""
    members: tuple[str, ...]
    """Names of the columns."""
    energies: Floats
    """NaN where missing [n, n_members]."""
    reference: Floats
    """Of the same structure, NaN where missing [n]."""
    methods: tuple[str, ...] = ()
    """Ways of searching, each judged by what it has alone."""
    method: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Whose configuration it is [n]; one that several have comes once for each, under the same candidate."""
    sound: Mask = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """Relaxed and without anomaly [n]."""
    anomalies: Sequence[str] = ()
    """Names, comma-separated [n]."""
    lowest: Mapping[str, float] = field(default_factory=dict)
    """The lowest reference energy known of each system; the lowest sound one of `reference` where it has none."""

    def __post_init__(self) -> None:
        n = len(self.systems)
        if self.energies.shape != (n, len(self.members)) or len(self.reference) != n or len(self.candidates) != n:
            raise InvalidInput("the columns of a labelled set must have one entry for each configuration")
        defaults = {
            "method": np.zeros(n, dtype=np.int64),
            "sound": np.ones(n, dtype=np.bool_),
            "anomalies": ("",) * n,
        }
        for name, default in defaults.items():
            if not len(getattr(self, name)):
                object.__setattr__(self, name, default)

    @property
    def groups(self) -> Integers:
        """The number of each configuration's system [n]."""
        return groups(self.systems)

    @property
    def summaries(self) -> Summaries:
        """What the ensemble says."""
        return summarise(self.energies)

    def spread(self, kind: Spread) -> Floats:
        """The measure of disagreement that was asked for, eV [n]. The relative one is taken within each system, over its sound
        configurations, each once; nobody knows here which of them are the same minimum."""
        if kind is Spread.RELATIVE:
            return relative_spreads(self.energies, self.sound & self.once, self.groups)
        return self.summaries.spread(kind)

    @property
    def once(self) -> Mask:
        """The first of each candidate, however many methods have it [n]."""
        _, earliest = np.unique(
            [f"{system}\n{name}" for system, name in zip(self.systems, self.candidates, strict=True)], return_index=True
        )
        first = np.zeros(len(self.systems), dtype=np.bool_)
        first[earliest] = True
        return first

    def lowest_of(self) -> dict[str, float]:
        """The lowest reference energy of each system's sound configurations, eV; NaN where none is known."""
        found = {str(system): float("nan") for system in self.systems} | dict(self.lowest)
        for index in np.flatnonzero(self.sound & np.isfinite(self.reference)).tolist():
            system, energy = self.systems[index], float(self.reference[index])
            if system not in self.lowest and not energy >= found[system]:
                found[system] = energy
        return found


@dataclass(frozen=True, eq=False)
class Pairs:
    """Spread and error of configurations."""

    spreads: Floats
    """eV [n]."""
    errors: Floats
    """Absolute, of the mean, eV [n]."""
    systems: Integers
    """Which one each belongs to [n]."""


def pairs(labelled: Labelled, spread: Spread) -> Pairs:
    """Of the sound configurations that all members and the reference have."""
    summaries = labelled.summaries
    there = labelled.sound & labelled.once & np.isfinite(labelled.reference) & (summaries.n == len(labelled.members))
    spreads = labelled.spread(spread)
    there &= np.isfinite(spreads)
    errors = np.abs(summaries.mean - labelled.reference)[there]
    return Pairs(spreads[there], errors, labelled.groups[there])


def stand_in(labelled: Labelled, member: str) -> Labelled:
    """The same set with a member's energies in the reference's place, and the member out of the ensemble. For those who have no DFT:
    it says how members agree with one another, and nothing of how right they are."""
    if member not in labelled.members:
        raise InvalidInput(f"{member} is none of the members {', '.join(labelled.members)}", field="stand_in")
    column = labelled.members.index(member)
    return replace(
        labelled,
        reference_name=f"stand-in: {member}, a potential and not DFT",
        members=tuple(name for name in labelled.members if name != member),
        energies=np.delete(labelled.energies, column, axis=1),
        reference=labelled.energies[:, column],
        lowest={},
    )
