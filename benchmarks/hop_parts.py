"""What a hop costs the host beside its forwards, part by part, on slabs of 20, 36 and 80 atoms with a molecule; the packages' own
functions beside ours.

Medians of one thread's CPU time, ms. A walk's own arithmetic is that of a whole hop between its forwards (EMT answers, and isn't
counted), with the springs and without what has a row of its own.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from ase.build import fcc111
from ase.optimize.minimahopping import ComparePositions

from benchmarks import detector, report
from services.forces.answers import reply
from services.forces.potential import Potential
from services.forces.restraints import Restraints
from services.geometry import anomalies, reactions
from services.geometry.similarity import same
from services.search import hopping
from services.search.walker import Minimum
from services.systems.assembly import System, assemble
from services.systems.placement import place
from shared.adsorbates import lookup
from shared.errors import Failure
from shared.parameters import Hopping, JobParameters, Placement
from shared.structures import Structure
from shared.submissions import SlabSubmission
from worker.potentials import registry

SIZES = {20: (2, 2, 5), 36: (3, 3, 4), 80: (4, 5, 4)}
"""Slab atoms, and repeats of Cu(111) with so many."""
KNOWN = 10
"""Minima near enough in energy to be compared with one that was found."""


def median_ms(work: Callable[[], Any], repeats: int) -> float:
    """Of one call, of this thread's CPU time."""
    times = []
    for _ in range(repeats):
        began = time.thread_time()
        work()
        times.append(time.thread_time() - began)
    return 1e3 * float(np.median(times))


def system(size: tuple[int, int, int]) -> System:
    """*CHO on Cu(111)."""
    atoms = fcc111("Cu", size, vacuum=8.0, periodic=True)
    atoms.set_tags(0)
    return assemble(SlabSubmission(slab=Structure.from_oc_atoms(atoms).to_document(), adsorbate=lookup("*CHO")))


def between_forwards(potential: Potential, start: Structure, slab: Structure, hops: int) -> tuple[float, float]:
    """Of a hop past the first relaxation, without its judge: ms between forwards, and force calls."""
    parameters = JobParameters(hopping=Hopping(hops=hops))
    restraints = Restraints.build(start, slab, parameters.restraints)
    walker = hopping.begin(start, parameters.hopping, (0, 0))
    spent, calls = 0.0, 0
    for turn in range(hops + 1):
        walk = hopping.hop(walker, [], restraints, parameters)
        began = time.thread_time()
        try:
            wants = next(walk)
            while True:
                spent += time.thread_time() - began if turn else 0.0
                (answer,) = potential.evaluate([wants.structure])
                calls += 1 if turn else 0
                began = time.thread_time()
                wants = reply(walk, wants, answer)
        except StopIteration as stop:
            walker = stop.value.walker
        except Failure:
            pass
        spent += time.thread_time() - began if turn else 0.0
    return 1e3 * spent / hops, calls / hops


def measure(size: tuple[int, int, int], repeats: int) -> dict[str, float]:
    """Parts of a hop, ms."""
    made = system(size)
    slab, parameters = made.slab, JobParameters()
    settings = Placement(count=20)
    start = place(slab, made.adsorbate, settings, np.random.default_rng(0))[0].structure
    rng = np.random.default_rng(1)

    def shaken(structure: Structure, by: float = 0.1) -> Structure:
        noise = rng.normal(scale=by, size=structure.positions.shape)
        return structure.moved(structure.positions + noise * structure.free[:, None])

    relaxed = [shaken(start) for _ in range(repeats)]
    cleans = iter([shaken(slab, 0.01) for _ in range(2 * repeats)])
    before = reactions.pre_adsorbates(start)
    known = [Minimum(shaken(start), 0.0) for _ in range(KNOWN)]
    for one in known:
        same(one, one, parameters.similarity)
    one_by_one = iter(relaxed * 20)
    judge = partial(anomalies.find, start, clean_slab=slab)

    def peer(work: Callable[[], Any]) -> float:
        return median_ms(work, max(3, repeats // 20))

    def compared() -> None:
        new = Minimum(shaken(start), 0.0)  # its fingerprint is not kept from before
        for other in known:
            same(new, other, parameters.similarity)

    compare = ComparePositions(translate=True)
    emt = registry.load(registry.read(None)["emt"])
    walking, calls = between_forwards(emt, start, slab, max(2, repeats // 20))
    return {
        "anomalies": median_ms(lambda: judge(next(one_by_one)), repeats),
        "anomalies, first of a job": median_ms(lambda: anomalies.find(start, relaxed[0], next(cleans)), repeats),
        "anomalies, the package": peer(lambda: detector.find(start, next(one_by_one), slab)),
        "restraints": median_ms(lambda: Restraints.build(start, slab, parameters.restraints), repeats),
        "restraints, first of a job": median_ms(
            lambda: Restraints.build(start, next(cleans), parameters.restraints), repeats
        ),
        f"compared with {KNOWN}": median_ms(compared, repeats),
        f"compared with {KNOWN}, ASE": KNOWN
        * peer(lambda: compare(known[0].structure.to_atoms(), relaxed[0].to_atoms())),
        "site": median_ms(lambda: reactions.describe(next(one_by_one), before), repeats),
        "stored and restored": median_ms(
            lambda: (start.topology_digest, Structure.from_document(next(one_by_one).to_document())), repeats
        ),
        "between forwards": walking,
        "force calls": calls,
        "20 placements, of a job": median_ms(
            lambda: place(slab, made.adsorbate, settings, np.random.default_rng(0)), max(5, repeats // 10)
        ),
    }


def main() -> None:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    repeats = 20 if parser.parse_args().quick else 100
    measured = {str(n_atoms): measure(size, repeats) for n_atoms, size in SIZES.items()}
    parts = next(iter(measured.values()))
    rows = [(part, *(f"{one[part]:.2f}" for one in measured.values())) for part in parts]
    report.show("a hop's parts, CPU ms (force calls: their number)", ["", *(f"{n} slab atoms" for n in measured)], rows)
    report.finish(measured)


if __name__ == "__main__":
    main()
