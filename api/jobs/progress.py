"""How far jobs are, by aggregates in the database: a fixed number of queries for any number of jobs.

Nothing here is stored; every count is of rows that workers committed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, Subquery, and_, case, func, literal, select, union_all
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from shared.database.tables import (
    Calibration,
    Candidate,
    Job,
    JobReference,
    MemberEnergy,
    Minimum,
    Placement,
    Reference,
    Score,
    Selection,
    StageRow,
    Walker,
)
from shared.parameters import Spread
from shared.states import State, WalkerEnd, Work

_DONE = State.SUCCEEDED


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
    walkers: dict[str, int] = field(default_factory=dict)
    """By state."""
    hops_done: int = 0
    """The relaxation of each placement included."""
    hops_most: int = 0
    """How many they are in all if nobody stops early."""
    force_calls: int = 0
    candidates_total: int = 0
    candidates_distinct: int = 0
    evaluations: dict[str, int] = field(default_factory=dict)
    """By state."""
    best: Best | None = None
    failures: list[Trouble] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def progress(session: Session, jobs: Sequence[Job]) -> dict[UUID, Progress]:
    """Progress of each of these jobs."""
    found = {job.id: Progress() for job in jobs}
    ids = list(found)
    if not ids:
        return found
    _count_search(session, ids, found)
    _count_results(session, ids, found)
    for job in jobs:
        hopping = job.read_parameters().hopping
        walkers = sum(found[job.id].walkers.values())
        going = min(found[job.id].placements, hopping.walkers) * len(job.search_members)
        found[job.id].hops_most = walkers + hopping.hops * going
    for row in session.execute(_best(ids)):
        found[row.job_id].best = _as_best(row)
    for row in session.execute(_chosen(ids)):
        found[row.job_id].best = _as_best(row)
        if row.low_confidence:
            found[row.job_id].warnings.append(row.reason)
    for job_id in session.scalars(_hurried(ids)):
        found[job_id].warnings.append("the search ended at its wall-time budget: another run may find other minima")
    for row in session.execute(_failures(ids)):
        found[row.job_id].failures.append(Trouble(row.work, row.failure_kind, row.failure_reason or "", row.n))
    return found


def _count_search(session: Session, ids: list[UUID], found: dict[UUID, Progress]) -> None:
    counts = func.count().label("n")
    placements = select(Placement.job_id, counts).where(Placement.job_id.in_(ids)).group_by(Placement.job_id)
    for job_id, n in session.execute(placements):
        found[job_id].placements = n
    references = (
        select(JobReference.job_id, func.count().filter(Reference.state == _DONE), counts)
        .join(Reference, Reference.id == JobReference.reference_id)
        .where(JobReference.job_id.in_(ids))
        .group_by(JobReference.job_id)
    )
    for job_id, done, n in session.execute(references):
        found[job_id].references_done, found[job_id].references_total = done, n
    walkers = (
        select(Walker.job_id, Walker.state, counts, func.sum(Walker.hop), func.sum(Walker.force_calls))
        .where(Walker.job_id.in_(ids))
        .group_by(Walker.job_id, Walker.state)
    )
    for job_id, state, n, hops, force_calls in session.execute(walkers):
        found[job_id].walkers[state] = n
        found[job_id].hops_done += int(hops)
        found[job_id].force_calls += int(force_calls)


def _count_results(session: Session, ids: list[UUID], found: dict[UUID, Progress]) -> None:
    distinct = func.count().filter(Candidate.duplicate_of.is_(None))
    candidates = (
        select(Candidate.job_id, func.count(), distinct).where(Candidate.job_id.in_(ids)).group_by(Candidate.job_id)
    )
    for job_id, total, n_distinct in session.execute(candidates):
        found[job_id].candidates_total, found[job_id].candidates_distinct = total, n_distinct
    evaluations = (
        select(MemberEnergy.job_id, MemberEnergy.state, func.count())
        .where(MemberEnergy.job_id.in_(ids))
        .group_by(MemberEnergy.job_id, MemberEnergy.state)
    )
    for job_id, state, n in session.execute(evaluations):
        found[job_id].evaluations[state] = n


def _means(ids: Iterable[UUID]) -> Subquery:
    """Mean adsorption energy of each candidate over the members that scored it; never over mixed references.

    The same formulas as services.scoring.ensemble, as aggregates (a test holds them equal): progress is asked for every second.
    """
    return (
        select(
            MemberEnergy.candidate_id,
            func.avg(MemberEnergy.adsorption_energy).label("mean"),
            func.count().label("n"),
            func.stddev_samp(MemberEnergy.adsorption_energy).label("std"),
            (func.max(MemberEnergy.adsorption_energy) - func.min(MemberEnergy.adsorption_energy)).label("range"),
            func.min(MemberEnergy.member).label("member"),
            func.min(MemberEnergy.reference).label("reference"),
        )
        .where(MemberEnergy.job_id.in_(list(ids)), MemberEnergy.state == _DONE)
        .group_by(MemberEnergy.candidate_id)
        .having(func.count(MemberEnergy.reference.distinct()) == 1)
        .subquery()
    )


def _best(ids: list[UUID]) -> Select[Any]:
    """The lowest plain mean among each job's sound, distinct candidates that pass its filter so far."""
    means = _means(ids)
    spread = case((Job.spread == Spread.RANGE, means.c.range), else_=means.c.std)
    return (
        select(Candidate.job_id, means.c.mean, means.c.n, means.c.member, means.c.reference)
        .ext(distinct_on(Candidate.job_id))
        .join(means, means.c.candidate_id == Candidate.id)
        .join(Job, Job.id == Candidate.job_id)
        .where(Candidate.duplicate_of.is_(None), Candidate.sound())
        .where((means.c.n == 1) | (spread <= _limit()))
        .order_by(Candidate.job_id, means.c.mean, Candidate.id)
    )


