"""How busy a worker keeps its device where no database is in the way: the floor of `benchmarks.service_throughput`.

128 walkers of 16 jobs of 4 owners, CO on Pt(111) slabs of 36 and 80 atoms, on a device that sleeps for as long as a cost model says;
whoever ends a hop begins the next at once. The columns are those of service_throughput.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.device_use import ASKED, JOBS, LIMIT, MODELS, SIZES, USERS, Model, Noted, measured, slab
from benchmarks.sleeping import landscape
from services.forces.engine import Engine, Outcome
from services.forces.potential import Evaluation, Potential
from services.forces.restraints import Restraints
from services.geometry import anomalies
from services.search import hopping
from services.search.walker import Hop, Minimum, Walker
from services.systems.assembly import System, assemble
from services.systems.placement import place
from shared.parameters import JobParameters, Placement
from shared.structures import Structure
from shared.submissions import Adsorbate, SlabSubmission
from worker.tasks.device import Device

CO = Adsorbate(name="*CO", numbers=(6, 8), positions=((0.0, 0.0, 0.0), (0.0, 0.0, 1.166)), binding=(0,), oriented=True)
NEW_AT_ONCE = 8
KNOWN = 30
"""Minima of its job that a walker knows of."""
SWITCH_S = 0.0005
"""As in worker.tasks.member_task."""


class Sleeping:
    """The stand-in device."""

    card: Any = None

    def __init__(self, model: Model) -> None:
        self._model = model

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        until = time.monotonic() + self._model.base_ms / 1e3 + self._model.atom_us / 1e6 * sum(map(len, structures))
        found = landscape.evaluate(structures)
        time.sleep(max(0.0, until - time.monotonic()))
        return found


@dataclass(frozen=True, eq=False)
class Going:
    """A walker before a hop."""

    job: int
    made: System
    start: Structure
    walker: Walker


class Walks:
    """The jobs' walkers, each going on as soon as its hop has ended."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._parameters = engine, JobParameters()
        self._known: dict[int, list[Minimum]] = {}
        self.hops = 0
        systems = [system(size) for size in SIZES]
        for job in range(JOBS):
            made = systems[job // USERS % len(SIZES)]
            places = starts(made)
            for index in range(2 * LIMIT // JOBS):
                start = places[index % len(places)]
                self._go_on(job, made, start, hopping.begin(start, self._parameters.hopping, (job, index)))

    def _go_on(self, job: int, made: System, start: Structure, walker: Walker) -> None:
        restraints = Restraints.build(start, made.slab, self._parameters.restraints)
        judge = partial(anomalies.find, start, clean_slab=made.slab)
        known = self._known.get(job, [])[:KNOWN]
        walk = hopping.hop(walker, known, restraints, self._parameters, judge)
        self._engine.add(Going(job, made, start, walker), walk, job % USERS)

    def ended(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            going, after = outcome.key, outcome.result
            assert isinstance(going, Going)
            self.hops += 1
            if isinstance(after, Hop) and after.found is not None and after.found.converged:
                minimum = Minimum(after.found.structure, after.found.energy)
                self._known.setdefault(going.job, []).append(minimum)
            self._go_on(going.job, going.made, going.start, after.walker if isinstance(after, Hop) else going.walker)


def system(size: tuple[int, int, int]) -> System:
    document = Structure.from_oc_atoms(slab(size)).to_document()
    return assemble(SlabSubmission(slab=document, adsorbate=CO))


def starts(made: System) -> list[Structure]:
    """20 placements."""
    found = place(made.slab, made.adsorbate, Placement(count=20), np.random.default_rng(0))
    return [one.structure for one in found]


def run(model: Model, seconds: float) -> dict[str, Any]:
    """The figures of a device that costs as the model says."""
    device = Noted(Sleeping(model))
    hops = drive(device, seconds)
    return measured(model, [device.settled], max(1, hops))


def drive(potential: Potential, seconds: float) -> int:
    """The loop of a worker's task, as far as it concerns the device. Returns how many hops were done."""
    engine, device = Engine(potential, batch_walks=LIMIT, clock=time.perf_counter), Device(LIMIT)
    walks = Walks(engine)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        walks.ended(engine.begin(NEW_AT_ONCE))
        _feed(device, engine)
        wait(device.futures, timeout=0.0 if engine.new() else 0.2, return_when=FIRST_COMPLETED)
        if (flight := device.landed()) is not None:
            evaluated = flight.future.result()
            _feed(device, engine)
            began = time.perf_counter()
            outcomes = engine.answer(flight.batch, evaluated)
            device.forget(flight, time.perf_counter() - began)
            walks.ended(outcomes)
    device.close()
    return walks.hops


def _feed(device: Device, engine: Engine) -> None:
    while device.free and engine.waiting() and device.send("member", engine):
        pass


def main() -> None:
    """Entry point."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="eight seconds of each model")
    parser.add_argument(
        "--models", default=",".join(ASKED), help=f"cost models, separated by commas: {', '.join(MODELS)}"
    )
    asked = parser.parse_args()
    sys.setswitchinterval(SWITCH_S)
    found = {name: run(MODELS[name], 8.0 if asked.quick else 30.0) for name in asked.models.split(",")}
    figures = ("busy", "fill", "wall_over_ideal")
    rows = [[name, *(one[figure] for figure in figures)] for name, one in found.items()]
    report.show(f"a worker without its database, batches of {LIMIT}", ["", *figures], rows)
    report.finish({key: {name: one[key] for name, one in found.items()} for key in figures})


if __name__ == "__main__":
    main()
