"""The placements of a job, from its submission and parameters alone: what a worker stores, and what is shown before anything is
queued, are found by this one function."""

from __future__ import annotations

import numpy as np

from services.systems.assembly import System, assemble
from services.systems.placement import Placed, place
from shared.adsorbates import lookup
from shared.given import Given
from shared.parameters import JobParameters, Placement
from shared.slabs import gathered
from shared.structures import Integers, Structure
from shared.submissions import BulkSubmission, StructuresSubmission, Submission

_PLACEMENT_STREAM = 1
"""Second word of the seed of placements, so that no other part of a job draws the same numbers."""


def find_placements(
    submission: Submission, parameters: JobParameters, *, max_atoms: int | None = None, given: Given | None = None
) -> tuple[System, list[Placed]]:
    """The system that was submitted, and where its walkers start. max_atoms: of a slab that is cut with its adsorbate; a larger one
    is refused before it is built. given: where structures were submitted, all of them; without it the first stands for them. Raises
    InvalidInput."""
    system = assemble(submission, max_atoms=max_atoms)
    if isinstance(submission, StructuresSubmission) and system.first is not None:
        if given is None:
            return system, [Placed(system.first, "submitted", "submitted")]
        return system, _as_given(system.first, np.array(submission.order, dtype=np.int64), given)
    rng = np.random.default_rng([parameters.seed, _PLACEMENT_STREAM])
    placed = [Placed(system.first, "submitted", "submitted")] if system.first is not None else []
    left = parameters.placement.count - len(placed)
    if left > 0:
        settings = parameters.placement.model_copy(update={"count": left})
        placed += place(system.slab, system.adsorbate, settings, rng)
    return system, placed


def _as_given(first: Structure, order: Integers, given: Given) -> list[Placed]:
    """Every structure as a placement: atoms inside in the order of the first, in one piece as that is."""
    return [
        Placed(gathered(first.moved(positions[order])), "submitted", "submitted", label)
        for label, positions in zip(given.labels, given.positions, strict=True)
    ]


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
