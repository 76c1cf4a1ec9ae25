"""The searches: each student searches each system with each method from the same random placements, all students score what is
found, the product chooses, and the teacher says what it is worth.

The teacher's own search of the system, from placements of its own, and all that it says of the students' finds, make up the lowest
energy that is known of the system.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np

from benchmarks.challenge.effort import METHODS, WHOLE, Effort, Known, Store, Unit
from benchmarks.challenge.labels import ELEMENTS
from benchmarks.searches import Event, adhop, clean_slab
from benchmarks.systems import Case, build, starts
from services.forces.engine import run
from services.forces.potential import Card, Evaluation, Potential
from services.geometry import anomalies
from services.geometry.similarity import representatives
from services.scoring.selection import choose
from services.search.curvature import model_hessian
from services.search.minimisation import relax
from shared.errors import Failure
from shared.parameters import Hopping, JobParameters, PlacementMode, Restraints, Similarity
from shared.scored import Pool
from shared.soundness import is_sound
from shared.structures import Floats, Structure

T = TypeVar("T")
MANY = 60
"""Placements of the methods that only relax: more than any budget holds."""
FMAX, STEPS = 0.05, 200
"""Of the teacher's relaxations: eV/Å, and steps at most."""
OTHERS = 1000
"""Added to the seed for the teacher's own placements."""


@dataclass
class Memory:
    """A potential that remembers: methods share relaxations, whose calls are counted all the same."""

    potential: Potential
    said: dict[str, Evaluation] = field(default_factory=dict)

    @property
    def card(self) -> Card:
        return self.potential.card

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """One evaluation per structure, in order."""
        new = {one.digest: one for one in structures if one.digest not in self.said}
        self.said |= zip(new, self.potential.evaluate(list(new.values())), strict=True)
        return [self.said[one.digest] for one in structures]


@dataclass(frozen=True)
class Teacher:
    """Who plays DFT, and its scale: eV for each atom of ELEMENTS in the molecule."""

    potential: Potential
    per_atom: Floats

    def on(self, case: Case) -> Taught:
        system = build(case)
        slab = clean_slab(self.potential, system.slab)
        numbers = np.array(system.adsorbate.numbers)
        worth = sum(
            float(worth) * int((numbers == one).sum()) for one, worth in zip(ELEMENTS, self.per_atom, strict=True)
        )
        return Taught(self.potential, slab, self.potential.evaluate([slab])[0].energy + worth)


@dataclass(frozen=True)
class Taught:
    """The teacher on one system."""

    potential: Potential
    slab: Structure
    """Clean, relaxed by the teacher."""
    zero: float
    """Energy that adsorption energies are relative to, eV."""

    def says(self, structures: Sequence[Structure]) -> list[float | None]:
        """Its adsorption energies, eV; None where it can't tell."""
        return [None if energy is None else energy - self.zero for energy in _energies(self.potential, structures)]

    def relaxes(self, start: Structure, structure: Structure) -> float | None:
        """Adsorption energy after its own relaxation, eV; None where that is unsound. start: the placement it came from."""
        try:
            walk = relax(
                structure, fmax=FMAX, max_steps=STEPS, hessian=model_hessian(structure), damped=True, turning=True
            )
            found = run(walk, self.potential)
        except Failure:
            return None
        sound = is_sound(found.converged, anomalies.find(start, found.structure, self.slab))
        return found.energy - self.zero if sound else None


def parameters(method: int, effort: Effort) -> JobParameters:
    """Of one of METHODS: they differ in restraints and hops alone."""
    hopping = Hopping(hops=1000, patience=1000) if method == WHOLE else Hopping(hops=0)
    return JobParameters(seed=effort.seed, hopping=hopping, restraints=Restraints(enabled=method > 0))


def known(case: Case, teacher: Teacher, effort: Effort) -> Known:
    """What the teacher itself finds, by the whole method."""
    taught, system = teacher.on(case), build(case)
    begun = starts(system, effort.placements, effort.seed + OTHERS, PlacementMode.RANDOM)
    found = adhop(teacher.potential, begun, taught.slab, parameters(WHOLE, effort), effort.teacher_budget).events
    sound = [one for one in found if _judged(one, begun, taught.slab)[0]]
    minima = set(representatives([one.structure for one in sound], [one.energy for one in sound], Similarity()))
    lowest = min((one.energy - taught.zero for one in sound), default=None)
    return Known(str(case), _rounded(lowest), len(minima))


