"""Labelled frames of one system in a few kilobytes: what moves in them, rounded, and nothing that the system itself tells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms

from benchmarks.challenge.frames import frame
from benchmarks.systems import Case, build, starts
from services.forces.potential import Evaluation
from shared.structures import Structure

PLACE, FORCE, ENERGY = 1e-4, 1e-3, 1e-5
"""What is rounded to: Å, eV/Å, eV. Forces on fixed atoms are left out: nobody learns from them."""

Labelled = tuple[Structure, Evaluation]


def write(file: Path, case: Case, labelled: Sequence[Labelled]) -> None:
    """Frames of the adslab, and of its clean slab. Energies: on whatever scale they are."""
    like = _adslab(case)
    n_free = int(like.free.sum())
    places = np.zeros((len(labelled), n_free, 3), dtype=np.int32)
    forces = np.zeros_like(places)
    for index, (structure, answer) in enumerate(labelled):
        mine = np.flatnonzero(structure.free)
        start = like.positions[: len(structure)]
        places[index, : len(mine)] = np.rint((structure.positions - start)[mine] / PLACE)
        forces[index, : len(mine)] = np.rint(answer.forces[mine] / FORCE)
    energies = np.rint(np.array([answer.energy for _, answer in labelled]) / ENERGY).astype(np.int64)
    clean = np.array([not structure.adsorbate.any() for structure, _ in labelled])
    part = file.with_suffix(".part")
    with part.open("wb") as out:
        np.savez_compressed(out, places=places, forces=forces, energies=energies, clean=clean)
    part.replace(file)


def read(file: Path, case: Case) -> list[Atoms]:
    """ASE Atoms with OC20 tags, energies, eV, and forces, eV/Å, zero on fixed atoms."""
    adslab, slab = _adslab(case), build(case).slab
    made = []
    with np.load(file) as kept:
        columns = [kept[name] for name in ("places", "forces", "energies", "clean")]
    for places, forces, energy, clean in zip(*columns, strict=True):
        like = slab if clean else adslab
        mine = np.flatnonzero(like.free)
        positions, felt = adslab.positions[: len(like)].copy(), np.zeros((len(like), 3))
        positions[mine] += places[: len(mine)] * PLACE
        felt[mine] = forces[: len(mine)] * FORCE
        made.append(frame(like.moved(positions), float(energy) * ENERGY, felt, str(case)))
    return made


def _adslab(case: Case) -> Structure:
    """Slab atoms first, in the places that they have before anything moves."""
    return starts(build(case), 1, 0)[0]
