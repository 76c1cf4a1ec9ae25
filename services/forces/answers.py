"""From the potential's evaluations to what walks are sent: checked, restraints added, fixed atoms without force.

All structures of a batch go through together; each one's answer is the same to the last bit whoever shares it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import isfinite
from typing import Any

import numpy as np

from services.forces.potential import Answer, Evaluation, Request, Walk
from services.forces.restraints import Restraints, felt
from shared.errors import Diverged
from shared.structures import Floats

FORCE_BOUND = 1e3
"""eV/Å: no relaxation of a sane adslab passes this."""


def answers(requests: Sequence[Request], evaluations: Sequence[Evaluation]) -> list[Answer | Diverged]:
    """An answer to each request, or Diverged where the potential's evaluation can't be meant."""
    if not requests:
        return []
    bounds = [0, *accumulate(len(request.structure) for request in requests)]
    forces = np.concatenate([evaluation.forces for evaluation in evaluations])
    peaks = np.maximum.reduceat(np.maximum.reduce(np.abs(forces), 1), bounds[:-1])
    own = [forces[begin:end] for begin, end in pairwise(bounds)]
    extra = _restraints(requests)
    for total, (_, added) in zip(own, extra, strict=True):
        if added is not None:
            total += added
    forces[np.concatenate([request.structure.fixed for request in requests])] = 0.0
    return [
        _trouble(evaluation, peak) or Answer(evaluation, evaluation.energy + energy, total, energy)
        for evaluation, peak, (energy, _), total in zip(evaluations, peaks.tolist(), extra, own, strict=True)
    ]


def answer(request: Request, evaluation: Evaluation) -> Answer:
    """The answer to one request. Raises Diverged where the potential's evaluation can't be meant."""
    given = answers([request], [evaluation])[0]
    if isinstance(given, Diverged):
        raise given
    return given


def reply(walk: Walk[Any], request: Request, evaluation: Evaluation) -> Request:
    """Send a walk the answer to its request, or throw Diverged into it; returns what it wants next. StopIteration at its end."""
    given = answers([request], [evaluation])[0]
    return walk.throw(given) if isinstance(given, Diverged) else walk.send(given)


def _trouble(evaluation: Evaluation, peak: float) -> Diverged | None:
    """What is wrong with an energy or a force that is not finite or beyond any bound."""
    if not isfinite(evaluation.energy) or not isfinite(peak):
        return Diverged("the potential's energy or forces are not finite")
    if peak > FORCE_BOUND:
        return Diverged(f"a force of {peak:.3g} eV/Å is beyond {FORCE_BOUND:.0f} eV/Å")
    return None


def _restraints(requests: Sequence[Request]) -> list[tuple[float, Floats | None]]:
    """Energy, eV, and forces, eV/Å, of each request's restraints, None where they have none; our own kind in one pass."""
    extra: list[tuple[float, Floats | None]] = [(0.0, None)] * len(requests)
    ours: list[tuple[int, Restraints, Floats]] = []
    for index, request in enumerate(requests):
        if isinstance(request.restraints, Restraints):
            ours.append((index, request.restraints, request.structure.positions))
        elif request.restraints is not None:
            extra[index] = request.restraints.evaluate(request.structure.positions)
    found = felt([restraints for _, restraints, _ in ours], [positions for _, _, positions in ours])
    for (index, _, _), one in zip(ours, found, strict=True):
        extra[index] = one
    return extra
