"""The method's three steps on real systems with the offline members: every member searches, every member scores everything.

What was found is kept in a file after each search, so that a run that was interrupted goes on where it ended.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import fcc100, fcc110, fcc111, fcc211, hcp0001

from benchmarks.searches import Search, adhop, clean_slab
from benchmarks.systems import Case, starts
from services.forces.engine import run
from services.forces.potential import Potential
from services.geometry import anomalies
from services.scoring import references
from services.search.curvature import model_hessian
from services.search.minimisation import relax
from services.systems.assembly import System, assemble
from shared.adsorbates import lookup
from shared.errors import Failure
from shared.parameters import Hopping, JobParameters, Restraints
from shared.soundness import is_sound
from shared.structures import Structure
from shared.submissions import SlabSubmission
from worker.potentials import registry

MEMBERS = ("chgnet-0.3.0", "sevennet-0", "chgnet-r2scan")
METHODS = ("BFGS", "BFGS + restraints", "BFGS + restraints + hopping")
UNLIMITED = 10**9
VACUUM = 7.0

CASES = (
    Case("Pt", "111", "*CO"),
    Case("Cu", "100", "*OH"),
    Case("Pd", "111", "*CH3"),
    Case("Ag", "110", "*O"),
    Case("Rh", "111", "*NO"),
    Case("Cu", "211", "*CHO"),
    Case("Ni", "100", "*NH2"),
    Case("Au", "110", "*CO"),
    Case("Cu", "111", "*OH2"),
    Case("Pt", "100", "*OOH"),
    Case("Ru", "0001", "*N"),
    Case("Pd", "100", "*OCH3"),
)


@dataclass(frozen=True)
class Effort:
    """How much of it."""

    cases: tuple[Case, ...] = CASES
    placements: int = 6
    """Of each search."""
    walkers: int = 2
    """That hop on."""
    hops: int = 2
    """Of each walker."""
    seed: int = 0

    @property
    def digest(self) -> str:
        """Results of another effort are not to be mixed with these. Systems don't know of each other: more may be added."""
        return f"{self.placements} placements, {self.walkers} walkers, {self.hops} hops, seed {self.seed}"


QUICK = Effort(cases=CASES[:3], placements=3, walkers=1, hops=1)


@dataclass
class Found:
    """A candidate of one system."""

    member: str
    method: int
    """Index into METHODS of the first that has it."""
    start: int
    """Index of the placement that it was found from."""
    calls: int
    """Force calls of the whole search when it was found."""
    energy: float
    """Bare, by the member that found it, eV."""
    converged: bool
    anomalies: list[str]
    positions: list[list[float]]
    """Å [n_atoms, 3]."""
    adsorption: dict[str, float] = field(default_factory=dict)
    """eV per adslab by member, once scored."""

    @property
    def sound(self) -> bool:
        return is_sound(self.converged, self.anomalies)


