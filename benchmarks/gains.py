"""What each step of the method gains on a set of searched systems: shares, and paired differences with intervals over systems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.reproduction import MEMBERS, METHODS, Found
from services.evaluation.calibration import FEWEST, Target, calibrate
from services.evaluation.challenge import THRESHOLD
from services.evaluation.labelled import Labelled, Pairs, pairs
from services.evaluation.shares import Share, interval, share
from services.scoring.ensemble import summarise
from shared.parameters import Spread
from shared.soundness import Anomaly
from shared.structures import Integers, Mask

LIMIT = 0.3
HOPPING = 2
ERRORS = (0.1, 0.3, 0.5, 1.0)
"""Targets of the calibration, eV: within 0.1 eV may be out of reach of members that were never trained on adsorbates."""


@dataclass(frozen=True)
class Gain:
    """A difference of two shares over the same systems, percent."""

    what: str
    difference: float
    low: float
    """Of its 95 % interval."""
    high: float
    """Of its 95 % interval."""

    @property
    def verdict(self) -> str:
        if np.isnan(self.low):
            return "not told"
        return "helps" if self.low > 0 else "harms" if self.high < 0 else "not shown"

    def __str__(self) -> str:
        return f"{self.difference:+.1f} ({self.low:+.1f} to {self.high:+.1f}): {self.verdict}"


def labelled(found: dict[str, list[Found]], held_out: str) -> Labelled:
    """What the other members found and say, with the held-out one as the reference. Its own searches count for the lowest energy."""
    members = tuple(member for member in MEMBERS if member != held_out)
    rows: list[tuple[str, str, Found, int]] = []
    lowest: dict[str, float] = {}
    for system, ones in found.items():
        for index, one in enumerate(ones):
            if one.sound and held_out in one.adsorption:
                lowest[system] = min(lowest.get(system, np.inf), one.adsorption[held_out])
            if one.member != held_out:
                rows += [(system, str(index), one, method) for method in methods_of(one)]
    return Labelled(
        name=f"{len(found)} systems",
        reference_name=f"stand-in: {held_out}, a potential and not DFT",
        systems=[row[0] for row in rows],
        candidates=[row[1] for row in rows],
        members=members,
        energies=np.array([[row[2].adsorption.get(member, np.nan) for member in members] for row in rows]),
        reference=np.array([row[2].adsorption.get(held_out, np.nan) for row in rows]),
        methods=METHODS,
        method=np.array([row[3] for row in rows]),
        sound=np.array([row[2].sound for row in rows]),
        anomalies=[", ".join(row[2].anomalies) for row in rows],
        lowest=lowest,
    )


def methods_of(one: Found) -> tuple[int, ...]:
    """A restrained relaxation is where hopping starts from: it belongs to both."""
    return (one.method, HOPPING) if one.method == 1 else (one.method,)


def anomalies(found: dict[str, list[Found]]) -> tuple[dict[str, dict[str, Share]], list[Gain]]:
    """Shares of all members' relaxations by method, and what restraints change of `any`."""
    flat = [(system, one, method) for system, ones in found.items() for one in ones for method in methods_of(one)]
    names = {system: number for number, system in enumerate(found)}
    system = np.array([names[row[0]] for row in flat])
    method = np.array([row[2] for row in flat])
    table = {}
    any_of = np.array([bool(row[1].anomalies) for row in flat])
    for index, name in enumerate(METHODS):
        mine = method == index
        hits = {kind: np.array([kind in row[1].anomalies for row in flat]) for kind in Anomaly} | {"any": any_of}
        table[name] = {kind: share(hit[mine], system[mine]) for kind, hit in hits.items()}
    return table, [fewer("fewer anomalies by restraints", any_of, method == 0, method == 1, system)]


def searches(found: dict[str, list[Found]]) -> tuple[dict[str, dict[str, Share]], list[Gain]]:
    """Success by method, over (system, search member): by the method's definition and by the reference's energy of what was found,
    each over both held-out references; and by the member's own energies alone, which is the search without the members' errors."""
    hits: dict[str, dict[str, list[tuple[int, bool]]]] = {name: {} for name in METHODS}
    for number, ones in enumerate(found.values()):
        for member in MEMBERS:
            mine = [one for one in ones if one.member == member]
            for index, name in enumerate(METHODS):
                here = [one for one in mine if index in methods_of(one) and one.sound]
                for view, hit in _hits(ones, mine, here, member):
                    hits[name].setdefault(view, []).append((number, hit))
    table = {
        name: {
            view: share(np.array([hit for _, hit in pairs]), np.array([n for n, _ in pairs]))
            for view, pairs in views.items()
        }
        for name, views in hits.items()
    }
    gains = []
    for view in table[METHODS[0]]:
        first, second, third = (np.array([hit for _, hit in hits[name][view]]) for name in METHODS)
        system = np.array([n for n, _ in hits[METHODS[0]][view]])
        gains += [
            paired(f"restraints, {view}", first, second, system),
            paired(f"hopping, {view}", second, third, system),
        ]
    return table, gains


