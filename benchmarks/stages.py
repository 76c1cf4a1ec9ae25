"""What the CPU stages cost: cuts of faces against pymatgen's SlabGenerator, placements by number of atoms, the largest stage that is
allowed, and what a stage's way into its process and back takes.

Processor seconds of one thread; the whole stage by the clock, in a warm process as the CPU worker has one.
"""

from __future__ import annotations

import pickle
import time
import warnings
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk, fcc111
from pymatgen.core.structure import Structure as Crystal
from pymatgen.core.surface import SlabGenerator
from pymatgen.io.ase import AseAtomsAdaptor

from benchmarks import report
from services.systems.placement import Placed, place
from services.systems.surfaces import cut, marked
from shared.adsorbates import lookup
from shared.children.pool import Kind, Pool
from shared.parameters import JobParameters, Placement
from shared.structures import Structure
from shared.submissions import BulkSubmission
from worker.tasks.stage_child import Comparing, Placing

FACES = [(1, 1, 1), (2, 1, 1), (3, 2, 1), (5, 3, 1), (7, 5, 3), (8, 7, 5)]
PEER_FACES = [(1, 1, 1), (2, 1, 1), (3, 2, 1)]
"""Beyond these pymatgen takes minutes, and for (8 7 5) 20 GB."""


def submission(crystal: Atoms, miller: tuple[int, int, int], **others: Any) -> BulkSubmission:
    """*CO on a face of a crystal."""
    return BulkSubmission(
        numbers=tuple(crystal.numbers.tolist()),
        positions=tuple(map(tuple, crystal.positions.tolist())),
        cell=tuple(map(tuple, crystal.cell.tolist())),
        miller=miller,
        conventional=False,
        adsorbate=lookup("*CO"),
        **others,
    )


def cpu_s(work: Callable[[], Any], repeats: int = 1) -> tuple[float, Any]:
    """Least processor seconds of some runs, and what the last one gave."""
    least, found = float("inf"), None
    for _ in range(repeats):
        began = time.process_time()
        found = work()
        least = min(least, time.process_time() - began)
    return least, found


def by_pymatgen(crystal: Atoms, miller: tuple[int, int, int]) -> float:
    """Processor seconds of the cut as it is known from OC20."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given: Crystal = AseAtomsAdaptor.get_structure(crystal)
        generator = SlabGenerator(given, miller, 7.0, 20.0, center_slab=False, primitive=True, max_normal_search=1)
        return cpu_s(lambda: generator.get_slabs(tol=0.02))[0]


def cuts(pool: Pool, quick: bool) -> dict[str, Any]:
    crystal = bulk("Pt", cubic=True)
    rows: list[tuple[object, ...]] = []
    figures: dict[str, Any] = {}
    for miller in FACES:
        given = submission(crystal, miller)
        seconds, slab = cpu_s(partial(cut, given), 3)
        began = time.perf_counter()
        pool.ask(Placing(given.model_dump(mode="json"), JobParameters(), 400))
        stage = time.perf_counter() - began
        peer = by_pymatgen(crystal, miller) if miller in PEER_FACES[: 1 if quick else None] else None
        name = " ".join(map(str, miller))
        figures[name] = {"atoms": len(slab), "cut_s": seconds, "stage_s": stage, "pymatgen_s": peer}
        rows.append((name, len(slab), f"{seconds:.3f}", f"{stage:.3f}", "-" if peer is None else f"{peer:.2f}"))
    report.show("Pt", ["face", "atoms", "cut, CPU s", "whole stage, s", "pymatgen's cut, CPU s"], rows)
    return figures


def _placed(slab: Structure) -> list[Placed]:
    return place(slab, lookup("*CO"), Placement(count=20), np.random.default_rng(0))


def placements() -> dict[str, float]:
    figures = {}
    for size in ((2, 2, 3), (4, 4, 5), (6, 6, 8)):
        atoms = fcc111("Pt", size, a=3.92, vacuum=8.0, periodic=True)
        atoms.set_tags(0)
        slab = marked(atoms)
        seconds, _ = cpu_s(partial(_placed, slab), 5)
        figures[str(len(slab))] = 1e3 * seconds
    report.show("20 placements of *CO", ["slab atoms", "CPU ms"], [(n, f"{ms:.1f}") for n, ms in figures.items()])
    return figures


def largest(pool: Pool) -> dict[str, float]:
    """The most expensive stages that a front end lets through, and what of them crosses between processes."""
    given = submission(bulk("Pt", cubic=True), (3, 2, 1), min_width=16.0)
    parameters = JobParameters(placement=Placement(count=500))
    began = time.perf_counter()
    system, placed = pool.ask(Placing(given.model_dump(mode="json"), parameters, 400))
    whole = time.perf_counter() - began
    began = time.perf_counter()
    message = pickle.dumps((system, placed), pickle.HIGHEST_PROTOCOL)
    pickle.loads(message)
    crossing = time.perf_counter() - began
    minima = [one.structure for one in placed] * 20
    comparing = Comparing(minima, np.linspace(-1, 1, len(minima)).tolist(), JobParameters().similarity)
    began = time.perf_counter()
    asked = pickle.dumps(comparing, pickle.HIGHEST_PROTOCOL)
    sending = time.perf_counter() - began
    began = time.perf_counter()
    pool.ask(comparing)
    compared = time.perf_counter() - began
    figures = {
        "atoms": len(placed[0].structure),
        "placements": len(placed),
        "stage_s": whole,
        "message_mb": len(message) / 1e6,
        "crossing_s": crossing,
        "minima": len(minima),
        "comparing_s": compared,
        "comparing_mb": len(asked) / 1e6,
        "sending_s": sending,
    }
    report.show("The largest stages", ["what", "value"], [(name, f"{value:.3g}") for name, value in figures.items()])
    return figures


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="pymatgen's cut of (1 1 1) only")
    quick = parser.parse_args().quick
    kind = Kind(
        name="benchmark",
        module="worker.tasks.stage_child",
        time_limit_s=600.0,
        cpu_s=600,
        memory_bytes=2**31,
        queue_limit_s=1.0,
        busy="busy",
        codec="pickle",
    )
    pool = Pool(kind, size=1)
    pool.start()
    try:
        report.finish({"cuts": cuts(pool, quick), "placements_ms": placements(), "largest": largest(pool)})
    finally:
        pool.close()


if __name__ == "__main__":
    main()