@dataclass(frozen=True)
class Store:
    """A file of what was found, by system; written anew after every step."""

    path: Path
    effort: Effort

    def read(self) -> dict[str, dict[str, Any]]:
        """What is there of this effort; nothing where the file is of another one."""
        if not self.path.exists():
            return {}
        kept = json.loads(self.path.read_text())
        return dict(kept["systems"]) if kept["effort"] == self.effort.digest else {}

    def write(self, systems: dict[str, dict[str, Any]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        there = self.path.with_suffix(".part")
        there.write_text(json.dumps({"effort": self.effort.digest, "systems": systems}))
        there.replace(self.path)


_load = lru_cache(registry.load)


def collect(store: Store) -> dict[str, list[Found]]:
    """The candidates of every system, searched and scored; what the store has already is not computed again."""
    warnings.simplefilter("ignore")
    systems = store.read()
    began = time.monotonic()
    for number, case in enumerate(store.effort.cases, start=1):
        kept = systems.setdefault(str(case), {"found": {}, "scored": False})
        for member in MEMBERS:
            if member not in kept["found"]:
                kept["found"][member] = [asdict(one) for one in _searched(case, member, store.effort)]
                store.write(systems)
                _say(f"{number} of {len(store.effort.cases)}, {case}, {member}: {time.monotonic() - began:.0f} s")
        if not kept["scored"]:
            found = [Found(**one) for ones in kept["found"].values() for one in ones]
            _score(case, found)
            kept["found"] = {member: [asdict(one) for one in found if one.member == member] for member in MEMBERS}
            kept["scored"] = True
            store.write(systems)
    return {
        str(case): [Found(**one) for ones in systems[str(case)]["found"].values() for one in ones]
        for case in store.effort.cases
    }


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _slab(case: Case) -> Atoms:
    """Three layers (four of the open faces), four surface atoms of the close-packed ones."""
    builders = {
        "111": lambda: fcc111(case.metal, (2, 2, 3), vacuum=VACUUM),
        "100": lambda: fcc100(case.metal, (2, 2, 3), vacuum=VACUUM),
        "110": lambda: fcc110(case.metal, (2, 2, 4), vacuum=VACUUM),
        "211": lambda: fcc211(case.metal, (3, 2, 3), vacuum=VACUUM),
        "0001": lambda: hcp0001(case.metal, (2, 2, 3), vacuum=VACUUM),
    }
    slab: Atoms = builders[case.face]()
    slab.pbc = True
    slab.set_tags(0)
    return slab


def _system(case: Case) -> System:
    slab = Structure.from_oc_atoms(_slab(case))
    return assemble(SlabSubmission(slab=slab.to_document(), adsorbate=lookup(case.adsorbate)))


def _searched(case: Case, member: str, effort: Effort) -> Iterator[Found]:
    """What one member finds: plain relaxations, restrained ones, and hops from the best of these, all from the same starts."""
    potential, system = _load(member), _system(case)
    slab = clean_slab(potential, system.slab)
    begun = starts(system, effort.placements, effort.seed)

    def parameters(*, hops: int, restrained: bool) -> JobParameters:
        hopping = Hopping(hops=hops, walkers=effort.walkers)
        return JobParameters(seed=effort.seed, hopping=hopping, restraints=Restraints(enabled=restrained))

    plain = adhop(potential, begun, slab, parameters(hops=0, restrained=False), UNLIMITED)
    whole = adhop(potential, begun, slab, parameters(hops=effort.hops, restrained=True), UNLIMITED)
    yield from _candidates(member, plain, begun, slab, first=0, later=0)
    yield from _candidates(member, whole, begun, slab, first=1, later=2)


def _candidates(
    member: str, search: Search, begun: Sequence[Structure], slab: Structure, *, first: int, later: int
) -> Iterator[Found]:
    """first, later: the method that a start's own relaxation, and a hop from it, count for."""
    seen: set[int] = set()
    for event in search.events:
        names = anomalies.find(begun[event.start], event.structure, slab)
        yield Found(
            member=member,
            method=later if event.start in seen else first,
            start=event.start,
            calls=event.calls,
            energy=event.energy,
            converged=event.converged,
            anomalies=list(names),
            positions=event.structure.positions.tolist(),
        )
        seen.add(event.start)


def _score(case: Case, found: list[Found]) -> None:
    """Every member's adsorption energy of every candidate."""
    system = _system(case)
    like = starts(system, 1, 0)[0]
    counts = references.coefficients(system.adsorbate.numbers)
    for member in MEMBERS:
        potential = _load(member)
        slab = potential.evaluate([clean_slab(potential, system.slab)])[0].energy
        gas = {name: _gas(member, name) for name in counts}
        for one in found:
            try:
                total = potential.evaluate([like.moved(np.array(one.positions))])[0].energy
            except Failure:
                continue
            one.adsorption[member] = references.adsorption_energy(total, slab, gas, counts)


@lru_cache
def _gas(member: str, name: str) -> float:
    """Energy of a reference molecule, relaxed by the member in its box, eV."""
    potential: Potential = _load(member)
    start = references.gas_start(name, (True, True, True))
    return run(relax(start, fmax=0.02, max_steps=300, hessian=model_hessian(start)), potential).energy
