"""Where a walker goes that gets nowhere: to another minimum of the job.

Every escape has a direction of its own. Where two in a row came to nothing sound, the minimum itself is a bad place to hop from: a
molecule about to break, on all sides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from services.geometry.similarity import same
from services.search.walker import Minimum, Walker
from shared.parameters import JobParameters
from shared.soundness import is_sound
from shared.structures import Structure

FAILURES = 2
"""In a row, after which a walker leaves."""


def elsewhere(
    walker: Walker,
    known: Sequence[Minimum],
    rng: np.random.Generator,
    parameters: JobParameters,
    judge: Callable[[Structure], tuple[str, ...]],
) -> Minimum | None:
    """One of the known sound minima that it would have accepted from where it is, drawn at random; None where there is no other, and
    for a walker that hasn't failed often enough. `known` are converged."""
    if walker.energy is None or walker.failures < FAILURES:
        return None
    here, include = Minimum(walker.structure, walker.energy), parameters.selection.include_anomalous
    others = [
        one
        for one in known
        if one.energy < here.energy + walker.energy_window
        and not same(one, here, parameters.similarity)
        and is_sound(True, judge(one.structure), include_anomalous=include)
    ]
    return others[int(rng.integers(len(others)))] if others else None
