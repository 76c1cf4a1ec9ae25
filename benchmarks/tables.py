"""The method's three tables on real systems with the offline members, beside the published ones.

Each member in turn is held out and stands in for DFT; the other two search and score. The reference is then a potential: the
tables say how far restraints, hopping, ensemble and filter help members to agree with another one, not with nature. Results are kept
(--store), and a run that was interrupted goes on.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.reproduction import CASES, MEMBERS, METHODS, QUICK, Effort, Found, Store, collect
from evaluation.report import PUBLISHED
from services.calibration import FEWEST, Target, calibrate
from services.challenge import THRESHOLD, success
from services.ensemble import summarise
from services.evaluation import KINDS, Labelled, correlate, evaluate, pairs
from services.shares import Share, interval, share
from shared.parameters import Spread
from shared.structures import Floats, Integers, Mask

LIMIT = 0.3
HOPPING = 2
ERRORS = (0.1, 0.3, 0.5, 1.0)
"""Targets of the calibration, eV: within 0.1 eV may be out of reach of members that were never trained on adsorbates."""


@dataclass(frozen=True)
class Gain:
    """A difference of two shares over the same systems, and its 95 % interval; percent."""

    what: str
    difference: float
    low: float
    high: float

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
            if one.converged and not one.anomalies and held_out in one.adsorption:
                lowest[system] = min(lowest.get(system, np.inf), one.adsorption[held_out])
            if one.member != held_out:
                rows += [(system, str(index), one, method) for method in _methods(one)]
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
        sound=np.array([row[2].converged and not row[2].anomalies for row in rows]),
        anomalies=[", ".join(row[2].anomalies) for row in rows],
        lowest=lowest,
    )


def _methods(one: Found) -> tuple[int, ...]:
    """A restrained relaxation is where hopping starts from: it belongs to both."""
    return (one.method, HOPPING) if one.method == 1 else (one.method,)


def anomalies(found: dict[str, list[Found]]) -> tuple[dict[str, dict[str, Share]], list[Gain]]:
    """Shares of all members' relaxations by method, and what restraints change of `any`."""
    flat = [(system, one, method) for system, ones in found.items() for one in ones for method in _methods(one)]
    names = {system: number for number, system in enumerate(found)}
    system = np.array([names[row[0]] for row in flat])
    method = np.array([row[2] for row in flat])
    table = {}
    any_of = np.array([bool(row[1].anomalies) for row in flat])
    for index, name in enumerate(METHODS):
        mine = method == index
        hits = {kind: np.array([kind in row[1].anomalies for row in flat]) for kind in KINDS} | {"any": any_of}
        table[name] = {kind: share(hit[mine], system[mine]) for kind, hit in hits.items()}
    return table, [_gain("fewer anomalies by restraints", any_of, method == 0, method == 1, system)]


def searches(found: dict[str, list[Found]]) -> tuple[dict[str, dict[str, Share]], list[Gain]]:
    """Success by method, over (system, search member): by the method's definition and by the reference's energy of what was found,
    each over both held-out references; and by the member's own energies alone, which is the search without the members' errors."""
    hits: dict[str, dict[str, list[tuple[int, bool]]]] = {name: {} for name in METHODS}
    for number, ones in enumerate(found.values()):
        for member in MEMBERS:
            mine = [one for one in ones if one.member == member]
            for index, name in enumerate(METHODS):
                here = [one for one in mine if index in _methods(one) and one.converged and not one.anomalies]
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
            _paired(f"restraints, {view}", first, second, system),
            _paired(f"hopping, {view}", second, third, system),
        ]
    return table, gains


def _hits(ones: list[Found], mine: list[Found], here: list[Found], member: str) -> list[tuple[str, bool]]:
    """Whether what one method of one member has reaches the lowest, by each view."""
    sound = [one for one in ones if one.converged and not one.anomalies]
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
    known = [one.energy for one in mine if one.converged and not one.anomalies]
    if known:
        best = min((one.energy for one in here), default=np.inf)
        answer += [("own energy", best < min(known) + THRESHOLD), ("own energy, 0.02 eV", best < min(known) + 0.02)]
    return answer


