"""What a relaxation learns of the curvature, and the step it takes from it.

`DenseBfgs` is that of ASE's `BFGS`: an updated Hessian, in whose eigenbasis curvatures count by their size. `LimitedMemory` is
Nocedal's two-loop recursion (Math. Comput. 35, 773 (1980), doi:10.1090/S0025-5718-1980-0572855-7) around a factorised first
Hessian: as long as every move met positive curvature its steps are those of `DenseBfgs`, and one costs n² operations instead
of n³.

Damped, both stay positive definite (Powell, Lect. Notes Math. 630, 144 (1978), doi:10.1007/BFb0067703; with limited memory:
Al-Baali, Grandinetti, Pisacane, J. Optim. Theory Appl. 161, 688 (2014), doi:10.1007/s10957-013-0448-8). Undamped, a move along which
the force hardly changes teaches a stiffness without bounds across it, and the relaxation creeps for tens of calls.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.blas import dsymv, dsyr
from scipy.linalg.lapack import dposv

from shared.structures import Floats

START_CURVATURE = 70.0
"""Diagonal of the first Hessian, eV/Å²: ASE's default."""
LARGE = 240
"""Coordinates beyond which the memory is limited."""
MEMORY = 60
"""Moves that are remembered then."""
_SHORT = 1e-7
"""Å: a move too short to learn from, as in ASE."""
_LEAST = 0.2
"""Share of the expected curvature that a damped update keeps at least: Powell's."""


class QuasiNewton(Protocol):
    """Curvature over the free coordinates."""

    def learn(self, moved: Floats, change: Floats) -> None:
        """From a move, Å [n], and the change of the gradient over it, eV/Å [n]."""
        ...

    def step(self, gradient: Floats) -> Floats:
        """The quasi-Newton move, Å [n], for a gradient, eV/Å [n]."""
        ...


def begin(n: int, hessian: Floats | None, *, damped: bool = False) -> QuasiNewton:
    """For n coordinates, from a first Hessian, eV/Å² [n, n], or from ASE's constant."""
    if n <= LARGE:
        return DenseBfgs(np.eye(n) * START_CURVATURE if hessian is None else hessian, damped=damped)
    return LimitedMemory(hessian, damped=damped)


class DenseBfgs:
    """hessian: eV/Å² [n, n], positive definite; copied. Its upper triangle is what is kept up to date."""

    def __init__(self, hessian: Floats, *, damped: bool = False) -> None:
        self._hessian = np.array(hessian, order="F")
        self._damped = damped
        self._convex = True

    def learn(self, moved: Floats, change: Floats) -> None:
        """BFGS update; skipped for a move too short to learn from, as ASE does, and for one along which the force stays the same,
        where the formula has no answer."""
        if np.maximum.reduce(np.abs(moved), initial=0.0) < _SHORT:
            return
        expected = dsymv(1.0, self._hessian, moved)
        if self._damped:
            change = _damped(moved, change, expected)
        curved = float(moved @ change)
        if curved == 0.0:
            return
        dsyr(1 / curved, change, a=self._hessian, overwrite_a=1)
        dsyr(-1 / float(moved @ expected), expected, a=self._hessian, overwrite_a=1)
        self._convex &= curved > 0

    def step(self, gradient: Floats) -> Floats:
        """While the matrix is positive definite, solving is enough; otherwise curvatures count by their size."""
        if self._convex:
            _, solved, trouble = dposv(self._hessian, gradient)
            if not trouble:
                return np.asarray(-solved, dtype=np.float64)
        curvatures, modes = np.linalg.eigh(self._hessian, UPLO="U")
        return np.asarray(-(modes @ ((gradient @ modes) / np.abs(curvatures))), dtype=np.float64)


class LimitedMemory:
    """hessian: eV/Å² [n, n], positive definite; None for ASE's constant. Undamped, moves of negative curvature teach nothing."""

    def __init__(self, hessian: Floats | None, *, damped: bool = False) -> None:
        self._factor = None if hessian is None else cho_factor(hessian, lower=True)
        self._hessian = hessian if damped else None
        self._damped = damped
        self._moves: deque[tuple[Floats, Floats, float]] = deque(maxlen=MEMORY)

    def learn(self, moved: Floats, change: Floats) -> None:
        if self._damped:
            expected = START_CURVATURE * moved if self._hessian is None else self._hessian @ moved
            change = _damped(moved, change, expected)
        curved = float(moved @ change)
        if np.abs(moved).max(initial=0.0) >= _SHORT and curved > 0:
            self._moves.append((moved, change, curved))

    def step(self, gradient: Floats) -> Floats:
        left = -gradient
        shares = []
        for moved, change, curved in reversed(self._moves):
            share = float(moved @ left) / curved
            left = left - share * change
            shares.append(share)
        step = left / START_CURVATURE if self._factor is None else cho_solve(self._factor, left)
        for (moved, change, curved), share in zip(self._moves, reversed(shares), strict=True):
            step = step + (share - float(change @ step) / curved) * moved
        return np.asarray(step, dtype=np.float64)


def _damped(moved: Floats, change: Floats, expected: Floats) -> Floats:
    """The change of the gradient, or a mixture with the expected one that has at least `_LEAST` of its curvature."""
    curved, held = float(moved @ change), float(moved @ expected)
    if curved >= _LEAST * held:
        return change
    share = (1 - _LEAST) * held / (held - curved)
    return share * change + (1 - share) * expected
