"""The three tables and the challenge's metric of what was found, by the product's own evaluation (services/evaluation).

A system of which the teacher knows no sound minimum is left out: nothing can be missed there. A search that chose nothing fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from benchmarks.challenge.effort import METHODS, WHOLE, Known, Unit
from benchmarks.gains import Gain, fewer, paired, statistic_gain
from services.evaluation.challenge import THRESHOLD, success
from services.evaluation.labelled import Labelled
from services.evaluation.shares import Share, groups, share
from services.evaluation.tables import Evaluation, anomaly_table, challenge_table, energy_table, evaluate, spread_error
from shared.parameters import Spread
from shared.soundness import is_sound
from shared.structures import Floats, Integers

LIMIT = 0.3
"""eV: the product's default filter."""
VIEWS = ("relaxed by the teacher", "teacher's energy as it is", "by the students' mean", "by its own energy")
NEAR = 0.02
"""eV: the searcher's own minimum is the same one."""


@dataclass(frozen=True)
class Found:
    """All that was found, of the systems that count."""

    units: list[Unit]
    lowest: dict[str, float]
    """By system: the lowest energy that the teacher says of anything sound, eV."""
    left_out: tuple[str, ...]
    """Systems without one."""

    @classmethod
    def of(cls, units: Sequence[Unit], known: Mapping[str, Known]) -> Found:
        lowest: dict[str, float] = {}
        for unit in units:
            told = known.get(unit.system)
            every = [*_sound(unit), *unit.relaxed.values(), None if told is None else told.lowest]
            there = [energy for energy in every if energy is not None]
            if there:
                lowest[unit.system] = min(lowest.get(unit.system, np.inf), *there)
        names = dict.fromkeys(unit.system for unit in units)
        return cls(
            [unit for unit in units if unit.system in lowest],
            lowest,
            tuple(name for name in names if name not in lowest),
        )

    @cached_property
    def labelled(self) -> Labelled:
        """Each candidate once for each method that has it; the reference is the teacher's single point."""
        rows = [
            (unit, index, method)
            for unit in self.units
            for index, methods in enumerate(unit.methods)
            for method in methods
        ]
        members = tuple(self.units[0].energies)
        energies = [[unit.energies[name][index] for name in members] for unit, index, _ in rows]
        return Labelled(
            name=f"{len(self.lowest)} systems",
            reference_name="the teacher, a potential and not DFT",
            systems=[unit.system for unit, _, _ in rows],
            candidates=[f"{unit.by} {index}" for unit, index, _ in rows],
            members=members,
            energies=np.array(energies, dtype=np.float64),
            reference=np.array([unit.teacher[index] for unit, index, _ in rows], dtype=np.float64),
            methods=METHODS,
            method=np.array([method for _, _, method in rows]),
            sound=np.array([is_sound(unit.converged[index], unit.anomalies[index]) for unit, index, _ in rows]),
            anomalies=[unit.anomalies[index] for unit, index, _ in rows],
            lowest=self.lowest,
        )

    @cached_property
    def systems(self) -> Integers:
        """The number of each unit's system."""
        return groups([unit.system for unit in self.units])


def _sound(unit: Unit) -> list[float | None]:
    sound = [is_sound(*one) for one in zip(unit.converged, unit.anomalies, strict=True)]
    return [energy for energy, good in zip(unit.teacher, sound, strict=True) if good]


def anomalies(found: Found) -> tuple[dict[str, dict[str, Share]], Gain]:
    """Of all that each method relaxed."""
    one = found.labelled
    hit = np.array([bool(names) for names in one.anomalies])
    gain = fewer("fewer anomalies by restraints", hit, one.method == 0, one.method == 1, one.groups)
    return {row.method: row.shares for row in anomaly_table(one)}, gain


def searches(found: Found) -> tuple[dict[str, dict[str, Share]], list[Gain]]:
    """Of (system, searcher): whether what each method has comes within 0.1 eV of the lowest that the teacher knows, by view. The
    chosen one relaxed, and as it is; the students' mean for it, as the method's authors counted; and, which knows nothing of the
    teacher, the searcher's own energy against the lowest that it found by any method."""
    hits = {
        view: np.array([[_reached(unit, method, view, found.lowest) for unit in found.units] for method in range(3)])
        for view in (*VIEWS, f"{VIEWS[3]}, {NEAR} eV")
    }
    table = {
        name: {view: share(hit[method], found.systems) for view, hit in hits.items()}
        for method, name in enumerate(METHODS)
    }
    gains = [
        paired(f"{what}, {view}", hit[before], hit[after], found.systems)
        for view, hit in hits.items()
        for what, before, after in (("restraints", 0, 1), ("hopping", 1, 2), ("restraints and hopping", 0, 2))
    ]
    return table, gains


