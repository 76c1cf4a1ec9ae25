"""ASE's MinimaHopping with Hookean restraints, on the same starts: one run per start, each with its share of the calls.

Its settings are its own defaults. Restraints as its documentation shows them: a spring on each bond of the molecule, and a ceiling
that keeps it from leaving.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.constraints import FixAtoms, Hookean
from ase.optimize.minimahopping import MinimaHopping

from benchmarks.searches import Event, Search
from services.forces.engine import run
from services.forces.potential import Potential
from services.geometry.contacts import radius_sums
from services.search.curvature import model_hessian
from services.search.minimisation import relax
from shared.errors import Failure
from shared.structures import Structure

CEILING = 3.5
"""Å above the surface, where the ceiling's spring begins."""


class _Spent(Exception):
    """The budget of force calls is used up."""


class Counting(Calculator):
    """A potential of ours as ASE's calculator; counts calls and stops at the budget."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012 - ASE's interface

    def __init__(self, potential: Potential, topology: Structure, budget: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._potential, self._topology, self._budget = potential, topology, budget
        self.calls = 0

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        super().calculate(atoms, properties, system_changes)  # type: ignore[no-untyped-call]
        if self.calls >= self._budget:
            raise _Spent
        self.calls += 1
        answer = self._potential.evaluate([self._topology.moved(atoms.positions)])[0]
        self.results = {"energy": answer.energy, "forces": answer.forces}


def minima_hopping(potential: Potential, starts: Sequence[Structure], budget: int, seed: int) -> Search:
    """What ASE finds with `budget` calls in all. Its minima are relaxed once more without restraints, which is not counted."""
    share = budget // len(starts)
    events: list[Event] = []
    calls = hops = hop_calls = 0
    for index, start in enumerate(starts):
        found, spent, first = _one(potential, start, share, seed * 1000 + index)
        calls += spent
        hops += max(len(found) - 1, 0)
        hop_calls += max(spent - first, 0)
        for when, positions in found:
            final = _released(potential, start.moved(positions))
            if final is not None:
                # walkers run side by side: the others have spent as much by then
                events.append(Event(when * len(starts), *final, index))
    return Search(sorted(events, key=lambda event: event.calls), calls, hops, hop_calls)


def _released(potential: Potential, structure: Structure) -> tuple[Structure, float, bool] | None:
    try:
        done = run(relax(structure, fmax=0.05, max_steps=200, hessian=model_hessian(structure)), potential)
    except Failure:
        return None
    return done.structure, done.energy, done.converged


def _one(
    potential: Potential, start: Structure, budget: int, seed: int
) -> tuple[list[tuple[int, np.ndarray[Any, Any]]], int, int]:
    """(calls, positions) of every relaxed geometry; calls spent; calls of the first relaxation."""
    atoms = start.to_atoms()
    atoms.set_constraint([FixAtoms(mask=start.fixed), *_springs(atoms, start)])
    atoms.calc = Counting(potential, start, budget)
    found: list[tuple[int, np.ndarray[Any, Any]]] = []

    class Recording(MinimaHopping):
        def _optimize(self) -> None:
            super()._optimize()  # type: ignore[no-untyped-call]
            found.append((atoms.calc.calls, self._atoms.positions.copy()))

    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # its state is files in the working directory
        try:
            Recording(atoms, rng=np.random.RandomState(seed))()  # type: ignore[no-untyped-call]
        except _Spent:
            pass
        finally:
            os.chdir(here)
    return found, atoms.calc.calls, found[0][0] if found else budget


def _springs(atoms: Atoms, start: Structure) -> list[Hookean]:
    molecule = np.flatnonzero(start.adsorbate)
    sums = radius_sums(start.numbers, start.numbers)
    springs = [
        Hookean(a1=int(i), a2=int(j), rt=1.2 * float(sums[i, j]), k=30.0)
        for i, j in combinations(molecule, 2)
        if atoms.get_distance(i, j) < 1.25 * sums[i, j]
    ]
    top = float(start.positions[start.slab, 2].max())
    lowest = molecule[start.positions[molecule, 2].argmin()]
    springs.append(Hookean(a1=int(lowest), a2=(0.0, 0.0, 1.0, -(top + CEILING)), k=10.0))
    return springs
