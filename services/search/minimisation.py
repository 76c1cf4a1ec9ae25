"""BFGS relaxation, as a walk.

The step is quasi-Newton (services.search.quasi_newton), with one common scaling when the longest move exceeds `max_step`, over the
free atoms only: fixed atoms have no force, so the iterates are those of ASE's `BFGS` and the matrix is smaller. Nocedal &
Wright, Numerical Optimization, doi:10.1007/978-0-387-40065-5, chapter 6.

Started from a model of the curvature (services.search.curvature) instead of ASE's constant, and learning by damped updates, it needs
less than half the force calls (docs/search.md has the measurement).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from services.forces.answers import answer
from services.forces.potential import Evaluation, Request, Restraining, Walk
from services.search import quasi_newton
from services.search.quasi_newton import QuasiNewton
from services.search.turning import Turning
from shared.structures import Floats, Structure

GROWTH = 1.5
"""How much longer each move may be than the last, where the first one is held short."""


@dataclass(frozen=True, eq=False)
class Relaxation:
    """Where a relaxation ended."""

    structure: Structure
    energy: float
    """Bare, eV."""
    forces: Floats
    """Bare, eV/Å [n_atoms, 3]."""
    fmax: float
    """Largest norm of the total force on a free atom, eV/Å."""
    restraint_energy: float
    """eV."""
    steps: int
    force_calls: int
    converged: bool
    curvature: QuasiNewton
    """As learnt on the way."""

    @property
    def evaluation(self) -> Evaluation:
        """The bare evaluation at the end point."""
        return Evaluation(self.energy, self.forces)


def relax(
    start: Structure,
    *,
    fmax: float,
    max_steps: int,
    max_step: float = 0.2,
    restraints: Restraining | None = None,
    first: Evaluation | None = None,
    hessian: Floats | None = None,
    damped: bool = False,
    curvature: QuasiNewton | None = None,
    first_step: float | None = None,
    turning: bool = False,
) -> Walk[Relaxation]:
    """Relax until no free atom feels more than `fmax` (eV/Å), in at most `max_steps` moves of at most `max_step` (Å); the first of at
    most `first_step`, the next ones of at most GROWTH times the one before.

    `first` is the bare evaluation of `start` where the caller has it already. The curvature to begin with is `hessian`, eV/Å²
    [3 n_free, 3 n_free], in place of ASE's constant, learning by `damped` updates in place of ASE's; or what an earlier relaxation
    learnt. `turning` moves turn a molecule as a whole (services.search.turning). Running out of steps is no error: the answer says
    `converged=False`. Raises Diverged where the potential's answer can't be meant.
    """
    structure, free = start, np.flatnonzero(start.free)
    calls = 0 if first is not None else 1
    here = (yield Request(start, restraints)) if first is None else answer(Request(start, restraints), first)
    learnt = quasi_newton.begin(3 * len(free), hessian, damped=damped) if curvature is None else curvature
    turns = Turning(start) if turning else None
    moved: Floats | None = None
    before: Floats | None = None
    for steps in range(max_steps + 1):
        gradient = -here.forces.take(free, 0).ravel()
        largest = _largest(gradient)
        converged = largest < fmax
        if converged or steps == max_steps:
            break
        if moved is not None and before is not None:
            learnt.learn(moved, gradient - before)
        limit = max_step if first_step is None else min(max_step, first_step * GROWTH**steps)
        moved, before = _shortened(learnt.step(gradient), limit), gradient
        step = np.zeros(structure.positions.shape)
        step[free] = moved.reshape(-1, 3)
        positions = structure.positions + step
        if turns is not None:
            positions = turns.moved(structure.positions, step)
            moved = (positions - structure.positions).take(free, 0).ravel()
        structure = structure.moved(positions)
        here = yield Request(structure, restraints)
        calls += 1
    bare = here.evaluation
    return Relaxation(
        structure, bare.energy, bare.forces, largest, here.restraint_energy, steps, calls, converged, learnt
    )


def _largest(values: Floats) -> float:
    """Largest norm of an atom's part [3 n]."""
    atoms = values.reshape(-1, 3)
    return sqrt(np.maximum.reduce(np.add.reduce(atoms * atoms, 1), initial=0.0))


def _shortened(step: Floats, max_step: float) -> Floats:
    """Scaled as a whole so that no atom goes further than `max_step`, Å."""
    longest = _largest(step)
    return step * (max_step / longest) if longest >= max_step else step