def searched(case: Case, by: str, students: dict[str, Potential], teacher: Teacher, effort: Effort) -> Unit:
    """What one student finds, what the others say of it, what is chosen, and what the teacher says."""
    system, potential = build(case), Memory(students[by])
    slab = clean_slab(potential, system.slab)
    begun = starts(system, MANY, effort.seed, PlacementMode.RANDOM)
    unit, events = Unit(str(case), by), dict[str, Event]()
    for method in range(len(METHODS)):
        count = effort.placements if method == WHOLE else MANY
        found = adhop(potential, begun[:count], slab, parameters(method, effort), effort.budget)
        unit.calls.append(min(found.calls, effort.budget))
        for event in found.events:
            if event.calls <= effort.budget:
                _enter(unit, events, event, method, begun, slab)
    here = list(events.values())
    structures = [one.structure for one in here]
    unit.first = list(representatives(structures, [one.energy for one in here], Similarity()))
    unit.energies = {name: list(map(_rounded, _energies(one, structures))) for name, one in students.items()}
    taught = teacher.on(case)
    unit.teacher = list(map(_rounded, taught.says(structures)))
    unit.chosen = [chosen(unit, method)[: effort.relaxed] for method in range(len(METHODS))]
    for index in sorted({index for ranks in unit.chosen for index in ranks}):
        unit.relaxed[str(index)] = _rounded(taught.relaxes(begun[unit.start[index]], structures[index]))
    return unit


def _enter(
    unit: Unit, events: dict[str, Event], event: Event, method: int, begun: Sequence[Structure], slab: Structure
) -> None:
    """A candidate, or one more method that has it."""
    name = event.structure.digest
    if name in events:
        at = list(events).index(name)
        unit.methods[at] = sorted({*unit.methods[at], method})
        return
    events[name] = event
    unit.start.append(event.start)
    unit.methods.append([method])
    unit.converged.append(event.converged)
    unit.anomalies.append(", ".join(_judged(event, begun, slab)[1]))


def _judged(event: Event, begun: Sequence[Structure], slab: Structure) -> tuple[bool, tuple[str, ...]]:
    names = anomalies.find(begun[event.start], event.structure, slab)
    return is_sound(event.converged, names), names


def chosen(unit: Unit, method: int) -> list[int]:
    """Candidates that the product chooses of what one method has, lowest first."""
    rows = [index for index, methods in enumerate(unit.methods) if method in methods]
    names = tuple(unit.energies)
    energies = np.array([[unit.energies[name][row] for name in names] for row in rows], dtype=np.float64)
    pool = Pool(
        keys=np.array(rows, dtype=np.int64),
        members=names,
        energies=energies.reshape(len(rows), len(names)),
        references=("the teacher's",),
        converged=np.array([unit.converged[row] for row in rows], dtype=np.bool_),
        fmax=np.zeros(len(rows)),
        anomalies=[unit.anomalies[row] for row in rows],
        first=np.array([unit.first[row] for row in rows], dtype=np.int64),
    )
    rules = JobParameters()
    rank = choose(pool, rules.choosing(names), float(rules.ensemble.limit)).rank
    return [rows[index] for index in np.argsort(rank, kind="stable").tolist() if rank[index] >= 0]


def _energies(potential: Potential, structures: Sequence[Structure]) -> list[float | None]:
    found: list[float | None] = []
    for one in structures:
        try:
            found.append(potential.evaluate([one])[0].energy)
        except Failure:
            found.append(None)
    return found


def _rounded(energy: float | None) -> float | None:
    return None if energy is None or not np.isfinite(energy) else round(energy, 4)


@dataclass
class Searches:
    """All that is to be searched; what the store has is left out."""

    cases: Sequence[Case]
    searchers: Sequence[str]
    effort: Effort
    store: Store
    load_students: Callable[[], dict[str, Potential]]
    load_teacher: Callable[[], Teacher]

    @cached_property
    def students(self) -> dict[str, Potential]:
        return self.load_students()

    @cached_property
    def teacher(self) -> Teacher:
        return self.load_teacher()

    def run(self, until: float) -> bool:
        """One piece after the other; until: `time.monotonic()` after which none is begun. Whether all is done."""
        for say, work in self._left():
            if time.monotonic() > until:
                return False
            began = time.process_time()
            done = work()
            done.seconds = round(time.process_time() - began, 1)
            self.store.add(done)
            sys.stderr.write(f"{say}: {done.seconds:.0f} s\n")
        return True

    def _left(self) -> Iterator[tuple[str, Callable[[], Unit | Known]]]:
        there, units = self.store.known(), {(one.system, one.by) for one in self.store.units()}
        for by in self.searchers:
            for case in self.cases:
                if str(case) not in there:
                    there[str(case)] = Known(str(case), None, 0)
                    yield f"{case}, teacher", lambda case=case: known(case, self.teacher, self.effort)  # type: ignore[misc]
                if (str(case), by) not in units:
                    yield (
                        f"{case}, {by}",
                        lambda case=case, by=by: searched(case, by, self.students, self.teacher, self.effort),  # type: ignore[misc]
                    )
