"""How a device was used: what its forwards cost, the notes it keeps of them, and what these say. The systems are the same with the
service around it (benchmarks.service_throughput) and without (benchmarks.without_database, tests.gpu.walks).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ase import Atoms
from ase.build import fcc111

from benchmarks.sleeping import landscape
from services.forces.potential import Evaluation, Potential
from shared.structures import Structure

LIMIT = 64
"""Walkers of a batch."""
USERS, JOBS = 4, 16
SIZES = ((3, 3, 4), (4, 5, 4))
PARTS = ("engine", "restraints", "anomalies", "queries", "commits")


@dataclass(frozen=True)
class Model:
    """What a forward costs, and how much of it a run makes."""

    base_ms: float
    atom_us: float
    hops: int
    walkers: int = 8
    """That hop, of each job."""

    def seconds(self, structures: float, atoms: float) -> float:
        """Least time that evaluating so many takes, in full batches."""
        return self.base_ms / 1e3 * structures / LIMIT + self.atom_us / 1e6 * atoms


MODELS = {
    "fixed": Model(20.0, 0.0, 10),
    "fast": Model(5.0, 8.0, 10),
    "heavy": Model(5.0, 100.0, 4),
    "h100": Model(25.0, 40.0, 6),
}
ASKED = ("fixed", "fast", "heavy")
"""Without a word; h100 is about what CHGNet takes on an H100."""


@dataclass(frozen=True)
class Forward:
    """One note of a device."""

    began: float
    ended: float
    structures: int
    atoms: int
    spent: dict[str, float]
    """Processor seconds of the process so far, by part."""


class Noted:
    """A potential that notes when its forwards were under way."""

    def __init__(self, potential: Potential) -> None:
        self.card = potential.card
        self.notes: list[Forward] = []
        self._potential = potential

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        began = time.monotonic()
        found = self._potential.evaluate(structures)
        atoms = sum(map(len, structures))
        self.notes.append(Forward(began, time.monotonic(), len(structures), atoms, {"all": time.process_time()}))
        return found

    @property
    def settled(self) -> list[Forward]:
        """Without the first fifth, in which the walks begin."""
        return self.notes[len(self.notes) // 5 :]


def slab(size: tuple[int, int, int]) -> Atoms:
    """Pt(111), lower half fixed by the service's own rule."""
    atoms: Atoms = fcc111("Pt", size, a=3.92, vacuum=landscape.BOTTOM, periodic=True)
    atoms.set_tags(0)
    return atoms


def measured(model: Model, workers: Sequence[Sequence[Forward]], hops: int) -> dict[str, Any]:
    """The figures of a run from what its devices noted."""
    every = [forward for one in workers for forward in one if forward.structures > 1]
    wall = max(one.ended for one in every) - min(one.began for one in every)
    structures, atoms = sum(one.structures for one in every), sum(one.atoms for one in every)
    ideal = model.seconds(structures, atoms) / len(workers)
    spent = {
        part: sum(one[-1].spent.get(part, 0.0) - one[0].spent.get(part, 0.0) for one in workers if one)
        for part in (*PARTS, "device", "all")
    }
    known = sum(spent[part] for part in (*PARTS, "device"))
    by_part = {**{part: spent[part] for part in PARTS}, "other": spent["all"] - known}
    return {
        "busy": round(sum(one.ended - one.began for one in every) / wall / len(workers), 3),
        "fill": round(structures / len(every) / LIMIT, 3),
        "wall_s": round(wall, 1),
        "ideal_s": round(ideal, 1),
        "wall_over_ideal": round(wall / ideal, 2),
        "hops_per_s": round(hops / wall, 2),
        "calls": structures,
        "hops": hops,
        "cpu_ms_per_hop": {part: round(1e3 * seconds / hops, 2) for part, seconds in by_part.items()},
    }
