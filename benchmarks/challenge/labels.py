"""What the teacher says of some thousand structures: of random placements, relaxations with and without restraints, hops,
rattled minima, as a search by the students will meet them, and atoms pressed onto others, as it must not (without these the
students had minima in common with H at 1 Å from a metal atom).

Energies are E(adslab) - E(relaxed clean slab), eV; what an atom of the molecule counts for is taken off when they are learned from
(`constants_of`). Each system has a file of its own, written when it is done: a run that was stopped goes on with the next.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from ase import Atoms

from benchmarks.challenge import packed
from benchmarks.challenge.frames import LARGEST_FORCE, Recorder, thinned
from benchmarks.challenge.packed import Labelled
from benchmarks.challenge.systems import labelled
from benchmarks.systems import Case, build, starts
from services.forces.engine import run
from services.forces.potential import Potential
from services.forces.restraints import Restraints
from services.geometry.contacts import pair_vectors, radius_sums
from services.scoring import constants
from services.search import hopping
from services.search.curvature import model_hessian
from services.search.minimisation import relax
from services.systems.assembly import System
from shared.errors import Failure
from shared.parameters import Hopping, JobParameters, PlacementMode
from shared.structures import Floats, Structure
from worker.potentials import registry

ELEMENTS = (1, 6, 8)
APART = 0.1
"""Å between frames of one walk."""
SHORT = Hopping(fmax=0.1, max_relaxation_steps=60, max_md_steps=80)
"""Walks end early: the last steps of a relaxation teach little."""
WALKED = 18
"""Frames of a system's walks, drawn at random: many systems teach more than many frames of one."""
RATTLED = 3
"""Copies of each minimum."""
RATTLE = (0.12, 0.05)
"""Å: standard deviation of the places of the molecule's atoms, and of the slab's free ones."""
PRESSED = 6
"""Minima with an atom of the molecule, or all of it, moved towards another atom; none of systems that are held out."""
CLOSE = (0.6, 0.95)
"""Times the covalent radii: between which distance it is moved to, drawn at random."""
HARDEST = 40.0
"""eV/Å: of these, those with larger forces are left out."""
HELD_OUT = 12
"""Systems, the last ones of `labelled`, that nothing is learned from."""
TOLD = "teacher.txt"
"""Who labelled."""
WILDEST = 6.0
"""eV: labels that lie further from what their molecules' atoms count for are left out."""


class Labeller:
    """Frames of one system after the other."""

    def __init__(self, teacher: str, seed: int) -> None:
        self._teacher, self._seed = teacher, seed
        self._slabs: dict[str, tuple[Structure, float]] = {}
        self._shown: set[str] = set()

    @cached_property
    def potential(self) -> Potential:
        return registry.load(self._teacher)

    def frames(self, number: int, case: Case, *, held_out: bool = False) -> list[Labelled]:
        """All labelled frames of a system; unless it is held out, of its clean slab too, where that wasn't shown before."""
        system, recorder = build(case), Recorder(self.potential)
        slab, zero = self._clean(system.slab)
        if not held_out and system.slab.digest not in self._shown:
            self._shown.add(system.slab.digest)
            recorder.evaluate([system.slab, slab])
        said = recorder.said
        recorder.said = []
        found = self._walked(system, slab, recorder, number)
        chance = np.random.default_rng([self._seed, number])
        walked = list(thinned(recorder.said, APART))
        kept = np.sort(chance.permutation(len(walked))[:WALKED])
        said += [walked[index] for index in kept.tolist()]
        recorder.said.clear()
        recorder.evaluate([_rattled(one, chance) for one in found for _ in range(RATTLED)])
        said += [(one, answer) for one, answer in recorder.said if np.abs(answer.forces).max() < LARGEST_FORCE]
        if found and not held_out:
            recorder.said.clear()
            recorder.evaluate([_pressed(found[index % len(found)], chance) for index in range(PRESSED)])
            said += [(one, answer) for one, answer in recorder.said if np.abs(answer.forces).max() < HARDEST]
        return [(structure, replace(answer, energy=answer.energy - zero)) for structure, answer in said]

    def _clean(self, slab: Structure) -> tuple[Structure, float]:
        """The relaxed clean slab and its energy, eV."""
        if slab.digest not in self._slabs:
            found = run(relax(slab, fmax=0.02, max_steps=300, hessian=model_hessian(slab), damped=True), self.potential)
            self._slabs[slab.digest] = found.structure, found.energy
        return self._slabs[slab.digest]

    def _walked(self, system: System, slab: Structure, recorder: Recorder, number: int) -> list[Structure]:
        """Two random placements: one relaxed with restraints and hopped from once, one relaxed without. The minima."""
        minima, parameters = [], JobParameters(hopping=SHORT)
        for index, start in enumerate(starts(system, 2, number, PlacementMode.RANDOM)):
            restraints = None if index else Restraints.build(start, slab, parameters.restraints)
            walker = hopping.begin(start, parameters.hopping, (self._seed, number, index))
            for _ in range(1 if index else 2):
                try:
                    hop = run(hopping.hop(walker, [], restraints, parameters), recorder)
                except Failure:
                    break
                walker = hop.walker
                minima += [] if hop.found is None else [hop.found.structure]
        return minima


