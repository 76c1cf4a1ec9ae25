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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.device_use import LIMIT, SIZES
from benchmarks.without_database import SWITCH_S, drive, system
from services.forces.potential import Evaluation
from services.systems.placement import place
from shared.parameters import Placement
from shared.structures import Structure
from tests.gpu.measure import entry_of, median_ms, tell
from worker.potentials import registry


class Noted:
    """A potential that notes when its forwards were under way."""

    def __init__(self, potential: Any) -> None:
        self._potential = potential
        self.card: Any = getattr(potential, "card", None)
        self.notes: list[tuple[float, float, int]] = []

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        began = time.monotonic()
        found: list[Evaluation] = self._potential.evaluate(structures)
        self.notes.append((began, time.monotonic(), len(structures)))
        return found


def starts(count: int) -> list[Structure]:
    """As many starts as a batch has, half of each slab."""
    found: list[Structure] = []
    for size in SIZES:
        made = system(size)
        found += [
            one.structure for one in place(made.slab, made.adsorbate, Placement(count=20), np.random.default_rng(0))
        ]
    return [found[index * len(found) // count] for index in range(count)]


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
    batch = starts(asked.batch)
    potential.evaluate(batch)
    ideal_ms = median_ms(lambda: potential.evaluate(batch), time.perf_counter, 2.0) / len(batch)
    tell(asked.name, full_batch_ms_a_structure=round(ideal_ms, 3))
    noted = Noted(potential)
    began, spent = time.monotonic(), time.process_time()
    hops = drive(noted, asked.seconds)
    spent = time.process_time() - spent
    notes = noted.notes[len(noted.notes) // 5 :]  # when all walks have begun
    wall, calls = notes[-1][1] - notes[0][0], sum(one[2] for one in notes)
    tell(
        asked.name,
        busy=round(sum(end - start for start, end, _ in notes) / wall, 3),
        fill=round(calls / len(notes) / LIMIT, 3),
        wall_over_ideal=round(1e3 * wall / (calls * ideal_ms), 2),
        calls_per_s=round(calls / wall, 1),
        hops_per_s=round(hops / (time.monotonic() - began), 2),
        cores=round(spent / (time.monotonic() - began), 2),
        hops=hops,
    )


if __name__ == "__main__":
    main()
