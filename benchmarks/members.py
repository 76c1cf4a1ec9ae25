"""Structures per second of each member at batches of 1, 4, 16 and 64, against its package's own ASE calculator one by one.

Each member has a process of its own, so that load time and memory are its own. The structures are CO on Pt(111) 3x3x3, 29 atoms, at
random sites. "host ms": what the host does for a structure of 82 atoms, in batches of 32, before a device can begin, CPU time of one
thread. On a CPU a batch is evaluated one by one on purpose (docs/decisions/0003). Members: the offline ones and the small OC20
checkpoints of the tests, or those of `--models FILE`.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from ase.calculators.calculator import all_changes

from benchmarks import report
from benchmarks.calculators import own_calculator
from benchmarks.systems import Case, build, starts
from benchmarks.timed import host_ms
from shared.structures import Structure
from worker.potentials import registry

SMALL = Path(__file__).parents[1] / "tests/checkpoints/members.toml"
BATCHES = (1, 4, 16, 64)
NAMES = (
    "emt",
    "chgnet-0.3.0",
    "sevennet-0",
    "sevennet-l3i5",
    "sevennet-mf-0-pbe",
    "eqv2-small",
    "gemnet-oc-small",
    "escn-small",
)


def structures(count: int) -> list[Structure]:
    """CO put on Pt(111) 3x3x3 at random, 29 atoms each."""
    return starts(build(Case("Pt", "111", "*CO")), count, 0)


def memory_mib(device: str) -> float:
    """Most memory held so far, MiB: of the device, or of the process."""
    if device == "cuda":
        return float(torch.cuda.max_memory_allocated()) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def per_second(work: Callable[[], Any], count: int, seconds: float) -> float:
    """Structures per second: the median over repeats that fill at least `seconds`. work evaluates `count` structures."""
    rates: list[float] = []
    spent = 0.0
    while spent < seconds or len(rates) < 3:
        began = time.perf_counter()
        work()
        took = time.perf_counter() - began
        spent += took
        rates.append(count / took)
    return statistics.median(rates)


def measure(name: str, models: Path, device: str, seconds: float) -> dict[str, Any]:
    """One member and its package's calculator, in this process."""
    entry = registry.read(models)[name]
    began = time.perf_counter()
    potential = registry.load(entry, device=device)
    load_s = time.perf_counter() - began
    batch = structures(max(BATCHES))
    potential.evaluate(batch[:1])
    rates = {
        str(size): round(per_second(lambda size=size: potential.evaluate(batch[:size]), size, seconds), 2)  # type: ignore[misc]
        for size in BATCHES
        if device == "cuda" or size <= 4 or seconds > 1
    }
    memory = memory_mib(device)
    host = host_ms(potential)
    calculator = own_calculator(entry, device)
    images = [structure.to_atoms() for structure in batch]

    def one_by_one() -> None:
        for atoms in images[:4]:
            calculator.calculate(atoms, ["energy", "forces"], ["positions"])

    calculator.calculate(images[0], ["energy", "forces"], all_changes)
    own = per_second(one_by_one, 4, seconds)
    return {
        "per_s": rates,
        "own_calculator_per_s": round(own, 2),
        "best_over_own": round(max(rates.values()) / own, 2),
        "host_ms": None if host is None else round(host, 2),
        "load_s": round(load_s, 1),
        "memory_mib": round(memory),
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu, one thread",
    }


def main() -> None:
    """Entry point."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="half a second a measurement, small batches on a CPU")
    parser.add_argument("--models", type=Path, default=SMALL, help="the administrator's file of members")
    parser.add_argument("--members", nargs="*", default=list(NAMES))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--one", help="measure this member in this process")
    asked = parser.parse_args()
    seconds = 0.5 if asked.quick else 3.0
    if asked.one:
        torch.set_num_threads(1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sys.stdout.write(json.dumps(measure(asked.one, asked.models, asked.device, seconds)) + "\n")
        return
    results = {name: _in_a_process(name, asked) for name in asked.members}
    sizes = [str(size) for size in BATCHES]
    report.show(
        f"structures of 29 atoms per second, {next(iter(results.values()))['device']}",
        ["", *(f"batch {size}" for size in sizes), "own calculator", "best over own", "host ms", "load s", "MiB"],
        [
            [
                name,
                *(one["per_s"].get(size, "-") for size in sizes),
                one["own_calculator_per_s"],
                f"{one['best_over_own']}x",
                "-" if one["host_ms"] is None else one["host_ms"],
                one["load_s"],
                one["memory_mib"],
            ]
            for name, one in results.items()
        ],
    )
    report.finish(results)


def _in_a_process(name: str, asked: Namespace) -> dict[str, Any]:
    words = [
        "--one",
        name,
        "--models",
        str(asked.models),
        "--device",
        asked.device,
        *(["--quick"] if asked.quick else []),
    ]
    return report.in_a_process("members", name, words)


if __name__ == "__main__":
    main()