def _limit() -> ColumnElement[float]:
    """A job's limit of the spread, eV: a number, or that of its calibration; none where it has neither."""
    calibrated = select(Calibration.limit).where(Calibration.id == Job.calibration_id).correlate(Job).scalar_subquery()
    return func.coalesce(Job.own_limit, calibrated, math.inf)


def _chosen(ids: list[UUID]) -> Select[Any]:
    """Minimum 0 of the jobs that have chosen theirs, by their own selection."""
    means = _means(ids)
    return (
        select(
            Minimum.job_id,
            Score.mean,
            Score.n,
            means.c.member,
            means.c.reference,
            Minimum.low_confidence,
            Minimum.reason,
        )
        .join(Selection, Selection.id == Minimum.selection_id)
        .join(Score, and_(Score.selection_id == Selection.id, Score.candidate_id == Minimum.candidate_id))
        .join(means, means.c.candidate_id == Minimum.candidate_id)
        .where(Minimum.job_id.in_(ids), Selection.number == 0, Minimum.rank == 0, Score.mean.is_not(None))
    )


def _as_best(row: Row[Any]) -> Best:
    return Best(float(row.mean), "mean" if row.n > 1 else row.member, row.n, row.reference)


def _hurried(ids: list[UUID]) -> Select[Any]:
    """Jobs with walkers that ran out of wall time."""
    return select(Walker.job_id).where(Walker.job_id.in_(ids), Walker.ended_because == WalkerEnd.WALL_TIME).distinct()


def _failures(ids: list[UUID]) -> Select[Any]:
    """Failed work of each job, counted by kind of work and reason; the commonest first."""
    parts = []
    for table, work in ((Walker, literal(Work.WALKER.value)), (MemberEnergy, literal(Work.EVALUATION.value))):
        parts.append(
            select(table.job_id, work.label("work"), table.failure_kind, table.failure_reason).where(
                table.job_id.in_(ids), table.state == State.FAILED
            )
        )
    parts.append(
        select(StageRow.job_id, StageRow.work, StageRow.failure_kind, StageRow.failure_reason).where(
            StageRow.job_id.in_(ids), StageRow.state == State.FAILED
        )
    )
    reference = literal(Work.REFERENCE.value)
    parts.append(
        select(JobReference.job_id, reference, Reference.failure_kind, Reference.failure_reason)
        .join(Reference, Reference.id == JobReference.reference_id)
        .where(JobReference.job_id.in_(ids), Reference.state == State.FAILED)
    )
    rows = union_all(*parts).subquery()
    key = (rows.c.job_id, rows.c.work, rows.c.failure_kind, rows.c.failure_reason)
    n = func.count().label("n")
    return select(*key, n).group_by(*key).order_by(n.desc(), *key[1:])
