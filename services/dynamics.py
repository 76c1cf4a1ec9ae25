"""The escape: a short burst of constant-energy MD that ends once the potential energy has passed some minima.

Goedecker, J. Chem. Phys. 120, 9911 (2004), doi:10.1063/1.1724816: a trajectory that crosses a low barrier is likely to enter a
low basin (Bell, Evans, Polanyi), and the number of minima along it tells when a barrier has been crossed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from ase import units
from ase.data import atomic_masses

from services.minimisation import Restraining, restrained
from services.potential import Evaluation, Walk
from shared.parameters import Hopping
from shared.structures import Floats, Structure

LONGEST_MOVE = 0.5
"""Å in one time step: beyond it the trajectory no longer follows the potential."""


class EscapeEnd(StrEnum):
    """Why the dynamics stopped."""

    MINIMA = "minima"  # the potential energy has passed `mdmin` minima
    STEPS = "steps"  # `max_md_steps` used up
    RUNAWAY = "runaway"  # an atom would have moved too far in one step


@dataclass(frozen=True, eq=False)
class Escape:
    """Where the dynamics ended. evaluation: the potential's answer there."""

    structure: Structure
    evaluation: Evaluation
    steps: int
    end: EscapeEnd


def maxwell_boltzmann(structure: Structure, temperature_k: float, rng: np.random.Generator) -> Floats:
    """Velocities at a temperature, in ASE's units (Å / (Å √(u/eV))) [n_atoms, 3]; zero on fixed atoms."""
    masses = atomic_masses[structure.numbers]
    spread = np.sqrt(units.kB * temperature_k / masses)[:, None]
    velocities = rng.standard_normal((len(structure), 3)) * spread
    velocities[structure.fixed] = 0.0
    return np.asarray(velocities, dtype=np.float64)


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
    masses = atomic_masses[start.numbers][:, None]
    velocities = maxwell_boltzmann(start, temperature_k, rng)
    timestep = parameters.timestep_fs * units.fs
    structure = start
    energy, forces, _ = restrained(structure, evaluation, restraints)
    energies = [energy]
    minima = 0
    for steps in range(1, parameters.max_md_steps + 1):
        velocities += 0.5 * timestep * forces / masses
        move = timestep * velocities
        if np.linalg.norm(move, axis=1).max() > LONGEST_MOVE:
            return Escape(structure, evaluation, steps - 1, EscapeEnd.RUNAWAY)
        structure = structure.moved(structure.positions + move)
        evaluation = yield structure
        energy, forces, _ = restrained(structure, evaluation, restraints)
        velocities += 0.5 * timestep * forces / masses
        energies.append(energy)
        if len(energies) > 2 and energies[-3] > energies[-2] < energies[-1]:
            minima += 1
            if minima >= parameters.mdmin:
                return Escape(structure, evaluation, steps, EscapeEnd.MINIMA)
    return Escape(structure, evaluation, parameters.max_md_steps, EscapeEnd.STEPS)
