"""What a search is likely to cost, before it has begun."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shared.parameters import JobParameters
from shared.submissions import Relax, StructuresSubmission, Submission

CALLS_PER_RELAXATION = 27
"""Force calls of the relaxation of a placement, the mean of 20 systems on EMT (docs/search.md)."""
CALLS_PER_HOP = 25
"""The same of a hop."""


@dataclass(frozen=True)
class Cost:
    """An estimate."""

    walkers: int
    hops_most: int
    """Relaxations of the placements included."""
    force_calls: int
    seconds: float | None
    how: str


def estimate(
    parameters: JobParameters, n_placements: int, n_search_members: int, n_atoms: int, speed: float | None
) -> Cost:
    """speed: seconds for a force call and atom, as jobs with these search members had it; None where there was none."""
    hopping = parameters.hopping
    walkers = n_placements * n_search_members
    going = min(n_placements, hopping.walkers) * n_search_members
    hops = hopping.hops
    hopped = hops * CALLS_PER_HOP
    if hopping.max_force_calls is not None:  # a walker's, its relaxation included
        hopped = min(hopped, max(hopping.max_force_calls - CALLS_PER_RELAXATION, 0))
    relaxed = walkers * CALLS_PER_RELAXATION
    calls = relaxed + going * hopped
    if parameters.max_force_calls is not None:
        calls = min(calls, max(parameters.max_force_calls, relaxed))
    seconds = None if speed is None else calls * n_atoms * speed
    if seconds is not None and parameters.max_wall_s is not None:
        seconds = min(seconds, parameters.max_wall_s)
    return Cost(walkers, walkers + hops * going, calls, seconds, _how(speed))


def cost_of(
    submission: Submission,
    parameters: JobParameters,
    n_placements: int,
    n_search_members: int,
    n_score_members: int,
    n_atoms: int,
    speed: float | None,
) -> Cost:
    """Of a job: its search from so many placements, or, where it was given its structures, their scoring."""
    if not isinstance(submission, StructuresSubmission):
        return estimate(parameters, n_placements, n_search_members, n_atoms, speed)
    relaxed = estimate(parameters, submission.count, n_search_members, n_atoms, None)
    return _given(submission, n_score_members, parameters.ensemble.score_steps, relaxed)


def _given(submission: StructuresSubmission, n_score_members: int, score_steps: int, searched: Cost) -> Cost:
    """Of structures that are given, scoring included. searched: the relaxation of as many placements."""
    per_energy = 1 + (0 if submission.relax is Relax.NONE else score_steps)
    energies = searched.walkers * n_score_members * per_energy
    if submission.relax is Relax.SEARCH:
        how = f"{CALLS_PER_RELAXATION} force calls for the relaxation of a structure"
        relaxed = searched.force_calls
    else:
        how, relaxed = "one force call for a first look at each structure", submission.count
    return replace(
        searched,
        hops_most=searched.walkers,
        force_calls=relaxed + energies,
        seconds=None,
        how=f"{how}, and {per_energy} at most for each member's energy; references come on top",
    )


def _how(speed: float | None) -> str:
    said = (
        f"{CALLS_PER_RELAXATION} force calls for the relaxation of a placement and {CALLS_PER_HOP} for a hop, as measured on small "
        "molecules (docs/search.md), if no walker stops early; references, refining and scoring come on top"
    )
    if speed is None:
        return f"{said}. No job with these search members has ended here yet, so the time is not known"
    return (
        f"{said}. Time by the last jobs with these search members here, {1e3 * speed:.3g} ms for a force call and atom"
    )