def _rattled(structure: Structure, chance: np.random.Generator) -> Structure:
    size = np.where(structure.adsorbate, *RATTLE) * structure.free
    return structure.moved(structure.positions + chance.normal(size=structure.positions.shape) * size[:, None])


def _pressed(structure: Structure, chance: np.random.Generator) -> Structure:
    """One atom of the molecule, or the molecule with it, moved towards one of the three atoms that are nearest to it."""
    molecule = np.flatnonzero(structure.adsorbate)
    one, together = int(chance.choice(molecule)), len(molecule) == 1 or chance.uniform() < 0.5
    moving = molecule if together else np.array([one])
    others = np.setdiff1d(np.arange(len(structure)), moving)
    vectors = pair_vectors(structure.positions[[one]], structure.positions[others], structure.cell, structure.pbc)[0]
    lengths = np.linalg.norm(vectors, axis=1)
    near = int(chance.choice(np.argsort(lengths, kind="stable")[:3]))
    bond = float(radius_sums(structure.numbers[[one]], structure.numbers[others])[0, near])
    positions = structure.positions.copy()
    positions[moving] += vectors[near] * (1 - chance.uniform(*CLOSE) * bond / lengths[near])
    return structure.moved(positions)


def make(folder: Path, teacher: str, *, seed: int = 0, most: int | None = None, until: float = float("inf")) -> None:
    """Label the systems that have no file yet. most: frames in all, and until: `time.monotonic()`, after which none is begun."""
    folder.mkdir(parents=True, exist_ok=True)
    told = folder / TOLD
    if not told.exists():
        told.write_text(f"{teacher}\n")
    if (before := teacher_of(folder)) != teacher:
        raise SystemExit(f"{folder} has labels by {before}: give {teacher}'s a folder of their own, --labels")
    cases = labelled(seed)
    first = len(cases) - HELD_OUT
    order = [*range(first, len(cases)), *range(first)]
    labeller, total = Labeller(teacher, seed), 0
    for number in order:
        file = folder / f"{number:03d}.npz"
        if not file.exists():
            found = labeller.frames(number, cases[number], held_out=number >= first)
            packed.write(file, cases[number], found)
            sys.stderr.write(f"{number} of {len(cases)}, {cases[number]}: {len(found)} frames, {total} before\n")
        total += len(packed.read(file, cases[number]))
        if (most is not None and total >= most) or time.monotonic() > until:
            return


def teacher_of(folder: Path) -> str:
    """Whose labels are in the folder."""
    return (folder / TOLD).read_text().strip()


def load(folder: Path, *, seed: int = 0) -> tuple[list[Atoms], list[Atoms]]:
    """Frames to learn from, and those of systems held out."""
    cases = labelled(seed)
    parts: tuple[list[Atoms], list[Atoms]] = ([], [])
    for number, case in enumerate(cases):
        file = folder / f"{number:03d}.npz"
        if file.exists():
            parts[number >= len(cases) - HELD_OUT].extend(packed.read(file, case))
    return parts


def constants_of(frames: Sequence[Atoms]) -> Floats:
    """What an atom of H, C and O counts for, eV [3]: fitted to the labels, as OC20's references are one energy per atom."""
    return constants.fit(counts_of(frames), np.array([atoms.get_potential_energy() for atoms in frames]))


def counts_of(frames: Sequence[Atoms]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Atoms of ELEMENTS in each molecule [n, 3]."""
    molecules = [atoms.numbers[atoms.get_tags() == 2] for atoms in frames]
    return np.array([[int((one == element).sum()) for element in ELEMENTS] for one in molecules])


def on_scale(frames: Sequence[Atoms], per_atom: Floats) -> list[Atoms]:
    """The frames with adsorption energies relative to these constants, without the wildest."""
    energies = np.array([atoms.get_potential_energy() for atoms in frames]) - counts_of(frames) @ per_atom
    kept = []
    for atoms, energy in zip(frames, energies.tolist(), strict=True):
        if abs(energy) < WILDEST:
            atoms.calc.results["energy"] = energy
            kept.append(atoms)
    return kept
