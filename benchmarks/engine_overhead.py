"""What the search costs beside the potential: wall time over time inside it, and what batching is worth where a call costs the same
whatever the batch.

overhead: 16 walkers on CHGNet. speedup_fixed_cost: 64 walkers on a stand-in that takes 20 ms a forward, against one by one.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Sequence

from benchmarks import report
from benchmarks.searches import clean_slab
from benchmarks.systems import Case, build, starts
from services.forces.engine import Engine
from services.forces.potential import Card, Evaluation, Potential
from services.forces.restraints import Restraints
from services.search import hopping
from shared.parameters import Hopping, JobParameters
from shared.structures import Structure
from worker.potentials import registry

FORWARD_S = 0.020
REPEATS = 5
"""Runs on the stand-in, of which the median counts."""


class Timed:
    """A potential, and the time spent inside it. forward_s: takes at least this long a forward, like a GPU that is not full."""

    def __init__(self, potential: Potential, forward_s: float = 0.0) -> None:
        self._potential, self._forward_s = potential, forward_s
        self.seconds = 0.0
        self.answers: dict[bytes, Evaluation] = {}

    @property
    def card(self) -> Card:
        return self._potential.card

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        began = time.perf_counter()
        if self._forward_s:
            # known answers: the stand-in's cost is its sleep, not EMT
            answers = [self._known(structure) for structure in structures]
            time.sleep(max(0.0, self._forward_s - (time.perf_counter() - began)))
        else:
            answers = self._potential.evaluate(structures)
        self.seconds += time.perf_counter() - began
        return answers

    def _known(self, structure: Structure) -> Evaluation:
        key = structure.positions.tobytes()
        if key not in self.answers:
            self.answers[key] = self._potential.evaluate([structure])[0]
        return self.answers[key]


def walk(potential: Potential, timed: Timed, case: Case, n_walkers: int, steps: int) -> tuple[float, float, int]:
    """Wall seconds, seconds inside the potential, and force calls of `steps` steps of the engine."""
    system = build(case)
    slab = clean_slab(potential, system.slab)
    parameters = JobParameters(hopping=Hopping(hops=3))
    engine = Engine(timed)
    for index, start in enumerate(starts(system, n_walkers, 0)):
        restraints = Restraints.build(start, slab, parameters.restraints)
        engine.add(index, hopping.hop(hopping.begin(start, parameters.hopping, (0, index)), (), restraints, parameters))
    engine.step()
    timed.seconds, before = 0.0, engine.force_calls
    began = time.perf_counter()
    for _ in range(steps):
        engine.step()
    return time.perf_counter() - began, timed.seconds, engine.force_calls - before


def main() -> None:
    """Entry point."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    chgnet = registry.load("chgnet-0.3.0")
    wall, inside, calls = walk(chgnet, Timed(chgnet), Case("Pt", "111", "*CO"), 16, 4 if quick else 12)
    overhead = wall / inside
    emt = registry.load("emt")
    case, steps = Case("Cu", "111", "*CO"), 5 if quick else 12
    timed = Timed(emt, FORWARD_S)
    walk(emt, timed, case, 64, steps)  # fills the known answers: same seeds, same paths
    runs = [walk(emt, timed, case, 64, steps) for _ in range(REPEATS)]
    batched, emt_inside, forwards = sorted(runs)[REPEATS // 2]
    speedup = forwards * FORWARD_S / batched
    report.show(
        "engine",
        ["", "force calls", "wall s", "in the potential s", ""],
        [
            ["16 walkers, CHGNet", calls, f"{wall:.2f}", f"{inside:.2f}", f"overhead {overhead:.3f}"],
            [
                "64 walkers, 20 ms a forward",
                forwards,
                f"{batched:.2f}",
                f"{emt_inside:.2f}",
                f"{speedup:.1f}x one by one",
            ],
        ],
    )
    report.finish({"overhead": overhead, "speedup_fixed_cost": speedup})


if __name__ == "__main__":
    main()
