"""The method's three tables from any labelled set: anomalies, search, energies.

As in the entry that won the Open Catalyst Challenge 2023; success within 0.1 eV as in AdsorbML, Lan et al., npj Comput. Mater. 9, 172
(2023), doi:10.1038/s41524-023-01121-5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.evaluation.challenge import THRESHOLD, Verdict, judge
from services.evaluation.labelled import Labelled, pairs
from services.evaluation.shares import Interval, Share, correlation, interval, share
from shared.parameters import Spread
from shared.soundness import Anomaly
from shared.structures import Floats, Integers, Mask


@dataclass(frozen=True)
class AnomalyRow:
    """What one way of relaxing ended in."""

    method: str
    shares: dict[str, Share]
    """By anomaly, and of `any`."""


@dataclass(frozen=True)
class SearchRow:
    """What one way of searching reaches."""

    method: str
    energies: str
    """By whose energies."""
    share: Share
    """Of systems whose lowest energy is below the reference's lowest + 0.1 eV."""


@dataclass(frozen=True)
class EnergyRow:
    """How near one kind of energy comes to the reference."""

    what: str
    """By whom the energies are."""
    share: Share
    """Of configurations within 0.1 eV of the reference."""
    kept: Share
    """Of all."""
    mean_error: float
    """Of their absolute errors, eV."""


@dataclass(frozen=True)
class Correlation:
    """Of spread and absolute error of the ensemble's mean, with 95 % intervals."""

    pearson: float
    pearson_interval: Interval
    spearman: float
    spearman_interval: Interval
    count: int


@dataclass(frozen=True)
class Evaluation:
    """The tables of one labelled set, and what they were made with."""

    name: str
    reference: str
    members: tuple[str, ...]
    n_systems: int
    n_configurations: int
    spread: Spread
    limit: float
    """Of `spread`, eV."""
    anomalies: list[AnomalyRow]
    search: list[SearchRow]
    energies: list[EnergyRow]
    correlation: Correlation | None
    challenge: dict[str, list[Verdict]]
    """By whose energies."""


def evaluate(labelled: Labelled, *, spread: Spread = Spread.STD, limit: float = 0.3, seed: int = 0) -> Evaluation:
    """All tables. Those that the set says nothing about are empty."""
    return Evaluation(
        name=labelled.name,
        reference=labelled.reference_name,
        members=labelled.members,
        n_systems=len(set(labelled.systems)),
        n_configurations=int(labelled.once.sum()),
        spread=spread,
        limit=limit,
        anomalies=anomaly_table(labelled, seed=seed),
        search=search_table(labelled, seed=seed),
        energies=energy_table(labelled, spread, limit, seed=seed),
        correlation=spread_error(labelled, spread, seed=seed),
        challenge=challenge_table(labelled, spread, limit),
    )


def anomaly_table(labelled: Labelled, *, seed: int = 0) -> list[AnomalyRow]:
    """Of what each method relaxed, the share that ended in each anomaly."""
    rows: list[AnomalyRow] = []
    if not any(labelled.anomalies) and not labelled.methods:
        return rows
    for index, method in enumerate(labelled.methods or ("all",)):
        mine = labelled.method == index
        names = np.array(labelled.anomalies, dtype=object)[mine]
        system = labelled.groups[mine]
        hits = {str(kind): np.array([kind in name for name in names], dtype=np.bool_) for kind in Anomaly}
        hits["any"] = np.array([bool(name) for name in names], dtype=np.bool_)
        rows.append(AnomalyRow(method, {kind: share(hit, system, seed=seed) for kind, hit in hits.items()}))
    return rows


def search_table(labelled: Labelled, *, seed: int = 0) -> list[SearchRow]:
    """By the ensemble's mean (the method's definition: E_ML < E_ref + 0.1 eV), and by the reference's own energy of what was found,
    which says what the search alone did. A system where nothing sound was found fails."""
    lowest = labelled.lowest_of()
    rows = []
    for index, method in enumerate(labelled.methods or ("all",)):
        here = labelled.sound & (labelled.method == index)
        energies_by = {"ensemble mean": labelled.summaries.mean} if labelled.members else {}
        energies_by["reference, of the same structures"] = labelled.reference
        for what, energies in energies_by.items():
            best = _best(labelled.systems, energies, here)
            hits = [
                best.get(system, np.inf) < energy + THRESHOLD
                for system, energy in lowest.items()
                if np.isfinite(energy)
            ]
            rows.append(SearchRow(method, what, share(np.array(hits, dtype=np.bool_), seed=seed)))
    return rows


