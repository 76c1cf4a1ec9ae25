"""The escape: a short burst of dynamics at constant energy that ends once the potential energy has passed some minima.

Goedecker, J. Chem. Phys. 120, 9911 (2004), doi:10.1063/1.1724816: a trajectory that crosses a low barrier is likely to enter a
low basin (Bell, Evans, Polanyi), and the number of minima along it tells when a barrier has been crossed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from services.forces.answers import answer
from services.forces.potential import Answer, Evaluation, Request, Restraining, Walk
from services.search.inertia import Inertia, inertia
from shared.parameters import Hopping
from shared.structures import Floats, Structure

LONGEST_MOVE = 0.5
"""Å in one time step: beyond it the trajectory no longer follows the potential, and the step is shortened."""
_PROBE = 0.1
"""Å: how far along a direction its curvature is felt out, as the norm of the whole move."""


class EscapeEnd(StrEnum):
    """Why the dynamics stopped."""

    MINIMA = "minima"  # the potential energy has passed `mdmin` minima
    STEPS = "steps"  # `max_md_steps` used up


@dataclass(frozen=True, eq=False)
class Escape:
    """Where the dynamics ended."""

    structure: Structure
    evaluation: Evaluation
    """The potential's answer there."""
    steps: int
    force_calls: int
    """Softening included."""
    end: EscapeEnd


def escape(
    start: Structure,
    evaluation: Evaluation,
    *,
    temperature_k: float,
    rng: np.random.Generator,
    parameters: Hopping,
    restraints: Restraining | None = None,
) -> Walk[Escape]:
    """Velocity Verlet from `start` (whose evaluation is given) until the total potential energy has passed
    `mdmin` minima. Raises Diverged for answers that are not finite."""
    here = answer(Request(start, restraints), evaluation)
    moving = inertia(start, parameters)
    velocities = moving.velocities(temperature_k, rng)
    if parameters.confined and start.adsorbate.any() and not start.fixed[start.adsorbate].all():
        velocities[start.slab] = 0.0
    if parameters.softening:
        velocities = yield from _softened(start, here, velocities, moving, parameters.softening, restraints)
    before = parameters.softening
    structure, timestep = start, moving.timestep(velocities)
    energies = [here.energy]
    minima = 0
    for steps in range(1, parameters.max_md_steps + 1):
        pull = moving.acceleration(here.forces)
        step = _shortened(timestep, velocities, pull)
        velocities = velocities + 0.5 * step * pull
        structure = structure.moved(structure.positions + step * velocities)
        here = yield Request(structure, restraints)
        velocities = velocities + 0.5 * step * moving.acceleration(here.forces)
        energies.append(here.energy)
        if len(energies) > 2 and energies[-3] > energies[-2] < energies[-1]:
            minima += 1
            if minima >= parameters.mdmin:
                return Escape(structure, here.evaluation, steps, before + steps, EscapeEnd.MINIMA)
    spent = before + parameters.max_md_steps
    return Escape(structure, here.evaluation, parameters.max_md_steps, spent, EscapeEnd.STEPS)


def _shortened(timestep: float, velocities: Floats, acceleration: Floats) -> float:
    """The time step, halved until no atom goes too far in it."""
    while True:
        move = timestep * (velocities + 0.5 * timestep * acceleration)
        if float((move * move).sum(axis=1).max()) <= LONGEST_MOVE**2:
            return timestep
        timestep *= 0.5


def _softened(
    start: Structure,
    resting: Answer,
    velocities: Floats,
    moving: Inertia,
    turns: int,
    restraints: Restraining | None,
) -> Walk[Floats]:
    """The velocities turned towards lower curvature, one force call a turn, their kinetic energy kept.

    Schönborn, Goedecker et al., J. Chem. Phys. 130, 144108 (2009), doi:10.1063/1.3097197: step along the direction, follow
    the force across it, take the line from the start to there as the new direction.
    """
    energy = moving.kinetic(velocities)
    direction = velocities / np.linalg.norm(velocities)
    for _ in range(turns):
        felt = yield Request(start.moved(start.positions + _PROBE * direction), restraints)
        change = felt.forces - resting.forces
        across = change - (change * direction).sum() * direction
        turned = _PROBE * direction + moving.acceleration(across) * min(1.0, moving.timestep(velocities))
        direction = turned / np.linalg.norm(turned)
    return np.asarray(direction * np.sqrt(energy / moving.kinetic(direction)), dtype=np.float64)
