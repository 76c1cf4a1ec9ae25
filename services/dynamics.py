"""The escape: a short burst of dynamics at constant energy that ends once the potential energy has passed some minima.

Goedecker, J. Chem. Phys. 120, 9911 (2004), doi:10.1063/1.1724816: a trajectory that crosses a low barrier is likely to enter a
low basin (Bell, Evans, Polanyi), and the number of minima along it tells when a barrier has been crossed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from services.inertia import Inertia, inertia
from services.minimisation import Restraining, restrained
from services.potential import Evaluation, Walk
from shared.parameters import Hopping
from shared.structures import Floats, Structure

LONGEST_MOVE = 0.5
"""Å in one time step: beyond it the trajectory no longer follows the potential."""
_PROBE = 0.1
"""Å: how far along a direction its curvature is felt out, as the norm of the whole move."""


class EscapeEnd(StrEnum):
    """Why the dynamics stopped."""

    MINIMA = "minima"  # the potential energy has passed `mdmin` minima
    STEPS = "steps"  # `max_md_steps` used up
    RUNAWAY = "runaway"  # an atom would have moved too far in one step


@dataclass(frozen=True, eq=False)
class Escape:
    """Where the dynamics ended. evaluation: the potential's answer there. force_calls: softening included."""

    structure: Structure
    evaluation: Evaluation
    steps: int
    force_calls: int
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
    moving = inertia(start, parameters)
    velocities = moving.velocities(temperature_k, rng)
    if parameters.confined and start.adsorbate.any() and not start.fixed[start.adsorbate].all():
        velocities[start.slab] = 0.0
    if parameters.softening:
        velocities = yield from _softened(start, evaluation, velocities, moving, parameters.softening, restraints)
    before = parameters.softening
    structure, timestep = start, moving.timestep(velocities)
    energy, forces, _ = restrained(structure, evaluation, restraints)
    energies = [energy]
    minima = 0
    for steps in range(1, parameters.max_md_steps + 1):
        velocities = velocities + 0.5 * timestep * moving.acceleration(forces)
        move = timestep * velocities
        if np.linalg.norm(move, axis=1).max() > LONGEST_MOVE:
            return Escape(structure, evaluation, steps - 1, before + steps - 1, EscapeEnd.RUNAWAY)
        structure = structure.moved(structure.positions + move)
        evaluation = yield structure
        energy, forces, _ = restrained(structure, evaluation, restraints)
        velocities = velocities + 0.5 * timestep * moving.acceleration(forces)
        energies.append(energy)
        if len(energies) > 2 and energies[-3] > energies[-2] < energies[-1]:
            minima += 1
            if minima >= parameters.mdmin:
                return Escape(structure, evaluation, steps, before + steps, EscapeEnd.MINIMA)
    return Escape(structure, evaluation, parameters.max_md_steps, before + parameters.max_md_steps, EscapeEnd.STEPS)


def _softened(
    start: Structure,
    evaluation: Evaluation,
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
    _, resting, _ = restrained(start, evaluation, restraints)
    for _ in range(turns):
        probe = start.moved(start.positions + _PROBE * direction)
        answer = yield probe
        _, forces, _ = restrained(probe, answer, restraints)
        change = forces - resting
        across = change - (change * direction).sum() * direction
        turned = _PROBE * direction + moving.acceleration(across) * min(1.0, moving.timestep(velocities))
        direction = turned / np.linalg.norm(turned)
    return np.asarray(direction * np.sqrt(energy / moving.kinetic(direction)), dtype=np.float64)