def _hits(ones: list[Found], mine: list[Found], here: list[Found], member: str) -> list[tuple[str, bool]]:
    """Whether what one method of one member has reaches the lowest, by each view."""
    sound = [one for one in ones if one.sound]
    answer = []
    for reference in MEMBERS:
        if reference == member or not any(reference in one.adsorption for one in sound):
            continue
        lowest = min(one.adsorption[reference] for one in sound if reference in one.adsorption)
        own = min((one.adsorption[member] for one in here if member in one.adsorption), default=np.inf)
        theirs = min((one.adsorption[reference] for one in here if reference in one.adsorption), default=np.inf)
        answer += [
            ("E_ML < E_ref + 0.1", own < lowest + THRESHOLD),
            ("reference's energy", theirs < lowest + THRESHOLD),
        ]
    answer += [("each placement alone", hit) for hit in _alone(mine, here)]
    known = [one.energy for one in mine if one.sound]
    if known:
        best = min((one.energy for one in here), default=np.inf)
        answer += [("own energy", best < min(known) + THRESHOLD), ("own energy, 0.02 eV", best < min(known) + 0.02)]
    return answer


def _alone(mine: list[Found], here: list[Found]) -> list[bool]:
    """Of each placement alone, whether the first relaxation reaches the lowest that the member knows of + 0.1 eV."""
    known = [one.energy for one in mine if one.sound]
    starts = sorted({one.start for one in mine if one.method == 0})
    first = {one.start: one.energy for one in reversed(here)}
    return [first.get(start, np.inf) < min(known, default=-np.inf) + THRESHOLD for start in starts]


def between_systems(sets: Sequence[Labelled]) -> dict[str, float]:
    """How much of the variance of the mean's signed error lies between systems: the rest is what tells candidates apart."""
    answer = {}
    for one in sets:
        there = one.sound & one.once & np.isfinite(one.reference) & np.isfinite(one.energies).all(axis=1)
        error, group = (summarise(one.energies).mean - one.reference)[there], one.groups[there]
        means = np.array([error[group == number].mean() for number in group])
        answer[one.reference_name] = float(means.var() / error.var())
    return answer


def energies(sets: Sequence[Labelled]) -> tuple[dict[str, tuple[Share, Share]], list[Gain]]:
    """Within 0.1 eV of each reference: single members, the mean of two, and those of it that pass; with the share kept."""
    errors, spreads, single, system = [], [], [], []
    for one in sets:
        there = one.sound & one.once & np.isfinite(one.reference) & np.isfinite(one.energies).all(axis=1)
        summaries = summarise(one.energies[there])
        errors.append(np.abs(summaries.mean - one.reference[there]))
        spreads.append(summaries.std)
        single.append(np.abs(one.energies[there] - one.reference[there][:, None]))
        system.append(one.groups[there])
    error, spread, alone = (np.concatenate(parts) for parts in (errors, spreads, single))
    group: Integers = np.concatenate(system)
    passes = spread <= LIMIT
    each, twice = alone.ravel(), np.repeat(group, alone.shape[1])
    rows = {
        "single members": (share(each < THRESHOLD, twice), share(np.ones(len(group), dtype=bool), group)),
        "ensemble": (share(error < THRESHOLD, group), share(np.ones(len(group), dtype=bool), group)),
        f"ensemble + filter (std <= {LIMIT})": (share(error[passes] < THRESHOLD, group[passes]), share(passes, group)),
    }
    good = error < THRESHOLD
    gains = [
        statistic_gain("ensemble", lambda which: float(good[which].mean() - (alone[which] < THRESHOLD).mean()), group),
        statistic_gain(
            "filter",
            lambda which: (
                float(good[which][passes[which]].mean() - good[which].mean()) if passes[which].any() else np.nan
            ),
            group,
        ),
    ]
    return rows, gains


def fewer(what: str, hits: Mask, before: Mask, after: Mask, system: Integers) -> Gain:
    """By how much the share of hits falls from one part of the rows to another."""

    def fall(which: Integers) -> float:
        return float(hits[which][before[which]].mean() - hits[which][after[which]].mean())

    return statistic_gain(what, fall, system)


def paired(what: str, before: Mask, after: Mask, system: Integers) -> Gain:
    """By how much the share of hits grows from one to the other of the same rows [n]."""
    return statistic_gain(what, lambda which: float(after[which].mean() - before[which].mean()), system)


def statistic_gain(what: str, statistic: Any, system: Integers) -> Gain:
    """Any difference of two shares. statistic: of the indices drawn."""
    low, high = interval(statistic, system, draws=1000)
    return Gain(what, 100 * statistic(np.arange(len(system))), 100 * low, 100 * high)


def calibrations(sets: Sequence[Labelled]) -> list[dict[str, Any]]:
    """What limits can be learned from each set, and whether the promise holds on held-out systems. The last one pools the three: no
    limit for use, but more (system, reference) pairs to check the promise on."""
    found = []
    parts = [pairs(one, Spread.STD) for one in sets]
    pooled = Pairs(
        np.concatenate([part.spreads for part in parts]),
        np.concatenate([part.errors for part in parts]),
        np.concatenate([part.systems + 1000 * index for index, part in enumerate(parts)]),
    )
    names = [one.reference_name for one in sets]
    for name, part in zip([*names, "all three, pooled"], [*parts, pooled], strict=True):
        for target in ERRORS if len(part.spreads) >= FEWEST else ():
            made = calibrate(part.spreads, part.errors, part.systems, Target(error=target))
            found.append(
                {
                    "reference": name,
                    "error": target,
                    "within": float((part.errors <= target).mean()),
                    "limit": made.limit,
                    "kept": made.kept.value,
                    "held_out": {key: value for key, value in vars(made.held_out).items() if value == value},
                }
            )
    return found
