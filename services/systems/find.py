"""The placements of a job, from its submission and parameters alone: what a worker stores, and what is shown before anything is
queued, are found by this one function."""

from __future__ import annotations

import numpy as np

from services.systems.assembly import System, assemble
from services.systems.placement import Placed, place
from shared.parameters import JobParameters
from shared.submissions import Submission

_PLACEMENT_STREAM = 1
"""Second word of the seed of placements, so that no other part of a job draws the same numbers."""


def find_placements(submission: Submission, parameters: JobParameters) -> tuple[System, list[Placed]]:
    """The system that was submitted, and where its walkers start. Raises InvalidInput."""
    system = assemble(submission)
    rng = np.random.default_rng([parameters.seed, _PLACEMENT_STREAM])
    placed = [Placed(system.first, "submitted", "submitted")] if system.first is not None else []
    left = parameters.placement.count - len(placed)
    if left > 0:
        settings = parameters.placement.model_copy(update={"count": left})
        placed += place(system.slab, system.adsorbate, settings, rng)
    return system, placed
