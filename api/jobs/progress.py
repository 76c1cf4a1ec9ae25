"""How far jobs are, read off what the database counts of them (api.jobs.counted)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from api.jobs.shown import shown
from shared.database.tables import Job
from shared.parameters import Hopping
from shared.states import State


@dataclass(frozen=True)
class Best:
    """Lowest adsorption energy so far."""

    adsorption_energy: float
    """eV per adslab, the mean of `n_members`, against `reference`."""
    member: str
    """Whose energy it is; "mean" where several scored it."""
    n_members: int
    reference: str


@dataclass(frozen=True)
class Trouble:
    """Work that failed alike, and how often."""

    work: str
    kind: str
    reason: str
    count: int


@dataclass
class Progress:
    """Counts of one job."""

    placements: int = 0
    references_done: int = 0
    references_total: int = 0
    walkers_total: int = 0
    walkers: dict[str, int] = field(default_factory=dict)
    """Those that run, and those that succeeded or failed, by state."""
    hops_done: int = 0
    """The relaxation of each placement included."""
    hops_most: int = 0
    """How many they are in all if nobody stops early."""
    force_calls: int = 0
    candidates_total: int = 0
    candidates_distinct: int = 0
    evaluations_total: int = 0
    evaluations: dict[str, int] = field(default_factory=dict)
    """Those that succeeded or failed, by state."""
    best: Best | None = None
    failures: list[Trouble] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def progress(session: Session, jobs: Sequence[Job]) -> dict[UUID, Progress]:
    """Progress of each of these jobs."""
    session.flush()
    return {row.id: progress_of(row) for row in shown(session, [job.id for job in jobs])}


def progress_of(row: Row[Any]) -> Progress:
    """Of a job as `shown` has it."""
    hopping = Hopping.model_validate(row.parameters.get("hopping", {}))
    going = min(row.placements, hopping.walkers) * len(row.search_members)
    made = Progress(
        placements=row.placements,
        references_done=row.references_done,
        references_total=row.references_total,
        walkers_total=row.walkers_total,
        walkers={
            State.RUNNING: row.walkers_running,
            State.SUCCEEDED: row.walkers_succeeded,
            State.FAILED: row.walkers_failed,
        },
        hops_done=int(row.hops_done),
        hops_most=row.walkers_total + hopping.hops * going,
        force_calls=int(row.force_calls),
        candidates_total=row.candidates_total,
        candidates_distinct=row.candidates_distinct,
        evaluations_total=row.energies_total,
        evaluations={State.SUCCEEDED: row.energies_done, State.FAILED: row.energies_failed},
        failures=[Trouble(*one) for one in row.failures or ()],
    )
    if row.chosen_n is not None:
        made.best = _as_best(row.chosen_mean, row.chosen_n, row.chosen_member, row.chosen_reference)
        if row.low_confidence:
            made.warnings.append(row.chosen_reason)
    elif row.best_n is not None:
        made.best = _as_best(row.best_mean, row.best_n, row.best_member, row.best_reference)
    if row.hurried:
        made.warnings.append("the search ended at its wall-time budget: another run may find other minima")
    return made


def _as_best(mean: float, n: int, member: str, reference: str) -> Best:
    return Best(float(mean), "mean" if n > 1 else member, n, reference)
