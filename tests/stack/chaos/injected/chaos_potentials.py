"""A fast toy potential, and its kin that go wrong on purpose. Bad is a structure with nitrogen on a metal.

Morse pairs between covalent radii: deterministic to the last bit, a fraction of a millisecond a call, and with minima enough to hop
between. Physics doesn't matter here.
"""

import ctypes
import os
import time
from itertools import product
from typing import Any

import numpy as np
from ase.data import covalent_radii
from chaos_injection import armed, note, strikes

from services.forces.potential import Card, EnergyKind, Evaluation
from shared.errors import DeviceFault, OutOfMemory

NITROGEN = 7
_WIDTH = 1.7
_CUTOFF = 5.0
_IMAGES = np.array([(i, j, 0) for i, j in product((-2, -1, 0, 1, 2), repeat=2)], dtype=float)


def bad(structures: Any) -> bool:
    return any(NITROGEN in one.numbers and one.numbers.max() > 10 for one in structures)


def _depth(numbers: Any) -> Any:
    light = numbers < 10
    return np.where(light[:, None] & light[None, :], 5.0, np.where(light[:, None] | light[None, :], 0.8, 0.5))


def _evaluate(structure: Any) -> Evaluation:
    numbers, positions = structure.numbers, structure.positions
    radii = covalent_radii[numbers]
    apart = positions[None, :, None] + (_IMAGES @ structure.cell)[None, None] - positions[:, None, None]
    distance = np.sqrt((apart**2).sum(-1))
    distance[distance < 1e-9] = np.inf
    near = distance < _CUTOFF
    safe = np.where(near, distance, _CUTOFF)
    x = np.exp(-_WIDTH * (safe - (radii[:, None] + radii)[:, :, None]))
    window = (1 - (safe / _CUTOFF) ** 2) ** 2
    slope = 4 * (1 - (safe / _CUTOFF) ** 2) * safe / _CUTOFF**2
    depth = _depth(numbers)[:, :, None]
    morse = depth * (x**2 - 2 * x)
    derivative = depth * _WIDTH * (2 * x - 2 * x**2) * window - morse * slope
    forces = (derivative / safe * near)[..., None] * np.where(near[..., None], apart, 0.0)
    return Evaluation(float(0.5 * (morse * window * near).sum()), forces.sum((1, 2)))


class Member:
    """The toy itself. `slow`: the same numbers, so many seconds later."""

    name = "toy"

    def __init__(self) -> None:
        self.card = Card(
            name=self.name,
            family="toy",
            version="1",
            sha256="0" * 64,
            energy_kind=EnergyKind.TOTAL,
            elements=frozenset({1, 6, 7, 8, 29, 46, 78}),
            cutoff=_CUTOFF,
            trained_on="nothing",
            license="MIT",
        )

    def evaluate(self, structures: Any) -> Any:
        self.before(structures)
        if delay := armed("slow"):
            time.sleep(float(delay))
        return [_evaluate(one) for one in structures]

    def before(self, structures: Any) -> None:
        pass


class Segfaulting(Member):
    name = "toy-segfault"

    def before(self, structures: Any) -> None:
        if bad(structures):
            note("segfaults", len(structures))
            ctypes.string_at(0)


class Hanging(Member):
    name = "toy-hang"

    def before(self, structures: Any) -> None:
        if bad(structures):
            note("hangs", os.getpid())
            while True:
                time.sleep(1)


class Small(Member):
    """A device that holds two structures, and none with nitrogen."""

    name = "toy-small"

    def before(self, structures: Any) -> None:
        note("batches", len(structures))
        if len(structures) > 2 or bad(structures):
            raise OutOfMemory("the stand-in for a device is full")


class Sticky(Member):
    """A device-side assert, once armed: whatever the process asks the device from then on fails alike."""

    name = "toy-sticky"
    broken = False

    def before(self, structures: Any) -> None:
        note("sticky-calls", f"{os.getpid()}:{len(structures[0])}")
        self.broken = self.broken or (len(structures) > 1 and strikes("sticky"))
        if self.broken:
            raise DeviceFault("CUDA error: device-side assert triggered")


class SlowToLoad(Member):
    """Loads for as long as the file `loading` says, seconds."""

    name = "toy-loading"

    def __init__(self) -> None:
        note("loads", os.getpid())
        time.sleep(float(armed("loading") or 0))
        note("loaded", os.getpid())
        super().__init__()


KINDS = {kind.name: kind for kind in (Member, Segfaulting, Hanging, Small, Sticky, SlowToLoad)}
