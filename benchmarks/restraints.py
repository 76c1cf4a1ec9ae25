"""Restraint energies and forces of 16 structures in one pass, against a list of ASE's Hookean on 120 pairs of each."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from ase.constraints import Hookean

from benchmarks import report
from benchmarks.systems import Case, build, starts
from services.forces.restraints import Restraints, together
from services.forces.springs import Pass
from shared.parameters import Restraints as Settings
from shared.structures import Floats

STRUCTURES = 16
PAIRS = 120
REPEATS = 200
SMALL = Case("Cu", "111", "*CCO", (2, 2, 3))
LARGE = Case("Cu", "111", "*CCO")


def median_ms(work: Callable[[], Any], repeats: int) -> float:
    """Median wall time of one call, ms."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1e3 * float(np.median(times))


def measure(case: Case) -> tuple[int, float, float, float]:
    """Springs of each structure; ms of a pass over all structures, and of one that must be laid out first; ms of ASE's lists of
    `PAIRS` springs each."""
    system = build(case)
    begun = starts(system, STRUCTURES, 0)
    ours = [Restraints.build(start, system.slab, Settings()) for start in begun]
    rng = np.random.default_rng(0)
    places: list[Floats] = [start.positions + rng.normal(scale=0.05, size=start.positions.shape) for start in begun]
    lists = []
    for one, start, positions in zip(ours, begun, places, strict=True):
        atoms = start.to_atoms()
        atoms.positions = positions
        atoms.set_constraint()
        pairs = zip(*one.springs.atoms.tolist(), one.springs.threshold.tolist(), strict=True)
        hookeans = [Hookean(a1=i, a2=j, rt=max(rt, 0.1), k=10.0) for i, j, rt in pairs][:PAIRS]
        lists.append((atoms, hookeans))

    def ase() -> None:
        for atoms, hookeans in lists:
            forces = np.zeros((len(atoms), 3))
            for pair in hookeans:
                pair.adjust_forces(atoms, forces)
                pair.adjust_potential_energy(atoms)

    n_springs = int(np.median([len(one.springs.kind) for one in ours]))
    return (
        n_springs,
        median_ms(lambda: together(ours, places), REPEATS),
        median_ms(lambda: Pass([one.springs for one in ours]).evaluate(places), REPEATS),
        median_ms(ase, 5),
    )


def main() -> None:
    """Entry point."""
    measured = {case: measure(case) for case in (SMALL, LARGE)}
    report.show(
        f"restraints: {STRUCTURES} structures in one pass, medians; ASE with {PAIRS} pairs each",
        ["", "springs each", "ms", "new walkers, ms", "ASE Hookean, ms", "ASE over ours"],
        [
            [case, n, f"{ms:.2f}", f"{first:.2f}", f"{ase_ms:.0f}", f"{ase_ms / ms:.0f}x"]
            for case, (n, ms, first, ase_ms) in measured.items()
        ],
    )
    n, ms, first, ase_ms = measured[SMALL]
    report.finish({"springs": n, "ms": ms, "new_walkers_ms": first, "ase_ms": ase_ms})


if __name__ == "__main__":
    main()
