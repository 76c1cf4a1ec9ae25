"""What is counted of each job that is shown, as lateral parts of one statement (api.jobs.shown): one row of each for every job.

Nothing here is stored; every count is of rows that workers committed.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    Text,
    and_,
    case,
    distinct,
    func,
    lateral,
    literal_column,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import aliased
from sqlalchemy.sql.selectable import LateralFromClause

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


def _word(value: StrEnum) -> ColumnElement[str]:
    """Written into the statement: a plan for any value of a parameter can't use indexes of some states alone."""
    return literal_column(f"'{value.value}'", Text)


_DONE = _word(State.SUCCEEDED)
_QUEUED, _RUNNING, _FAILED = _word(State.QUEUED), _word(State.RUNNING), _word(State.FAILED)
_OPEN = (_QUEUED, _RUNNING)


def _is(table: Any, state: ColumnElement[str]) -> Any:
    return func.count().filter(table.state == state)


def _queued_for(table: Any) -> Any:
    """Members that something is queued for; null for none."""
    return func.array_agg(table.member.distinct()).filter(table.state == _QUEUED)


def _of_job(rows: Any, name: str) -> Any:
    return rows.correlate(Job).lateral(name)


placed = _of_job(select(func.count().label("placements")).where(Placement.job_id == Job.id), "placed")
staged = _of_job(
    select(_is(StageRow, _RUNNING).label("stages_running"), _is(StageRow, _FAILED).label("stages_failed")).where(
        StageRow.job_id == Job.id
    ),
    "staged",
)
referred = _of_job(
    select(
        func.count().label("references_total"),
        _is(Reference, _DONE).label("references_done"),
        _is(Reference, _RUNNING).label("references_running"),
        _is(Reference, _FAILED).label("references_failed"),
        _queued_for(Reference).label("references_queued_for"),
    )
    .join(JobReference, Reference.id == JobReference.reference_id)
    .where(JobReference.job_id == Job.id),
    "referred",
)
walked = _of_job(
    select(
        func.count().label("walkers_total"),
        _is(Walker, _RUNNING).label("walkers_running"),
        _is(Walker, _DONE).label("walkers_succeeded"),
        _is(Walker, _FAILED).label("walkers_failed"),
        _queued_for(Walker).label("walkers_queued_for"),
        func.coalesce(func.sum(Walker.hop), 0).label("hops_done"),
        func.coalesce(func.sum(Walker.force_calls), 0).label("force_calls"),
        func.count().filter(Walker.ended_because == _word(WalkerEnd.WALL_TIME)).label("hurried"),
    ).where(Walker.job_id == Job.id),
    "walked",
)
found = _of_job(
    select(
        func.count().label("candidates_total"),
        func.count().filter(Candidate.duplicate_of.is_(None)).label("candidates_distinct"),
    ).where(Candidate.job_id == Job.id),
    "found",
)
scored = _of_job(
    select(
        func.count().label("energies_total"),
        _is(MemberEnergy, _RUNNING).label("energies_running"),
        _is(MemberEnergy, _DONE).label("energies_done"),
        _is(MemberEnergy, _FAILED).label("energies_failed"),
        _queued_for(MemberEnergy).label("energies_queued_for"),
    ).where(MemberEnergy.job_id == Job.id),
    "scored",
)


def means(*of: ColumnElement[bool]) -> Select[Any]:
    """Mean adsorption energy of each candidate over the members that scored it; never over mixed references. of: which energies.

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
            func.min(MemberEnergy.stated).label("reference"),
        )
        .where(MemberEnergy.state == _DONE, *of)
        .group_by(MemberEnergy.candidate_id)
        .having(func.count(distinct(MemberEnergy.stated)) == 1)
    )


def _chosen() -> LateralFromClause:
    """Minimum 0 of a job that has chosen its own, by its own selection."""
    first = (
        select(
            Minimum.candidate_id,
            Score.mean,
            Score.n,
            Minimum.low_confidence,
            Minimum.reason,
        )
        .join(Selection, Selection.id == Minimum.selection_id)
        .join(Score, and_(Score.selection_id == Selection.id, Score.candidate_id == Minimum.candidate_id))
        .where(Minimum.job_id == Job.id, Selection.number == 0, Minimum.rank == 0, Score.mean.is_not(None))
        .correlate(Job)
        .lateral("first")
    )
    of_it = means(MemberEnergy.candidate_id == first.c.candidate_id).correlate(first).lateral("of_it")
    return (
        select(
            first.c.mean.label("chosen_mean"),
            first.c.n.label("chosen_n"),
            of_it.c.member.label("chosen_member"),
            of_it.c.reference.label("chosen_reference"),
            first.c.low_confidence,
            first.c.reason.label("chosen_reason"),
        )
        .join(of_it, of_it.c.candidate_id == first.c.candidate_id)
        .lateral("chosen")
    )


def _best() -> LateralFromClause:
    """The lowest plain mean among a job's sound, distinct candidates that pass its filter so far; none where it has chosen."""
    so_far = means(MemberEnergy.job_id == Job.id, chosen.c.chosen_n.is_(None)).correlate(Job, chosen).lateral("so_far")
    # the relative one is told when all candidates are there
    relative = Job.spread == _word(Spread.RELATIVE)
    spread = case(
        (Job.spread == _word(Spread.RANGE), so_far.c.range), (relative, literal_column("0.0")), else_=so_far.c.std
    )
    return (
        select(
            so_far.c.mean.label("best_mean"),
            so_far.c.n.label("best_n"),
            so_far.c.member.label("best_member"),
            so_far.c.reference.label("best_reference"),
        )
        .join(Candidate, Candidate.id == so_far.c.candidate_id)
        .where(Candidate.duplicate_of.is_(None), Candidate.sound())
        .where((so_far.c.n == 1) | (spread <= _limit()))
        .order_by(so_far.c.mean, Candidate.id)
        .limit(1)
        .correlate(Job, chosen)
        .lateral("best")
    )


