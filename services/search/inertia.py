"""What moves how fast in an escape: the masses of molecular dynamics, or ones made for crossing barriers.

The places that a trajectory of given energy can reach don't depend on the masses; how many steps it takes does. Atomic masses
make a C-O stretch ten times as fast as the molecule's way to the next site, and the time step follows the stretch. A mass tensor
equal to the curvature gives every mode the same frequency: each step is as long as the landscape allows in every direction, and
soft directions, along which sites are left, are taken furthest. That is what softening does with extra force calls (Schönborn et al.,
J. Chem. Phys. 130, 144108 (2009), doi:10.1063/1.3097197), here from a model and for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from ase import units
from ase.data import atomic_masses
from scipy.linalg import solve_triangular

from services.search.curvature import model_hessian
from shared.parameters import Hopping, Masses
from shared.structures import Floats, Structure

LONGEST_STEP = 0.25
"""Å an atom may move in the first step with curvature masses."""


class Inertia(Protocol):
    """Velocities in units of its own; a time step times a velocity is in Å."""

    def timestep(self, velocities: Floats) -> float:
        """For a trajectory that starts with these velocities."""
        ...

    def velocities(self, temperature_k: float, rng: np.random.Generator) -> Floats:
        """Drawn at a temperature [n_atoms, 3]; zero on fixed atoms."""
        ...

    def acceleration(self, forces: Floats) -> Floats:
        """Of forces in eV/Å [n_atoms, 3] that are zero on fixed atoms."""
        ...

    def kinetic(self, velocities: Floats) -> float:
        """Kinetic energy, eV."""
        ...


@dataclass(frozen=True, eq=False)
class AtomicMasses:
    """Molecular dynamics: velocities in ASE's units, Å / (Å √(u/eV))."""

    structure: Structure
    timestep_fs: float

    def timestep(self, velocities: Floats) -> float:
        return self.timestep_fs * units.fs

    @property
    def _masses(self) -> Floats:
        return np.asarray(atomic_masses[self.structure.numbers][:, None], dtype=np.float64)

    def velocities(self, temperature_k: float, rng: np.random.Generator) -> Floats:
        """Maxwell and Boltzmann's."""
        spread = np.sqrt(units.kB * temperature_k / self._masses)
        drawn = rng.standard_normal((len(self.structure), 3)) * spread
        drawn[self.structure.fixed] = 0.0
        return np.asarray(drawn, dtype=np.float64)

    def acceleration(self, forces: Floats) -> Floats:
        return np.asarray(forces / self._masses, dtype=np.float64)

    def kinetic(self, velocities: Floats) -> float:
        return float(0.5 * (self._masses * velocities**2).sum())


@dataclass(frozen=True, eq=False)
class CurvatureMasses:
    """A constant mass tensor of curvatures: every mode of the model has the angular frequency 1, and velocities are in Å."""

    structure: Structure
    stride: float
    """Time step, as a share of the modes' period over 2π."""
    tensor: Floats
    """eV/Å², over the free coordinates [3 n_free, 3 n_free]."""
    inverse: Floats
    """Of the tensor [3 n_free, 3 n_free]."""

    @classmethod
    def at(cls, structure: Structure, stride: float) -> CurvatureMasses:
        """From the model curvature of this geometry."""
        tensor = model_hessian(structure)
        return cls(structure, stride, tensor, np.asarray(np.linalg.inv(tensor), dtype=np.float64))

    def timestep(self, velocities: Floats) -> float:
        """The stride, or what is left of it where the fastest atom would go too far at once."""
        fastest = float(np.linalg.norm(velocities, axis=1).max(initial=0.0))
        return min(self.stride, LONGEST_STEP / fastest) if fastest else self.stride

    def velocities(self, temperature_k: float, rng: np.random.Generator) -> Floats:
        """Boltzmann's for the kinetic energy of this tensor: each mode gets kT/2."""
        drawn = rng.standard_normal(len(self.tensor)) * np.sqrt(units.kB * temperature_k)
        return self._spread(solve_triangular(np.linalg.cholesky(self.tensor).T, drawn, lower=False))

    def acceleration(self, forces: Floats) -> Floats:
        return self._spread(self.inverse @ forces[self.structure.free].ravel())

    def kinetic(self, velocities: Floats) -> float:
        free = velocities[self.structure.free].ravel()
        return float(0.5 * free @ self.tensor @ free)

    def _spread(self, free: Floats) -> Floats:
        whole = np.zeros((len(self.structure), 3))
        whole[self.structure.free] = free.reshape(-1, 3)
        return whole


def inertia(structure: Structure, parameters: Hopping) -> Inertia:
    """As the parameters ask."""
    if parameters.masses is Masses.ATOMIC:
        return AtomicMasses(structure, parameters.timestep_fs)
    return CurvatureMasses.at(structure, parameters.stride)
