"""A move in which the molecule turns as a whole.

A linear step turns a molecule along the tangent: a bond of length d that turns by an angle a comes out longer by d a²/2, and the next
call goes to undo it. What is a turn in the step is made as a turn, the rest as it is.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from shared import molecules
from shared.structures import Floats, Structure

_LINEAR = 1e-6
"""Share of the largest moment of inertia below which one is none: a linear molecule doesn't turn about its axis."""


class Turning:
    """Moves of the adslabs that a relaxation comes to from `start`."""

    def __init__(self, start: Structure) -> None:
        molecule = start.adsorbate
        self._molecule = molecule
        self._turns = int(molecule.sum()) > 1 and not start.fixed[molecule].any()
        if self._turns:
            wrapped = start.positions[molecule]
            whole = molecules.unwrapped(start.numbers[molecule], wrapped, start.cell, start.pbc)
            # lattice vectors, which stay the same as atoms move on
            self._images = whole - wrapped

    def moved(self, positions: Floats, step: Floats) -> Floats:
        """Positions after a step, both Å [n_atoms, 3]. The molecule's translation, turn (least squares, all atoms alike) and
        deformation are taken from its part; it turns by the whole angle. To first order in the step it's the linear move."""
        after = positions + step
        if not self._turns:
            return after
        molecule = self._molecule
        whole, own = positions[molecule] + self._images, step[molecule]
        centre, shift = whole.mean(axis=0), own.mean(axis=0)
        arms = whole - centre
        moments = (arms * arms).sum() * np.eye(3) - arms.T @ arms
        turn = np.linalg.pinv(moments, rcond=_LINEAR, hermitian=True) @ np.cross(arms, own).sum(axis=0)
        deformed = arms + own - shift - np.cross(turn, arms)
        after[molecule] = centre + shift + Rotation.from_rotvec(turn).apply(deformed) - self._images
        return after
