"""Labelled structures for the small checkpoints: what searches by SevenNet-0 evaluate on small adsorption systems.

Energies are adsorption energies on OC20's scale (services.scoring.references), clean slab and gas molecules relaxed by SevenNet-0.
The structures are those of placements, relaxations and escapes of minima hopping, as the service runs them, so that the
networks have seen what a search by them will ask for. Whole walkers are held out, never single frames of one that is trained on.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import fcc100, fcc111
from ase.io import read, write

from benchmarks.challenge.frames import Recorder, frame, thinned
from services.forces.engine import run
from services.forces.potential import Evaluation, Potential
from services.forces.restraints import Restraints
from services.scoring.references import adsorption_energy, coefficients, gas_start
from services.search import hopping
from services.search.curvature import model_hessian
from services.search.minimisation import relax
from services.search.walker import Minimum
from services.systems.assembly import System, assemble
from services.systems.placement import place
from shared.adsorbates import lookup
from shared.errors import Failure
from shared.parameters import JobParameters, Placement
from shared.structures import Structure
from shared.submissions import SlabSubmission
from worker.potentials import registry

LABELS = "sevennet-0"
METALS = ("Cu", "Ni", "Pd", "Pt", "Ag")
ADSORBATES = ("*H", "*O", "*OH", "*CO")
LEFT_OUT = (("Ni", "*O"), ("Ni", "*OH"))
"""SevenNet-0 has them at +3 to +6 eV: its training set mixes PBE with PBE+U where Ni meets O."""
VACUUM = 7.0
APART = 0.03
"""Å between frames of one walk."""
LARGEST_ENERGY = 6.0
"""eV, either way."""


@dataclass(frozen=True)
class Task:
    """Walkers on one system: `walkers` placements, each relaxed and followed by `hops` hops; the last `held_out` are for testing."""

    face: str
    size: tuple[int, int, int]
    metal: str
    adsorbate: str
    walkers: int
    hops: int
    held_out: int

    @property
    def title(self) -> str:
        return f"{self.adsorbate} on {self.metal}({self.face}) {'x'.join(map(str, self.size))}"


TASKS = [
    *(
        Task("111", (2, 2, 3), metal, name, 4, 1, 1)
        for metal in METALS
        for name in ADSORBATES
        if (metal, name) not in LEFT_OUT
    ),
    *(Task("100", (2, 2, 3), metal, name, 2, 0, 0) for metal in ("Cu", "Pd", "Pt") for name in ADSORBATES),
    *(Task("111", (3, 3, 3), metal, name, 1, 0, 0) for metal in ("Cu", "Pt") for name in ("*O", "*CO")),
    *(Task("111", (3, 3, 3), metal, name, 1, 0, 1) for metal in ("Pd", "Ag") for name in ("*OH", "*CO")),
]


def slab(metal: str, face: str, size: tuple[int, int, int]) -> Atoms:
    """A clean slab at ASE's lattice constant, periodic in all directions."""
    made: Atoms = {"111": fcc111, "100": fcc100}[face](metal, size, vacuum=VACUUM)
    made.pbc = True
    made.set_tags(0)  # ASE's count layers; the surface is found from the geometry
    return made


def system(task: Task) -> System:
    """The slab with its subsurface fixed, and the adsorbate."""
    clean = Structure.from_oc_atoms(slab(task.metal, task.face, task.size))
    return assemble(SlabSubmission(slab=clean.to_document(), adsorbate=lookup(task.adsorbate)))


class Labeller:
    """Total energies of one member, brought to OC20's scale."""

    def __init__(self, potential: Potential) -> None:
        self.potential = potential
        self.gas = lru_cache(self._gas)
        self.slabs: dict[str, tuple[Structure, float]] = {}

    def _gas(self, name: str) -> float:
        start = gas_start(name, (True, True, True))
        return run(relax(start, fmax=0.01, max_steps=200, hessian=model_hessian(start)), self.potential).energy

    def clean(self, start: Structure) -> tuple[Structure, float]:
        """The relaxed clean slab and its total energy, eV."""
        if start.digest not in self.slabs:
            found = run(relax(start, fmax=0.01, max_steps=200, hessian=model_hessian(start)), self.potential)
            self.slabs[start.digest] = found.structure, found.energy
        return self.slabs[start.digest]

    def labelled(self, structure: Structure, said: Evaluation, slab_energy: float, title: str) -> Atoms:
        """ASE Atoms with OC20 tags, the adsorption energy and the forces."""
        worth = coefficients(structure.numbers[structure.adsorbate].tolist())
        energy = adsorption_energy(said.energy, slab_energy, {gas: self.gas(gas) for gas in worth}, worth)
        return frame(structure, energy, said.forces, title)


def walk(task: Task, labeller: Labeller, seed: int) -> Iterator[tuple[bool, Atoms]]:
    """Labelled frames of the task's walkers and of its clean slab; with each, whether it is held out."""
    made = system(task)
    recorder = Recorder(labeller.potential)
    slab_structure, slab_energy = labeller.clean(made.slab)
    for structure in (made.slab, slab_structure):
        said = labeller.potential.evaluate([structure])[0]
        yield False, labeller.labelled(structure, said, slab_energy, f"clean {task.title}")
    placed = place(made.slab, made.adsorbate, Placement(count=task.walkers), np.random.default_rng(seed))
    parameters = JobParameters()
    for index, start in enumerate(one.structure for one in placed):
        recorder.said.clear()
        restraints = Restraints.build(start, slab_structure, parameters.restraints)
        walker, known = hopping.begin(start, parameters.hopping, (seed, index)), []
        for _ in range(task.hops + 1):
            try:
                hop = run(hopping.hop(walker, known, restraints, parameters), recorder)
            except Failure:
                break
            walker = hop.walker
            if hop.found is not None:
                known.append(Minimum(hop.found.structure, hop.found.energy))
        for structure, said in thinned(recorder.said, APART):
            yield index >= task.walkers - task.held_out, labeller.labelled(structure, said, slab_energy, task.title)


def make(folder: Path) -> tuple[list[Atoms], list[Atoms]]:
    """Frames to train on and frames held out; kept in the folder, and read from there the next time."""
    files = folder / "train.extxyz", folder / "held_out.extxyz"
    if not all(file.exists() for file in files):
        labeller = Labeller(registry.load(LABELS))
        frames: dict[bool, list[Atoms]] = {False: [], True: []}
        for number, task in enumerate(TASKS):
            for held_out, atoms in walk(task, labeller, seed=number):
                if abs(atoms.get_potential_energy()) < LARGEST_ENERGY:
                    frames[held_out].append(atoms)
            sys.stderr.write(f"{number + 1}/{len(TASKS)} {task.title}: {len(frames[False])} + {len(frames[True])}\n")
        folder.mkdir(parents=True, exist_ok=True)
        for file, which in zip(files, (False, True), strict=True):
            write(file, frames[which], format="extxyz")
    train, held_out = (read(file, index=":", format="extxyz") for file in files)
    return train, held_out


if __name__ == "__main__":
    make(Path(sys.argv[1]))
