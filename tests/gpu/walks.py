"""`python -m tests.gpu.walks NAME`: 128 walkers hop on a real potential, with all of a worker but its database. JSON lines.

What the device takes for the same evaluations in full batches, one after the other, is measured first. busy: share of the time that a
forward was under way, its preparation by the host included. wall_over_ideal: the time over that of full batches. On random weights
there are no minima to find: walks end at their limits of steps, and cost what walks cost.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from argparse import ArgumentParser
from pathlib import Path

import torch

from benchmarks.device_use import LIMIT, SIZES, Model, Noted, measured
from benchmarks.without_database import SWITCH_S, drive, starts, system
from tests.gpu.measure import entry_of, median_ms, tell
from worker.potentials import registry


def main() -> None:
    """Entry point."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--batch", type=int, default=LIMIT, help="structures of the batch that is timed first")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    sys.setswitchinterval(SWITCH_S)
    with tempfile.TemporaryDirectory() as folder:
        potential = registry.load(entry_of(asked.name, Path(folder)), device=asked.device)
    found = [one for size in SIZES for one in starts(system(size))]
    batch = [found[index * len(found) // asked.batch] for index in range(asked.batch)]
    potential.evaluate(batch)
    ideal_ms = median_ms(lambda: potential.evaluate(batch), time.perf_counter, 2.0) / len(batch)
    tell(asked.name, full_batch_ms_a_structure=round(ideal_ms, 3))
    noted = Noted(potential)
    began, spent = time.monotonic(), time.process_time()
    hops = drive(noted, asked.seconds)
    spent = time.process_time() - spent
    took = time.monotonic() - began
    figures = measured(Model(ideal_ms * LIMIT, 0.0, 0), [noted.settled], max(1, hops))
    tell(
        asked.name,
        **{name: figures[name] for name in ("busy", "fill", "wall_over_ideal")},
        calls_per_s=round(figures["calls"] / figures["wall_s"], 1),
        hops_per_s=round(hops / took, 2),
        cores=round(spent / took, 2),
        hops=hops,
    )


if __name__ == "__main__":
    main()
