"""`python -m tests.gpu.measure NAME`: one member, or one published network with random weights, at batches of 82 atoms. A JSON line
for each figure as it is there, so that a run that is cut keeps what it had.

host_ms is what the host does before the device can begin, in CPU time of one thread; total_ms the whole call by the clock; both for
one structure, medians. noise_ev is the spread of ten answers to one structure.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import warnings
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.full_size import PUBLISHED, write_random
from benchmarks.timed import slab_with_co
from services.forces.potential import EnergyKind
from shared.structures import Structure
from worker.potentials import registry
from worker.potentials.entry import RegistryEntry
from worker.potentials.identity import sha256

CHECKPOINTS = Path(__file__).resolve().parents[1] / "checkpoints/members.toml"
BATCHES = (1, 8, 32, 64, 128)
REPEATS = 10


def batch(size: int) -> list[Structure]:
    """CO on Pt(111) 4x5x4, 82 atoms, each shaken in its own way."""
    structure, rng = slab_with_co(), np.random.default_rng(0)
    return [structure.moved(structure.positions + rng.normal(0, 0.02, structure.positions.shape)) for _ in range(size)]


def entry_of(name: str, folder: Path) -> RegistryEntry:
    """A member of the registry or of the tests' file, or a published network."""
    if name not in PUBLISHED:
        return registry.read(CHECKPOINTS)[name]
    family, network = PUBLISHED[name]
    file = folder / "random.pt"
    write_random(network, file)
    return RegistryEntry(name, family, file, sha256(file), EnergyKind.ADSORPTION)


def median_ms(work: Callable[[], object], clock: Callable[[], float], seconds: float) -> float:
    """Of as many repeats as fit, ten at most."""
    times: list[float] = []
    while len(times) < 2 or (sum(times) < seconds and len(times) < REPEATS):
        began = clock()
        work()
        times.append(clock() - began)
    return 1e3 * statistics.median(times)


def measure(name: str, device: str, sizes: list[int], seconds: float, tf32: bool, folder: Path) -> None:
    """Print what this member takes."""
    entry = entry_of(name, folder)
    entry = replace(entry, options={**entry.options, "tf32": tf32})
    began = time.perf_counter()
    potential: Any = registry.load(entry, device=device)
    tell(name, tf32=tf32, load_s=round(time.perf_counter() - began, 2))
    one = batch(1)
    potential.evaluate(one)
    energies = [potential.evaluate(one)[0].energy for _ in range(REPEATS if device == "cuda" else 2)]
    tell(name, tf32=tf32, energy_ev=energies[0], noise_ev=float(np.ptp(energies)))
    for size in sizes:
        structures = batch(size)
        try:
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            potential.evaluate(structures)
            host = median_ms(
                lambda structures=structures: potential._forward.prepare(structures), time.thread_time, seconds
            )  # type: ignore[misc]
            total = median_ms(lambda structures=structures: potential.evaluate(structures), time.perf_counter, seconds)  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001 - a batch too large is a figure too
            tell(name, tf32=tf32, batch=size, failed=f"{type(error).__name__}: {error}"[:300])
            break
        peak = torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else None
        tell(name, tf32=tf32, batch=size, host_ms=round(host / size, 3), total_ms=round(total / size, 3), peak_mib=peak)


def tell(name: str, **figures: Any) -> None:
    sys.stdout.write(json.dumps({"member": name, **figures}) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Entry point."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--batches", default=",".join(map(str, BATCHES)))
    parser.add_argument("--seconds", type=float, default=2.0, help="that a measurement may take")
    parser.add_argument("--tf32", action="store_true")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    sizes = [int(size) for size in asked.batches.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        measure(asked.name, asked.device, sizes, asked.seconds, asked.tf32, Path(folder))


if __name__ == "__main__":
    main()