def _limit() -> ColumnElement[float]:
    """A job's limit of the spread, eV: a number, or that of its calibration; none where it has neither."""
    calibrated = select(Calibration.limit).where(Calibration.id == Job.calibration_id).correlate(Job).scalar_subquery()
    return func.coalesce(Job.own_limit, calibrated, math.inf)


def _failures() -> LateralFromClause:
    """Failed work of a job, counted by kind of work and reason, the commonest first: a list of [work, kind, reason, count]."""
    parts = [
        select(_word(work).label("work"), table.failure_kind, table.failure_reason).where(
            table.job_id == Job.id, table.state == _FAILED, any_failed > 0
        )
        for table, work, any_failed in (
            (Walker, Work.WALKER, walked.c.walkers_failed),
            (MemberEnergy, Work.EVALUATION, scored.c.energies_failed),
        )
    ]
    parts.append(
        select(StageRow.work, StageRow.failure_kind, StageRow.failure_reason).where(
            StageRow.job_id == Job.id, StageRow.state == _FAILED, staged.c.stages_failed > 0
        )
    )
    parts.append(
        select(_word(Work.REFERENCE), Reference.failure_kind, Reference.failure_reason)
        .join(JobReference, Reference.id == JobReference.reference_id)
        .where(JobReference.job_id == Job.id, Reference.state == _FAILED, referred.c.references_failed > 0)
    )
    known = (Job, walked, scored, staged, referred)
    rows = lateral(union_all(*[part.correlate(*known) for part in parts]), "rows")
    n = func.count().label("n")
    alike = select(rows.c.work, rows.c.failure_kind, rows.c.failure_reason, n).group_by(*rows.c).lateral("alike")
    one = func.jsonb_build_array(
        alike.c.work, alike.c.failure_kind, func.coalesce(alike.c.failure_reason, ""), alike.c.n
    )
    order = (alike.c.n.desc(), alike.c.work, alike.c.failure_kind, alike.c.failure_reason)
    return select(func.jsonb_agg(aggregate_order_by(one, *order)).label("failures")).lateral("failed")


def ahead() -> ColumnElement[int]:
    """How many open jobs are older than one that is open and of which nothing runs; null for others."""
    older = aliased(Job)
    before = (
        select(func.count())
        .where(older.state.in_(_OPEN), tuple_(older.created_at, older.id) < tuple_(Job.created_at, Job.id))
        .correlate(Job)
        .scalar_subquery()
    )
    return _of_waiting(before)


def line() -> Subquery:
    """All open jobs with the number of older ones, for many of them: counted once."""
    every = aliased(Job)
    number = func.row_number().over(order_by=(every.created_at, every.id)) - 1
    return select(every.id, number.label("older")).where(every.state.in_(_OPEN)).subquery("line")


def ahead_in(of: Subquery) -> ColumnElement[int]:
    """As `ahead`, read off the line."""
    return _of_waiting(of.c.older)


def _of_waiting(what: ColumnElement[int]) -> ColumnElement[int]:
    running = (
        staged.c.stages_running + walked.c.walkers_running + scored.c.energies_running + referred.c.references_running
    )
    return case((Job.state.in_(_OPEN) & (running == 0), what))


def of_open(what: ColumnElement[Any]) -> ColumnElement[Any]:
    """This, where the job is open; else null."""
    return case((Job.state.in_(_OPEN), what))


chosen = _chosen()
best = _best()
failed = _failures()

PARTS = (placed, staged, referred, walked, found, scored, chosen, best, failed)
"""In this order: each may refer to those before it."""
