"""How many force calls a new minimum costs, and how often the global one is found: ours against ASE's minima hopping.

python -m benchmarks.search_efficiency [--quick] [--processes N] [--seeds N]

Methods, on the same starts, seeds and total force calls: BFGS from placements (`bfgs`), the same with restraints (`restrained`), the
whole search (`adhop`), ASE's MinimaHopping with Hookean from the first four starts (`ase`). One judge for all: a minimum counts when
it is converged without restraints, has no anomaly, and is none that the search had before (services.similarity). The cost ratio is
paired: the calls that `adhop` needs to find as many distinct minima as ASE found in all, over the calls ASE needed for them.
"""

from __future__ import annotations

import sys
import time
import warnings
from argparse import ArgumentParser, Namespace
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from typing import Any

import numpy as np

from benchmarks import ase_peer, report
from benchmarks.searches import Search, adhop, clean_slab
from benchmarks.systems import CHGNET_CASES, EMT_CASES, Case, build, starts
from services import anomalies
from services.similarity import equivalents, fingerprint
from shared.parameters import Hopping, JobParameters, Restraints, Similarity
from shared.structures import Structure
from worker.potentials import registry

METHODS = ("bfgs", "restrained", "adhop", "ase")
BUDGET = 1200
PLACEMENTS = 14
ASE_STARTS = 4
MANY = 200
SHARES = (0.25, 0.5, 1.0)
TOLERANCES = (0.1, 0.02)


@dataclass(frozen=True)
class Task:
    """One search."""

    member: str
    case: Case
    method: str
    seed: int
    budget: int


@dataclass(frozen=True)
class Result:
    """What one search found. minima: (calls, energy in eV) of each new sound one; labels: anomalies of everything it relaxed."""

    task: Task
    minima: list[tuple[int, float]]
    calls: int
    hops: int
    hop_calls: int
    relaxed: int
    labels: dict[str, int]
    seconds: float


_load = lru_cache(registry.load)


def run(task: Task) -> Result:
    """Search, then judge."""
    warnings.simplefilter("ignore")
    potential = _load(task.member)
    system = build(task.case)
    slab = clean_slab(potential, system.slab)
    count = {"adhop": PLACEMENTS, "ase": ASE_STARTS}.get(task.method, MANY)
    begun = starts(system, count, task.seed)
    began = time.monotonic()
    if task.method == "ase":
        found = ase_peer.minima_hopping(potential, begun, task.budget, task.seed)
    else:
        found = adhop(potential, begun, slab, _parameters(task), task.budget)
    seconds = time.monotonic() - began
    minima, labels = _judged(found, begun, slab)
    return Result(task, minima, found.calls, found.hops, found.hop_calls, len(found.events), dict(labels), seconds)


def _parameters(task: Task) -> JobParameters:
    whole = task.method == "adhop"
    hopping = Hopping(hops=1000 if whole else 0, patience=1000, model_curvature=whole)
    return JobParameters(seed=task.seed, hopping=hopping, restraints=Restraints(enabled=task.method != "bfgs"))


def _judged(found: Search, begun: list[Structure], slab: Structure) -> tuple[list[tuple[int, float]], Counter[str]]:
    tolerances = Similarity()
    labels: Counter[str] = Counter()
    prints: list[Any] = []
    energies: list[float] = []
    minima = []
    for event in found.events:
        names = anomalies.find(begun[event.start], event.structure, slab)
        labels.update(names or ())
        labels["any"] += bool(names)
        if not event.converged or names:
            continue
        own = fingerprint(event.structure)
        if prints and equivalents(own, event.energy, np.array(prints), np.array(energies), tolerances).any():
            continue
        prints.append(own)
        energies.append(event.energy)
        minima.append((event.calls, event.energy))
    return minima, labels


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
    summary = {
        member: _report(member, [one for one in results if one.task.member == member]) for member in members(results)
    }
    report.finish({**summary["emt"], **{member: value for member, value in summary.items() if member != "emt"}})


def members(results: list[Result]) -> list[str]:
    return sorted({one.task.member for one in results}, key=lambda name: name != "emt")


def _arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a sample that ends within five minutes")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=2)
    return parser.parse_args()


def _tasks(arguments: Namespace) -> list[Task]:
    seeds = 1 if arguments.quick else arguments.seeds
    cases = EMT_CASES[::4] if arguments.quick else EMT_CASES
    tasks = [Task("emt", case, method, seed, BUDGET) for case in cases for seed in range(seeds) for method in METHODS]
    if not arguments.quick:
        tasks += [Task("chgnet-0.3.0", case, method, 0, BUDGET // 2) for case in CHGNET_CASES for method in METHODS]
    return tasks


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
    kinds = ["dissociated", "desorbed", "intercalated", "reconstructed", "any"]
    labels = {method: _labels(ones, kinds) for method, ones in by_method.items()}
    report.show(
        f"{member}: anomalies, share of what was relaxed",
        ["method", *kinds],
        [[method, *(f"{100 * labels[method][kind]:.1f} %" for kind in kinds)] for method in METHODS],
    )
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
        "systems": [str(case) for case in best],
    }


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


def _labels(ones: list[Result], kinds: list[str]) -> dict[str, float]:
    relaxed = max(1, sum(one.relaxed for one in ones))
    return {kind: sum(one.labels.get(kind, 0) for one in ones) / relaxed for kind in kinds}


if __name__ == "__main__":
    main()