def _best(systems: Sequence[str], energies: Floats, here: Mask) -> dict[str, float]:
    best: dict[str, float] = {}
    for index in np.flatnonzero(here & np.isfinite(energies)).tolist():
        best[systems[index]] = min(best.get(systems[index], np.inf), float(energies[index]))
    return best


def energy_table(labelled: Labelled, spread: Spread, limit: float, *, seed: int = 0) -> list[EnergyRow]:
    """Single members, the ensemble, and the ensemble's candidates that pass the limit, over sound configurations with a reference."""
    if not labelled.members:
        return []
    there = labelled.sound & labelled.once & np.isfinite(labelled.reference)
    summaries, system = labelled.summaries, labelled.groups
    full = there & (summaries.n == len(labelled.members))
    rows = [
        _energy_row(member, labelled.energies[:, column], full, full, labelled, system, seed)
        for column, member in enumerate(labelled.members)
    ]
    if len(labelled.members) > 1:
        with np.errstate(invalid="ignore"):
            passes = full & (labelled.spread(spread) <= limit)
        rows.append(_energy_row("ensemble", summaries.mean, full, full, labelled, system, seed))
        what = f"ensemble + filter ({spread} <= {limit:.2f} eV)"
        rows.append(_energy_row(what, summaries.mean, passes, full, labelled, system, seed))
    return rows


def _energy_row(
    what: str, energies: Floats, kept: Mask, whole: Mask, labelled: Labelled, system: Integers, seed: int
) -> EnergyRow:
    errors = np.abs(energies[kept] - labelled.reference[kept])
    return EnergyRow(
        what,
        share(errors < THRESHOLD, system[kept], seed=seed),
        share(kept[whole], system[whole], seed=seed),
        float(errors.mean()) if len(errors) else float("nan"),
    )


def spread_error(labelled: Labelled, spread: Spread, *, seed: int = 0) -> Correlation | None:
    """How well the spread foretells the error; None where there are too few pairs."""
    found = pairs(labelled, spread)
    return correlate(found.spreads, found.errors, found.systems, seed=seed)


def correlate(spreads: Floats, errors: Floats, system: Integers, *, seed: int = 0) -> Correlation | None:
    """Pearson's and Spearman's of spread and error, eV [n]; None for fewer than three pairs."""
    if len(spreads) < 3:
        return None

    def ranked(which: Integers) -> float:
        return correlation(_ranks(spreads[which]), _ranks(errors[which]))

    def plain(which: Integers) -> float:
        return correlation(spreads[which], errors[which])

    every = np.arange(len(spreads))
    return Correlation(
        plain(every),
        interval(plain, system, seed=seed),
        ranked(every),
        interval(ranked, system, seed=seed),
        len(spreads),
    )


def _ranks(values: Floats) -> Floats:
    """Ranks from 0, ties at their mean."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts + 1) / 2)[which])


def challenge_table(labelled: Labelled, spread: Spread, limit: float) -> dict[str, list[Verdict]]:
    """The challenge's metric for the ensemble's lowest sound candidate of each system, and the lowest that passes the limit (the
    lowest of all where none does). Where there are no members, of the structures alone, each at its reference energy."""
    summaries, lowest = labelled.summaries, labelled.lowest_of()
    with np.errstate(invalid="ignore"):
        trusted = labelled.sound & (labelled.spread(spread) <= limit)
    some = {labelled.systems[index] for index in np.flatnonzero(trusted).tolist()}
    fallback = np.array([system not in some for system in labelled.systems], dtype=np.bool_)
    dft = _by_system(labelled, labelled.reference, np.isfinite(labelled.reference))
    if not labelled.members:
        return {"structures alone": judge(_by_system(labelled, labelled.reference, labelled.sound), dft, lowest)}
    answer = {"ensemble": judge(_by_system(labelled, summaries.mean, labelled.sound), dft, lowest)}
    if len(labelled.members) > 1:
        kept = trusted | (labelled.sound & fallback)
        answer["ensemble + filter"] = judge(_by_system(labelled, summaries.mean, kept), dft, lowest)
    return answer


def _by_system(labelled: Labelled, energies: Floats, here: Mask) -> dict[str, dict[str, float]]:
    grouped: dict[str, dict[str, float]] = {}
    for index in np.flatnonzero(here).tolist():
        grouped.setdefault(labelled.systems[index], {})[labelled.candidates[index]] = float(energies[index])
    return grouped
