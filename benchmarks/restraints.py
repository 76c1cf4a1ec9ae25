"""Restraint energies and forces of 16 structures with some 120 pairs each, against a list of ASE's Hookean on the same pairs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from ase.constraints import Hookean

from benchmarks import report
from benchmarks.systems import Case, build, starts
from services.restraints import Restraints
from shared.parameters import Restraints as Settings
from shared.structures import Floats

STRUCTURES = 16
REPEATS = 200


def median_ms(work: Callable[[], Any], repeats: int) -> float:
    """Median wall time of one call, ms."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1e3 * float(np.median(times))


def main() -> None:
    """Entry point."""
    system = build(Case("Cu", "111", "*CCO"))
    begun = starts(system, STRUCTURES, 0)
    ours = [Restraints.build(start, system.slab, Settings()) for start in begun]
    rng = np.random.default_rng(0)
    places: list[Floats] = [start.positions + rng.normal(scale=0.05, size=start.positions.shape) for start in begun]

    def adhop() -> None:
        for restraints, positions in zip(ours, places, strict=True):
            restraints.evaluate(positions)

    lists = []
    for restraints, start, positions in zip(ours, begun, places, strict=True):
        atoms = start.to_atoms()
        atoms.positions = positions
        atoms.set_constraint()
        hookeans = [
            Hookean(a1=int(i), a2=int(j), rt=float(rt), k=10.0)
            for springs in (restraints.bonds, restraints.contacts)
            for i, j, rt in zip(springs.first, springs.second, springs.threshold, strict=True)
            if i != j
        ][:120]
        lists.append((atoms, hookeans))

    def ase() -> None:
        for atoms, hookeans in lists:
            forces = np.zeros((len(atoms), 3))
            for pair in hookeans:
                pair.adjust_forces(atoms, forces)
                pair.adjust_potential_energy(atoms)

    ms, ase_ms = median_ms(adhop, REPEATS), median_ms(ase, 5)
    pairs = np.median([len(one.bonds.first) + len(one.contacts.first) for one in ours])
    report.show(
        f"restraints: {STRUCTURES} structures of {len(begun[0])} atoms, medians",
        ["", "pairs each", "ms", "ASE over ours"],
        [
            ["adhop", int(pairs), f"{ms:.2f}", ""],
            ["ASE Hookean", len(lists[0][1]), f"{ase_ms:.1f}", f"{ase_ms / ms:.0f}x"],
        ],
    )
    report.finish({"ms": ms, "ase_ms": ase_ms})


if __name__ == "__main__":
    main()
