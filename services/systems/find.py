"""The placements of a job, from its submission and parameters alone: what a worker stores, and what is shown before anything is
queued, are found by this one function."""

from __future__ import annotations

import numpy as np

from services.systems.assembly import System, assemble
from services.systems.placement import Placed, place
from shared.adsorbates import lookup
from shared.parameters import JobParameters, Placement
from shared.submissions import BulkSubmission, Submission

_PLACEMENT_STREAM = 1
"""Second word of the seed of placements, so that no other part of a job draws the same numbers."""


def find_placements(
    submission: Submission, parameters: JobParameters, *, max_atoms: int | None = None
) -> tuple[System, list[Placed]]:
    """The system that was submitted, and where its walkers start. max_atoms: of a slab that is cut with its adsorbate; a larger one
    is refused before it is built. Raises InvalidInput."""
    system = assemble(submission, max_atoms=max_atoms)
    rng = np.random.default_rng([parameters.seed, _PLACEMENT_STREAM])
    placed = [Placed(system.first, "submitted", "submitted")] if system.first is not None else []
    left = parameters.placement.count - len(placed)
    if left > 0:
        settings = parameters.placement.model_copy(update={"count": left})
        placed += place(system.slab, system.adsorbate, settings, rng)
    return system, placed


def rehearse() -> tuple[System, list[Placed]]:
    """Cut and place a small system: all that is imported late is there afterwards."""
    platinum = BulkSubmission(
        numbers=(78,),
        positions=((0, 0, 0),),
        cell=((0, 1.96, 1.96), (1.96, 0, 1.96), (1.96, 1.96, 0)),
        miller=(1, 1, 1),
        min_width=5,
        adsorbate=lookup("*CO"),
    )
    return find_placements(platinum, JobParameters(placement=Placement(count=4)))
