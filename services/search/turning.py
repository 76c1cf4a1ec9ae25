"""A move in which the molecule turns as a whole.

A linear step turns a molecule along the tangent: a bond of length d that turns by an angle a comes out longer by d a²/2, and the next
call goes to undo it. What is a turn in the step is made as a turn, the rest as it is.

This is asked at every move of every walk, and three axes are few: sums, products and the eigenproblem are single calls, the rest is
plain numbers. General routines (`pinv`, `cross`, SciPy's `Rotation`) give the same to the last bit and take five times as long.
"""

from __future__ import annotations

from math import cos, sin, sqrt

import numpy as np

from shared import molecules
from shared.structures import Floats, Structure

_LINEAR = 1e-6
"""Share of the largest moment of inertia below which one is none: a linear molecule doesn't turn about its axis."""
_SMALL = 1e-3
"""Radians, below which the sine of half an angle is a series."""
_EYE = np.eye(3)
_NEXT, _LAST = np.array([1, 2, 0]), np.array([2, 0, 1])


class Turning:
    """Moves of the adslabs that a relaxation comes to from `start`."""

    def __init__(self, start: Structure) -> None:
        self._atoms = np.flatnonzero(start.adsorbate)
        self._turns = len(self._atoms) > 1 and not start.fixed[self._atoms].any()
        if self._turns:
            wrapped = start.positions[self._atoms]
            whole = molecules.unwrapped(start.numbers[self._atoms], wrapped, start.cell, start.pbc)
            # lattice vectors, which stay the same as atoms move on
            self._images = whole - wrapped

    def moved(self, positions: Floats, step: Floats) -> Floats:
        """Positions after a step, both Å [n_atoms, 3]. The molecule's translation, turn (least squares, all atoms alike) and
        deformation are taken from its part; it turns by the whole angle. To first order in the step it's the linear move."""
        after = positions + step
        if not self._turns:
            return after
        atoms = self._atoms
        whole, own = positions.take(atoms, 0), step.take(atoms, 0)
        whole += self._images
        centre, shift = np.add.reduce(whole, 0) / len(atoms), np.add.reduce(own, 0) / len(atoms)
        arms = whole - centre
        following, before = arms.take(_NEXT, 1), arms.take(_LAST, 1)  # x, y and z as a cross product takes them
        torque = np.add.reduce(following * own.take(_LAST, 1) - before * own.take(_NEXT, 1), 0)
        turn = _inverse(np.add.reduce(arms * arms, None) * _EYE - arms.T @ arms) @ torque
        swept = turn.take(_NEXT) * before
        swept -= turn.take(_LAST) * following
        deformed = arms + own
        deformed -= shift
        deformed -= swept
        turned = deformed @ _rotation(*turn.tolist()).T
        turned += centre + shift
        turned -= self._images
        after[atoms] = turned
        return after


def _inverse(moments: Floats) -> Floats:
    """Of moments of inertia [3, 3] on the space of those that are not negligible; zero on the rest."""
    values, vectors = np.linalg.eigh(moments)
    sizes = values.tolist()  # the largest last
    least = _LINEAR * sizes[2]
    inverse = np.array([[1 / size if size > least else 0.0] for size in reversed(sizes)])
    axes = np.ascontiguousarray(vectors[:, ::-1])
    return np.asarray(axes @ (inverse * axes.T), dtype=np.float64)


def _rotation(x: float, y: float, z: float) -> Floats:
    """The matrix [3, 3] of a turn about (x, y, z) by its length, radians: by way of the quaternion."""
    angle = sqrt(x * x + y * y + z * z)
    if angle > _SMALL:
        scale = sin(angle / 2) / angle
    else:
        square = angle * angle
        scale = 0.5 - square / 48 + square * square / 3840
    x, y, z, w = scale * x, scale * y, scale * z, cos(angle / 2)
    xx, yy, zz, ww = x * x, y * y, z * z, w * w
    xy, xz, yz, xw, yw, zw = x * y, x * z, y * z, x * w, y * w, z * w
    return np.array(
        [
            [xx - yy - zz + ww, 2 * (xy - zw), 2 * (xz + yw)],
            [2 * (xy + zw), -xx + yy - zz + ww, 2 * (yz - xw)],
            [2 * (xz - yw), 2 * (yz + xw), -xx - yy + zz + ww],
        ]
    )
