"""BFGS relaxation, as a walk.

The step is that of ASE's `BFGS` (quasi-Newton in the eigenbasis of an updated Hessian, absolute curvatures, one common
scaling when the longest move exceeds `max_step`), over the free atoms only: fixed atoms have no force, so the iterates are
the same and the matrix is smaller. Nocedal & Wright, Numerical Optimization, doi:10.1007/978-0-387-40065-5, chapter 6.

Started from a model of the curvature (services.curvature) instead of ASE's constant it needs about half the force calls
(docs/search.md has the measurement).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from services.potential import Evaluation, Walk
from shared.errors import Diverged
from shared.structures import Floats, Structure

START_CURVATURE = 70.0
"""Diagonal of the first Hessian, eV/Å²: ASE's default."""
FORCE_BOUND = 1e3
"""eV/Å: no relaxation of a sane adslab passes this."""


class Restraining(Protocol):
    """An energy added to the potential's."""

    def evaluate(self, positions: Floats) -> tuple[float, Floats]:
        """Energy, eV, and forces, eV/Å [n_atoms, 3], at positions, Å [n_atoms, 3]."""
        ...


@dataclass(frozen=True, eq=False)
class Relaxation:
    """energy, forces: bare, eV and eV/Å [n_atoms, 3]. fmax: largest norm of the total force on a free atom, eV/Å.
    hessian: as learnt on the way, eV/Å² [3 n_free, 3 n_free]."""

    structure: Structure
    energy: float
    forces: Floats
    fmax: float
    restraint_energy: float
    steps: int
    force_calls: int
    converged: bool
    hessian: Floats

    @property
    def evaluation(self) -> Evaluation:
        """The bare evaluation at the end point."""
        return Evaluation(self.energy, self.forces)


def restrained(
    structure: Structure, evaluation: Evaluation, restraints: Restraining | None
) -> tuple[float, Floats, float]:
    """Total energy, eV, total force on free atoms, eV/Å [n_atoms, 3], and the restraints' share of the energy, eV.

    Raises Diverged where the potential's answer can't be meant.
    """
    check_sane(evaluation)
    forces = evaluation.forces.copy()
    extra = 0.0
    if restraints is not None:
        extra, extra_forces = restraints.evaluate(structure.positions)
        forces += extra_forces
    forces[structure.fixed] = 0.0
    return evaluation.energy + extra, forces, extra


def check_sane(evaluation: Evaluation) -> None:
    """Raise Diverged for an energy or a force that is not finite or beyond any bound."""
    if not np.isfinite(evaluation.energy) or not np.isfinite(evaluation.forces).all():
        raise Diverged("the potential's energy or forces are not finite")
    largest = float(np.abs(evaluation.forces).max(initial=0.0))
    if largest > FORCE_BOUND:
        raise Diverged(f"a force of {largest:.3g} eV/Å is beyond {FORCE_BOUND:.0f} eV/Å")


def relax(
    start: Structure,
    *,
    fmax: float,
    max_steps: int,
    max_step: float = 0.2,
    restraints: Restraining | None = None,
    first: Evaluation | None = None,
    hessian: Floats | None = None,
) -> Walk[Relaxation]:
    """Relax until no free atom feels more than `fmax` (eV/Å), in at most `max_steps` moves of at most `max_step` (Å).

    `first` is the evaluation of `start` where the caller has it already; `hessian` is the curvature to begin with, eV/Å²
    [3 n_free, 3 n_free], in place of ASE's constant. Running out of steps is no error:
    the answer says `converged=False`.
    """
    structure, free = start, np.flatnonzero(start.free)
    calls = 0 if first is not None else 1
    evaluation = first if first is not None else (yield structure)
    hessian = np.eye(3 * len(free)) * START_CURVATURE if hessian is None else hessian.copy()
    moved: Floats | None = None
    before: Floats | None = None
    convex = True
    for steps in range(max_steps + 1):
        _, forces, extra = restrained(structure, evaluation, restraints)
        largest = float(np.linalg.norm(forces[free], axis=1).max(initial=0.0))
        converged = largest < fmax
        if converged or steps == max_steps:
            break
        gradient = -forces[free].ravel()
        if moved is not None and before is not None:
            convex &= _update(hessian, moved, gradient - before)
        step = _step(hessian, gradient, max_step, convex)
        positions = structure.positions.copy()
        positions[free] += step
        moved = (positions[free] - structure.positions[free]).ravel()
        before = gradient
        structure = structure.moved(positions)
        evaluation = yield structure
        calls += 1
    return Relaxation(structure, evaluation.energy, evaluation.forces, largest, extra, steps, calls, converged, hessian)


def _update(hessian: Floats, moved: Floats, change: Floats) -> bool:
    """BFGS update in place; skipped for a move too short to learn from, as ASE does, and for one along which the force
    stays the same, where the formula has no answer. Returns whether a positive definite matrix still is."""
    curved = float(moved @ change)
    if np.abs(moved).max(initial=0.0) < 1e-7 or curved == 0.0:
        return True
    seen = hessian @ moved
    hessian += np.outer(change, change) / curved - np.outer(seen, seen) / (moved @ seen)
    return curved > 0


def _step(hessian: Floats, gradient: Floats, max_step: float, convex: bool) -> Floats:
    """The quasi-Newton move, Å [n_free, 3], scaled so that no atom goes further than `max_step`. convex: the matrix is positive
    definite, and solving is enough; otherwise curvatures count by their size."""
    if convex:
        step = -np.linalg.solve(hessian, gradient).reshape(-1, 3)
    else:
        curvatures, modes = np.linalg.eigh(hessian)
        step = -(modes @ ((gradient @ modes) / np.abs(curvatures))).reshape(-1, 3)
    longest = float(np.linalg.norm(step, axis=1).max(initial=0.0))
    return np.asarray(step * (max_step / longest) if longest >= max_step else step, dtype=np.float64)