def _reached(unit: Unit, method: int, view: str, lowest: Mapping[str, float]) -> bool:
    if view.startswith(VIEWS[3]):
        own = unit.energies[unit.by]
        good = [is_sound(*one) for one in zip(unit.converged, unit.anomalies, strict=True)]
        every = [energy for energy, sound in zip(own, good, strict=True) if sound and energy is not None]
        mine = [
            energy
            for energy, sound, methods in zip(own, good, unit.methods, strict=True)
            if sound and energy is not None and method in methods
        ]
        return bool(mine) and min(mine) < min(every) + (NEAR if str(NEAR) in view else THRESHOLD)
    ranks = unit.chosen[method][:1]
    if not ranks:
        return False
    energy = {
        VIEWS[0]: unit.relaxed.get(str(ranks[0])),
        VIEWS[1]: unit.teacher[ranks[0]],
        VIEWS[2]: _mean(unit, ranks[0]),
    }[view]
    return energy is not None and energy < lowest[unit.system] + THRESHOLD


def _mean(unit: Unit, index: int) -> float:
    return float(np.nanmean(np.array([values[index] for values in unit.energies.values()], dtype=np.float64)))


def energies(found: Found) -> tuple[dict[str, Any], list[Gain]]:
    """Of all sound candidates: single students, their mean, and what filters leave of it: the product's limit, and the half that
    agrees best by either spread. With how the std goes with the error."""
    one = found.labelled
    rows = {row.what: row for row in energy_table(one, Spread.STD, LIMIT)}
    for spread in (Spread.STD, Spread.RELATIVE):
        here = one.sound & one.once & np.isfinite(one.reference)
        half = float(np.nanmedian(one.spread(spread)[here]))
        rows[f"ensemble, half by {spread}"] = energy_table(one, spread, half)[-1]
    return {"rows": rows, "correlation": spread_error(one, Spread.STD)}, _energy_gains(one)


def _energy_gains(one: Labelled) -> list[Gain]:
    summaries = one.summaries
    there = one.sound & one.once & np.isfinite(one.reference) & (summaries.n == len(one.members))
    error = np.abs(summaries.mean - one.reference)[there]
    single = np.abs(one.energies - one.reference[:, None])[there] < THRESHOLD
    good, system = error < THRESHOLD, one.groups[there]

    def kept(passes: Floats, which: Integers) -> float:
        mine = passes[which]
        return float(good[which][mine].mean() - good[which].mean()) if mine.any() else np.nan

    std = summaries.std[there]
    return [
        statistic_gain("ensemble, over the mean student", lambda w: float(good[w].mean() - single[w].mean()), system),
        statistic_gain("ensemble, over the first", lambda w: float(good[w].mean() - single[w, 0].mean()), system),
        statistic_gain(f"filter, std <= {LIMIT}", lambda w: kept(std <= LIMIT, w), system),
        statistic_gain("filter, half by std", lambda w: kept(std <= np.median(std), w), system),
    ]


def challenge(found: Found) -> dict[str, dict[str, Share]]:
    """The challenge's metric, by method and by whose energies."""
    whole, table = found.labelled, {}
    for method, name in enumerate(METHODS):
        mine = _of_method(whole, method)
        first = replace(mine, members=mine.members[:1], energies=mine.energies[:, :1])
        rows = {mine.members[0]: challenge_table(first, Spread.STD, LIMIT)["ensemble"]}
        rows |= challenge_table(mine, Spread.STD, LIMIT)
        table[name] = {by: success(verdicts) for by, verdicts in rows.items()}
    return table


def _of_method(one: Labelled, method: int) -> Labelled:
    rows = np.flatnonzero(one.method == method)
    return replace(
        one,
        systems=[one.systems[row] for row in rows],
        candidates=[one.candidates[row] for row in rows],
        energies=one.energies[rows],
        reference=one.reference[rows],
        method=one.method[rows],
        sound=one.sound[rows],
        anomalies=[one.anomalies[row] for row in rows],
    )


def whole(found: Found) -> Evaluation:
    """What `adhop-evaluate` would say of the whole method's candidates."""
    return evaluate(_of_method(found.labelled, WHOLE))