def _alone(mine: list[Found], here: list[Found]) -> list[bool]:
    """Of each placement alone, whether the first relaxation reaches the lowest that the member knows of + 0.1 eV."""
    known = [one.energy for one in mine if one.converged and not one.anomalies]
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
        _statistic("ensemble", lambda which: float(good[which].mean() - (alone[which] < THRESHOLD).mean()), group),
        _statistic(
            "filter",
            lambda which: (
                float(good[which][passes[which]].mean() - good[which].mean()) if passes[which].any() else np.nan
            ),
            group,
        ),
    ]
    return rows, gains


def _gain(what: str, hits: Mask, before: Mask, after: Mask, system: Integers) -> Gain:
    """By how much the share of hits falls from one part of the rows to another."""

    def fall(which: Integers) -> float:
        return float(hits[which][before[which]].mean() - hits[which][after[which]].mean())

    return _statistic(what, fall, system)


def _paired(what: str, before: Mask, after: Mask, system: Integers) -> Gain:
    return _statistic(what, lambda which: float(after[which].mean() - before[which].mean()), system)


def _statistic(what: str, statistic: Any, system: Integers) -> Gain:
    low, high = interval(statistic, system, draws=1000)
    return Gain(what, 100 * statistic(np.arange(len(system))), 100 * low, 100 * high)


def calibrations(sets: Sequence[Labelled]) -> list[dict[str, Any]]:
    """What limits can be learned from each set, and whether the promise holds on held-out systems. The last one pools the three: no
    limit for use, but more (system, reference) pairs to check the promise on."""
    found = []
    parts = [(one.reference_name, *pairs(one, Spread.STD)) for one in sets]
    pooled = [np.concatenate(columns) for columns in zip(*[part[1:3] for part in parts], strict=True)]
    apart = np.concatenate([part[3] + 1000 * index for index, part in enumerate(parts)])
    for name, spreads, errors, systems in [*parts, ("all three, pooled", *pooled, apart)]:
        for target in ERRORS if len(spreads) >= FEWEST else ():
            made = calibrate(spreads, errors, systems, Target(error=target))
            found.append(
                {
                    "reference": name,
                    "error": target,
                    "within": float((errors <= target).mean()),
                    "limit": made.limit,
                    "kept": made.kept.value,
                    "held_out": {key: value for key, value in vars(made.held_out).items() if value == value},
                }
            )
    return found


def main() -> None:
    """Entry point."""
    arguments = _arguments()
    effort = QUICK if arguments.quick else Effort(cases=CASES[: arguments.systems])
    store = Store(
        arguments.store or Path(".adhop") / ("tables-quick.json" if arguments.quick else "tables.json"), effort
    )
    found = collect(store)
    sets = [labelled(found, member) for member in MEMBERS]
    report.finish(_show(found, sets))


def _show(found: dict[str, list[Found]], sets: list[Labelled]) -> dict[str, Any]:
    table, gains = anomalies(found)
    _show_anomalies(table)
    by_method, more = searches(found)
    _show_searches(by_method, found)
    by_energy, still_more = energies(sets)
    _show_energies(by_energy)
    gains += more + still_more
    report.show(
        "Does it help here? Percent, and 95 % interval over systems", ["", "gain"], [[g.what, str(g)] for g in gains]
    )
    correlations = _correlations(sets)
    learned = calibrations(sets)
    _show_calibrations(learned)
    between = between_systems(sets)
    report.show(
        "Share of the error's variance between systems",
        ["reference", "share"],
        [[k, f"{v:.2f}"] for k, v in between.items()],
    )
    challenge = {one.reference_name: {what: success(v) for what, v in evaluate(one).challenge.items()} for one in sets}
    report.show(
        "The challenge's metric, ensemble of two",
        ["reference", "ensemble", "ensemble + filter"],
        [[name, *(str(value) for value in row.values())] for name, row in challenge.items()],
    )
    return {
        "systems": len(found),
        "candidates": sum(len(ones) for ones in found.values()),
        "anomalies": {m: {kind: vars(s) | {"share": s.value} for kind, s in row.items()} for m, row in table.items()},
        "search": {m: {view: vars(s) | {"share": s.value} for view, s in row.items()} for m, row in by_method.items()},
        "energies": {w: {"within": vars(a) | {"share": a.value}, "kept": b.value} for w, (a, b) in by_energy.items()},
        "gains": [vars(gain) | {"verdict": gain.verdict} for gain in gains],
        "correlation": correlations,
        "variance_between_systems": between,
        "calibration": learned,
        "challenge": {
            name: {w: vars(s) | {"share": s.value} for w, s in row.items()} for name, row in challenge.items()
        },
    }


