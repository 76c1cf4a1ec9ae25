"""What was found, in tables for people beside the published figures, and as one JSON object for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks import report
from benchmarks.challenge import tables
from benchmarks.challenge.effort import METHODS, Effort
from benchmarks.challenge.systems import by_kind
from benchmarks.challenge.tables import Found
from benchmarks.gains import Gain
from evaluation.report import PUBLISHED
from services.evaluation.shares import Share
from services.evaluation.tables import EnergyRow
from shared.soundness import Anomaly


def show(found: Found, effort: Effort) -> dict[str, Any]:
    """The three tables, the challenge's metric, and what each step gains."""
    by_anomaly, restraints = tables.anomalies(found)
    _show_anomalies(by_anomaly)
    by_method, search_gains = tables.searches(found)
    _show_searches(by_method)
    by_energy, energy_gains = tables.energies(found)
    _show_energies(by_energy["rows"])
    metric = tables.challenge(found)
    _show_challenge(metric)
    gains = [restraints, *search_gains, *energy_gains]
    _show_gains(gains)
    correlation = by_energy["correlation"]
    return {
        "anomalies": {method: _told(row) for method, row in by_anomaly.items()},
        "search": {method: _told(row) for method, row in by_method.items()},
        "energies": {what: _energy(row) for what, row in by_energy["rows"].items()},
        "correlation": None if correlation is None else asdict(correlation),
        "challenge": {method: _told(row) for method, row in metric.items()},
        "systems": _systems(found),
        "gains": [vars(gain) | {"verdict": gain.verdict} for gain in gains],
        "effort": asdict(effort),
        "searchers": sorted({unit.by for unit in found.units}),
        "cpu_seconds": round(sum(unit.seconds for unit in found.units)),
    }


def _systems(found: Found) -> dict[str, Any]:
    names = set(found.lowest)
    return {
        "count": len(names),
        "by_kind": {kind: sum(str(case) in names for case in cases) for kind, cases in by_kind().items()},
        "left_out": list(found.left_out),
        "candidates": sum(len(unit.start) for unit in found.units),
        "lowest": {name: round(energy, 3) for name, energy in sorted(found.lowest.items())},
    }


def _told(row: dict[str, Share]) -> dict[str, Any]:
    return {name: _share(one) for name, one in row.items()}


def _share(one: Share) -> dict[str, Any]:
    return {
        "share": round(one.value, 4),
        "hits": one.hits,
        "count": one.count,
        "interval": [round(one.low, 3), round(one.high, 3)],
    }


def _energy(row: EnergyRow) -> dict[str, Any]:
    return _share(row.share) | {"kept": round(row.kept.value, 4), "mean_error": round(row.mean_error, 4)}


def _show_anomalies(table: dict[str, dict[str, Share]]) -> None:
    kinds = [*Anomaly, "any"]
    rows = [[method, *(str(row[kind]) for kind in kinds)] for method, row in table.items()]
    for name, published in PUBLISHED["anomalies"].items():
        rows.append([f"published, {name}", *(f"{published[kind]} %" if kind in published else "" for kind in kinds)])
    report.show("1. Anomalies, of all relaxations", ["method", *kinds], rows)


def _show_searches(table: dict[str, dict[str, Share]]) -> None:
    views = list(table[METHODS[0]])
    rows = [
        [name, *(str(row[view]) for view in views), f"{PUBLISHED['search'][name]} %"] for name, row in table.items()
    ]
    report.show("2. Search: within 0.1 eV of the lowest known", ["method", *views, "published"], rows)


def _show_energies(rows: dict[str, EnergyRow]) -> None:
    report.show(
        "3. Energies within 0.1 eV of the teacher's (published: 75.1, 77.5, 92.4 %)",
        ["energies by", "within", "kept", "mean error, eV"],
        [
            [what, str(row.share), f"{100 * row.kept.value:.0f} %", f"{row.mean_error:.3f}"]
            for what, row in rows.items()
        ],
    )


def _show_challenge(table: dict[str, dict[str, Share]]) -> None:
    by = list(table[METHODS[0]])
    report.show(
        "The challenge's metric: systems whose predicted minimum is right and low",
        ["method", *by],
        [[method, *(str(row[one]) for one in by)] for method, row in table.items()],
    )


def _show_gains(gains: Sequence[Gain]) -> None:
    report.show(
        "Does it help? Percent, and 95 % interval over systems", ["", "gain"], [[one.what, str(one)] for one in gains]
    )
