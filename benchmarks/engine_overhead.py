"""What the search costs beside the potential: wall time over time inside it, and what batching is worth where a call costs the same
whatever the batch.

overhead: 16 walkers on CHGNet. speedup_fixed_cost: 64 walkers on a stand-in that takes 20 ms a forward, against one by one.
host_ms_per_call: CPU time of a force call beside the potential, by slab atoms: 64 walkers of CO on Pt(111) on a landscape that costs
nothing (benchmarks/sleeping), hop after hop with restraints, anomalies and comparisons.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from ase.build import fcc111

from benchmarks import report
from benchmarks.searches import clean_slab
from benchmarks.sleeping import landscape
from benchmarks.systems import Case, build, starts
from services.forces.engine import Engine
from services.forces.potential import Card, Evaluation, Potential
from services.forces.restraints import Restraints
from services.geometry import anomalies
from services.search import hopping
from services.search.walker import Hop, Minimum, Walker
from services.systems.assembly import assemble
from services.systems.placement import place
from shared.adsorbates import lookup
from shared.parameters import Hopping, JobParameters, Placement
from shared.structures import Structure
from shared.submissions import SlabSubmission
from worker.potentials import registry

FORWARD_S = 0.020
REPEATS = 5
"""Runs on the stand-in, of which the median counts."""
WALKERS = 64
SIZES = {36: (3, 3, 4), 80: (4, 5, 4)}
"""Slab atoms, and repeats of Pt(111) with so many."""
KNOWN = 30
"""Minima that a walker knows of."""


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


def host_ms_per_call(size: tuple[int, int, int], steps: int) -> float:
    """CPU time of this thread for a force call of 64 walkers, less the landscape's, ms."""
    landscape_s, calls = 0.0, 0
    atoms = fcc111("Pt", size, a=3.92, vacuum=landscape.BOTTOM, periodic=True)
    atoms.set_tags(0)
    system = assemble(SlabSubmission(slab=Structure.from_oc_atoms(atoms).to_document(), adsorbate=lookup("*CO")))
    placed = place(system.slab, system.adsorbate, Placement(count=WALKERS), np.random.default_rng(0))
    parameters, engine = JobParameters(), Engine(Landscape(), batch_walks=WALKERS)
    known: list[Minimum] = []

    def go_on(walker: Walker, start: Structure) -> None:
        restraints = Restraints.build(start, system.slab, parameters.restraints)
        judge = partial(anomalies.find, start, clean_slab=system.slab)
        engine.add((walker.seed, start), hopping.hop(walker, known[-KNOWN:], restraints, parameters, judge))

    for n in range(WALKERS):
        start = placed[n % len(placed)].structure
        go_on(hopping.begin(start, parameters.hopping, (n,)), start)
    began = time.thread_time()
    for _ in range(steps):
        ended = engine.begin()
        batch = engine.take()
        assert batch is not None
        before = time.thread_time()
        evaluated = engine.evaluate(batch)
        landscape_s, calls = landscape_s + time.thread_time() - before, calls + len(batch)
        for outcome in ended + engine.answer(batch, evaluated):
            assert isinstance(outcome.result, Hop)
            if outcome.result.found is not None:
                known.append(Minimum(outcome.result.found.structure, outcome.result.found.energy))
            go_on(outcome.result.walker, outcome.key[1])  # type: ignore[index]
    return 1e3 * (time.thread_time() - began - landscape_s) / calls


class Landscape:
    """The stand-in's, without its sleep."""

    card: Any = None

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        return landscape.evaluate(structures)


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
    host = {str(n): host_ms_per_call(size, 50 if quick else 200) for n, size in SIZES.items()}
    rows = [[f"{n} slab atoms", f"{took:.3f}"] for n, took in host.items()]
    report.show("CPU of a force call beside the potential, ms", ["", ""], rows)
    report.finish({"overhead": overhead, "speedup_fixed_cost": speedup, "host_ms_per_call": host})


if __name__ == "__main__":
    main()