def _show_anomalies(table: dict[str, dict[str, Share]]) -> None:
    kinds = [*KINDS, "any"]
    rows = [[method, *(str(row[kind]) for kind in kinds)] for method, row in table.items()]
    for name, published in PUBLISHED["anomalies"].items():
        rows.append([f"published, {name}", *(f"{published[kind]} %" for kind in kinds)])
    report.show("1. Anomalies, of all relaxations", ["method", *kinds], rows)


def _show_searches(table: dict[str, dict[str, Share]], found: dict[str, list[Found]]) -> None:
    views = list(table[METHODS[0]])
    rows = [
        [method, *(str(row[view]) for view in views), f"{PUBLISHED['search'][method]} %", f"{_calls(found, index):.0f}"]
        for index, (method, row) in enumerate(table.items())
    ]
    report.show("2. Search, of (system, search member)", ["method", *views, "published", "force calls"], rows)


def _calls(found: dict[str, list[Found]], method: int) -> float:
    """Mean force calls of a search by one member."""
    spent = [
        max((one.calls for one in ones if one.member == member and method in _methods(one)), default=0)
        for ones in found.values()
        for member in MEMBERS
    ]
    return float(np.mean(spent))


def _show_energies(table: dict[str, tuple[Share, Share]]) -> None:
    published = list(PUBLISHED["energies"].values())
    rows = [[what, str(a), str(b), f"{published[index]} %"] for index, (what, (a, b)) in enumerate(table.items())]
    report.show(
        "3. Energies within 0.1 eV, over the three references", ["energies by", "within", "kept", "published"], rows
    )


def _correlations(sets: Sequence[Labelled]) -> dict[str, Any]:
    answer: dict[str, Any] = {}
    rows = []
    for one in sets:
        spreads, errors, systems = pairs(one, Spread.STD)
        made = correlate(spreads, errors, systems)
        if made is not None:
            answer[one.reference_name] = vars(made)
            rows.append(
                [
                    one.reference_name,
                    f"{made.pearson:.2f} ({made.pearson_interval[0]:.2f} to {made.pearson_interval[1]:.2f})",
                    f"{made.spearman:.2f} ({made.spearman_interval[0]:.2f} to {made.spearman_interval[1]:.2f})",
                    made.count,
                    _quarters(spreads, errors),
                ]
            )
    headings = [
        "reference",
        "Pearson (published: 0.6)",
        "Spearman",
        "pairs",
        "mean error by quarter of rising spread, eV",
    ]
    report.show("Spread and error", headings, rows)
    return answer


def _quarters(spreads: Floats, errors: Floats) -> str:
    return ", ".join(f"{errors[part].mean():.2f}" for part in np.array_split(np.argsort(spreads), 4))


def _show_calibrations(learned: list[dict[str, Any]]) -> None:
    report.show(
        "Limits for 90 % within an error",
        [
            "reference",
            "error (eV)",
            "within, unfiltered",
            "limit (eV)",
            "kept",
            "held-out halves: reached | within chance | learned",
        ],
        [
            [
                one["reference"],
                one["error"],
                f"{100 * one['within']:.0f} %",
                "none" if one["limit"] is None else f"{one['limit']:.3f}",
                f"{100 * one['kept']:.0f} %",
                " | ".join(str(one["held_out"][key]) for key in ("reached", "kept", "learned")),
            ]
            for one in learned
        ],
    )


def _arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three systems, few hops")
    parser.add_argument("--systems", type=int, default=len(CASES), help="the first so many")
    parser.add_argument("--store", type=Path, help="file of intermediate results (.adhop/tables.json)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
