"""What members are timed on, and how the host's part is told apart."""

from __future__ import annotations

import statistics
import time
from typing import Any

from ase import Atoms
from ase.build import add_adsorbate, fcc111

from shared.structures import Structure


def slab_with_co(seed: int = 0) -> Structure:
    """CO in a hollow of Pt(111) 4x5x4, 82 atoms, the lower two layers fixed, shaken."""
    slab = fcc111("Pt", (4, 5, 4), orthogonal=False, vacuum=10.0)
    layers = slab.get_tags()
    add_adsorbate(slab, Atoms("CO", [[0, 0, 0], [0, 0, 1.17]]), 1.4, "fcc", mol_index=0)
    slab.pbc = True
    slab.rattle(0.05, seed=seed)
    adsorbate = [False] * len(layers) + [True] * 2
    made = Structure.from_atoms(slab, adsorbate=adsorbate, surface=[*(layers == 1), False, False])
    return made.with_roles(fixed=[*(layers > 2), False, False])


def host_ms(potential: Any, batch: int = 32, repeats: int = 10) -> float | None:
    """CPU time of one thread that it takes to prepare a structure of 82 atoms for the device, ms, in batches of so many: graphs, and
    what is sent. None for a member that computes on the host alone."""
    prepare = getattr(getattr(potential, "_forward", None), "prepare", None)
    if prepare is None:
        return None
    structures, times = [slab_with_co(seed) for seed in range(batch)], []
    for _ in range(repeats):
        began = time.thread_time()
        prepare(structures)
        times.append(time.thread_time() - began)
    return 1e3 * statistics.median(times) / batch
