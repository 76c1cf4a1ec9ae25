"""How many force calls a new minimum costs, and how often the global one is found: ours against ASE's minima hopping.

python -m benchmarks.search_efficiency [--quick] [--processes N] [--seeds N] [--members emt chgnet-0.3.0]

Methods, on the same starts, seeds and total force calls: BFGS from placements (`bfgs`), the same with restraints (`restrained`), the
whole search (`adhop`), ASE's MinimaHopping with Hookean from the first four starts (`ase`). The cost ratio is paired: the calls that
`adhop` needs to find as many distinct minima as ASE found in all, over the calls ASE needed for them. Then the whole search with each
lever off, and surfaces that an escape can rebuild.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from multiprocessing import get_context
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.search_runs import BUDGET, LEVERS, LOOSE_METHODS, METHODS, Result, Task, run
from benchmarks.systems import CHGNET_CASES, EMT_CASES, LEVER_CASES, LOOSE_CASES, STRETCHED_CASES, Case
from shared.soundness import Anomaly

SHARES = (0.25, 0.5, 1.0)
TOLERANCES = (0.1, 0.02)
MEMBERS = ("emt", "chgnet-0.3.0")
KINDS = (*Anomaly, "any")


def paired_ratio(ours: Result, theirs: Result) -> float | None:
    """Calls of ours over calls of theirs for as many distinct minima as theirs found; None where theirs found none. Where ours never
    has as many, its whole budget counts, scaled up to that number."""
    n = len(theirs.minima)
    if not n:
        return None
    if len(ours.minima) >= n:
        return ours.minima[n - 1][0] / theirs.minima[-1][0]
    return ours.calls / max(len(ours.minima), 1) * n / theirs.minima[-1][0]


def main() -> None:
    """Entry point."""
    arguments = _arguments()
    tasks = _tasks(arguments)
    results: list[Result] = []
    with get_context("spawn").Pool(arguments.processes) as pool:
        for index, result in enumerate(pool.imap_unordered(run, tasks), start=1):
            results.append(result)
            sys.stderr.write(f"\r{index} of {len(tasks)} searches")
    sys.stderr.write("\n")
    apart = (*LOOSE_CASES, *STRETCHED_CASES)
    main_results = [one for one in results if one.task.method in METHODS and one.task.case not in apart]
    summary = {
        member: _report(member, [one for one in main_results if one.task.member == member])
        for member in members(main_results)
    }
    told = {**summary.pop("emt", {}), **summary}
    if "emt" in arguments.members:
        told |= _of_emt_alone(results)
    report.finish(told)


def _of_emt_alone(results: list[Result]) -> dict[str, Any]:
    """The levers, surfaces that rebuild, and minima that restraints don't reach."""
    emt = [one for one in results if one.task.member == "emt"]
    stretched = f"minima beyond restraints measured from a placement ({', '.join(map(str, STRETCHED_CASES))})"
    return {
        "levers": _report_levers([one for one in emt if one.task.case in LEVER_CASES and one.task.seed == 0]),
        "loose_surfaces": _report_loose([one for one in emt if one.task.case in LOOSE_CASES]),
        "stretched": _report_idle(stretched, [one for one in emt if one.task.case in STRETCHED_CASES]),
    }


def members(results: list[Result]) -> list[str]:
    return sorted({one.task.member for one in results}, key=lambda name: name != "emt")


def _arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a sample that ends within five minutes")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--members", nargs="+", choices=MEMBERS, default=MEMBERS, help="one suite each")
    return parser.parse_args()


