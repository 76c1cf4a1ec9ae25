"""Is this minimum known? One against 1,000, by services.geometry.similarity and by the comparison of ASE's MinimaHopping."""

from __future__ import annotations

import time

import numpy as np
from ase.optimize.minimahopping import ComparePositions

from benchmarks import report
from benchmarks.restraints import median_ms
from benchmarks.systems import Case, build, starts
from services.geometry.similarity import equivalents, fingerprint
from shared.parameters import Similarity

KNOWN = 1000
COMPARED_BY_ASE = 10


def main() -> None:
    """Entry point."""
    system = build(Case("Cu", "111", "*CCO"))
    rng = np.random.default_rng(0)
    begun = starts(system, 40, 0)
    known = [
        start.moved(start.positions + rng.normal(scale=0.1, size=start.positions.shape))
        for start in (begun[index % len(begun)] for index in range(KNOWN))
    ]
    prints, energies = np.array([fingerprint(one) for one in known]), rng.normal(scale=0.01, size=KNOWN)

    def adhop() -> None:
        new = begun[0].moved(begun[0].positions)  # a fresh structure: its fingerprint is not kept from before
        equivalents(fingerprint(new), 0.0, prints, energies, Similarity())

    compare = ComparePositions(translate=True)
    new = begun[0].to_atoms()
    began = time.perf_counter()
    for other in known[:COMPARED_BY_ASE]:
        compare(other.to_atoms(), new)
    ase_ms = 1e3 * (time.perf_counter() - began) * KNOWN / COMPARED_BY_ASE
    ms = median_ms(adhop, 50)
    report.show(
        f"one minimum against {KNOWN} known ones ({len(new)} atoms)",
        ["", "ms", "ASE over ours"],
        [
            ["adhop", f"{ms:.2f}", ""],
            [f"ASE, scaled up from {COMPARED_BY_ASE}", f"{ase_ms:.0f}", f"{ase_ms / ms:.0f}x"],
        ],
    )
    report.finish({"ms": ms, "ase_ms": ase_ms})


if __name__ == "__main__":
    main()
