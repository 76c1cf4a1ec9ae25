"""The method's three tables on real systems with the offline members, beside the published ones.

Each member in turn is held out and stands in for DFT; the other two search and score. The reference is then a potential: the
tables say how far restraints, hopping, ensemble and filter help members to agree with another one, not with nature. Results are kept
(--store), and a run that was interrupted goes on.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.gains import anomalies, between_systems, calibrations, energies, labelled, methods_of, searches
from benchmarks.reproduction import CASES, MEMBERS, METHODS, QUICK, Effort, Found, Store, collect
from evaluation.report import PUBLISHED
from services.evaluation.challenge import success
from services.evaluation.labelled import Labelled, pairs
from services.evaluation.shares import Share
from services.evaluation.tables import correlate, evaluate
from shared.parameters import Spread
from shared.soundness import Anomaly
from shared.structures import Floats


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
    kinds = [*Anomaly, "any"]
    rows = [[method, *(str(row[kind]) for kind in kinds)] for method, row in table.items()]
    for name, published in PUBLISHED["anomalies"].items():
        rows.append([f"published, {name}", *(f"{published[kind]} %" if kind in published else "" for kind in kinds)])
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
        max((one.calls for one in ones if one.member == member and method in methods_of(one)), default=0)
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
        found = pairs(one, Spread.STD)
        made = correlate(found.spreads, found.errors, found.systems)
        if made is not None:
            answer[one.reference_name] = vars(made)
            rows.append(
                [
                    one.reference_name,
                    f"{made.pearson:.2f} ({made.pearson_interval.low:.2f} to {made.pearson_interval.high:.2f})",
                    f"{made.spearman:.2f} ({made.spearman_interval.low:.2f} to {made.spearman_interval.high:.2f})",
                    made.count,
                    _quarters(found.spreads, found.errors),
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