def _tasks(arguments: Namespace) -> list[Task]:
    seeds = 1 if arguments.quick else arguments.seeds
    cases = EMT_CASES[::4] if arguments.quick else EMT_CASES
    tasks = [Task("emt", case, method, seed, BUDGET) for case in cases for seed in range(seeds) for method in METHODS]
    tasks += [Task("emt", case, "adhop", 0, BUDGET) for case in STRETCHED_CASES]
    if not arguments.quick:
        tasks += [Task("emt", case, lever, 0, BUDGET) for case in LEVER_CASES for lever in LEVERS]
        tasks += [Task("emt", case, method, 0, BUDGET // 2) for case in LOOSE_CASES for method in LOOSE_METHODS]
        tasks += [Task("chgnet-0.3.0", case, method, 0, BUDGET // 2) for case in CHGNET_CASES for method in METHODS]
    return [one for one in tasks if one.member in arguments.members]


def _report(member: str, results: list[Result]) -> dict[str, Any]:
    """The tables of one member, and their numbers."""
    by_method = {method: [one for one in results if one.task.method == method] for method in METHODS}
    best = {
        one.task.case: min(
            energy for other in results if other.task.case == one.task.case for _, energy in other.minima
        )
        for one in results
        if any(other.minima for other in results if other.task.case == one.task.case)
    }
    success = {
        (method, tolerance, part): [_reached(one, best, tolerance, part) for one in ones if one.task.case in best]
        for method, ones in by_method.items()
        for tolerance in TOLERANCES
        for part in SHARES
    }
    report.show(
        f"{member}: cost ({len(best)} systems, {results[0].task.budget} force calls a search)",
        ["method", "calls per hop", "calls per new minimum", "new minima per search", "relaxed"],
        [_cost_row(method, ones) for method, ones in by_method.items()],
    )
    report.show(
        f"{member}: share of searches within 0.1 | 0.02 eV of the lowest minimum known, at a quarter, half and all of the calls",
        ["method", *(f"{tolerance} eV, {part:.0%}" for tolerance in TOLERANCES for part in SHARES)],
        [
            [method, *(report.share(success[method, tolerance, part]) for tolerance in TOLERANCES for part in SHARES)]
            for method in METHODS
        ],
    )
    labels = _report_anomalies(f"{member}: anomalies, share of what was relaxed", by_method)
    idle = _report_idle(f"{member}: hops for nothing", by_method["adhop"])
    ratios = [ratio for ratio in _ratios(by_method) if ratio is not None]
    low, high = report.interval(ratios)
    report.show(
        f"{member}: calls for as many distinct minima as ASE found, adhop over ASE",
        ["median", "mean (95 % interval)", "searches"],
        [[f"{np.median(ratios):.2f}", f"{np.mean(ratios):.2f} ({low:.2f}-{high:.2f})", len(ratios)]],
    )
    return {
        "calls_per_new_minimum_over_ase": float(np.median(ratios)),
        "calls_per_new_minimum": {method: _per_new(ones) for method, ones in by_method.items()},
        "calls_per_hop": {method: _per_hop(ones) for method, ones in by_method.items()},
        "success_0p1": {method: float(np.mean(success[method, 0.1, 1.0])) for method in METHODS},
        "success_0p02": {method: float(np.mean(success[method, 0.02, 1.0])) for method in METHODS},
        "success_by_share": {
            f"{method} {tolerance} {part}": float(np.mean(hits)) for (method, tolerance, part), hits in success.items()
        },
        "anomalies": labels,
        **idle,
        "systems": [str(case) for case in best],
    }


def _report_idle(title: str, ones: list[Result]) -> dict[str, float]:
    """Hops of the whole search that came to nothing."""
    hops = max(1, sum(one.hops for one in ones))
    shares = {
        "hops_without_minimum": sum(one.without_minimum for one in ones) / hops,
        "hops_without_call": sum(one.without_call for one in ones) / hops,
    }
    report.show(
        title,
        ["hops", "without a converged minimum", "without a force call"],
        [[hops, *(f"{100 * share:.1f} %" for share in shares.values())]],
    )
    return shares


def _report_anomalies(title: str, by_method: dict[str, list[Result]]) -> dict[str, dict[str, float]]:
    labels = {method: _labels(ones) for method, ones in by_method.items()}
    rows = [[method, *(f"{100 * share:.1f} %" for share in shares.values())] for method, shares in labels.items()]
    report.show(title, ["method", *KINDS], rows)
    return labels


def _report_levers(results: list[Result]) -> dict[str, dict[str, float | None]]:
    """The whole search, and with each lever off, on the same systems and seed."""
    if not any(one.task.method in LEVERS for one in results):
        return {}
    by_method = {name: [one for one in results if one.task.method == name] for name in ("adhop", *LEVERS)}
    worth = {
        name: {"calls_per_hop": _per_hop(ones), "calls_per_new_minimum": _per_new(ones)}
        for name, ones in by_method.items()
    }
    report.show(
        f"what each lever is worth ({len(LEVER_CASES)} systems, one seed, {BUDGET} calls a search)",
        ["", "calls per hop", "calls per new minimum"],
        [[name, *("-" if value is None else f"{value:.0f}" for value in one.values())] for name, one in worth.items()],
    )
    return worth


def _report_loose(results: list[Result]) -> dict[str, dict[str, float]]:
    """Anomalies on surfaces that an escape can rebuild."""
    if not results:
        return {}
    by_method = {method: [one for one in results if one.task.method == method] for method in LOOSE_METHODS}
    return _report_anomalies(f"missing-row (110) of {', '.join(case.metal for case in LOOSE_CASES)} with O", by_method)


def _reached(one: Result, best: dict[Case, float], tolerance: float, part: float) -> bool:
    energies = [energy for calls, energy in one.minima if calls <= part * one.task.budget]
    return bool(energies) and min(energies) <= best[one.task.case] + tolerance


def _ratios(by_method: dict[str, list[Result]]) -> list[float | None]:
    theirs = {(one.task.case, one.task.seed): one for one in by_method["ase"]}
    return [paired_ratio(one, theirs[one.task.case, one.task.seed]) for one in by_method["adhop"]]


def _per_new(ones: list[Result]) -> float:
    return sum(one.calls for one in ones) / max(1, sum(len(one.minima) for one in ones))


def _per_hop(ones: list[Result]) -> float | None:
    hops = sum(one.hops for one in ones)
    return sum(one.hop_calls for one in ones) / hops if hops else None


def _cost_row(method: str, ones: list[Result]) -> list[object]:
    per_hop = _per_hop(ones)
    counts = [float(len(one.minima)) for one in ones]
    low, high = report.interval(counts)
    return [
        method,
        "-" if per_hop is None else f"{per_hop:.0f}",
        f"{_per_new(ones):.0f}",
        f"{np.mean(counts):.1f} ({low:.1f}-{high:.1f})",
        sum(one.relaxed for one in ones),
    ]


def _labels(ones: list[Result]) -> dict[str, float]:
    relaxed = max(1, sum(one.relaxed for one in ones))
    return {kind: sum(one.labels.get(kind, 0) for one in ones) / relaxed for kind in KINDS}


if __name__ == "__main__":
    main()
