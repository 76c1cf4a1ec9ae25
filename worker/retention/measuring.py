"""How much is stored for a job: its rows and their indexes, bytes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, func, select
from sqlalchemy.orm import QueryableAttribute, Session

from shared.database.tables import (
    Attempt,
    Base,
    Candidate,
    Job,
    JobReference,
    MemberEnergy,
    Minimum,
    Placement,
    ReferenceEnergy,
    Score,
    Selection,
    StageRow,
    Walker,
)

# Bytes of a row without its arrays and documents, its part of each index included (`python -m benchmarks.retention`).
_ROW: dict[type[Base], int] = {
    Job: 1500,
    StageRow: 350,
    Placement: 300,
    Walker: 500,
    Candidate: 420,
    MemberEnergy: 340,
    Selection: 1200,
    Score: 215,
    Minimum: 300,
    ReferenceEnergy: 300,
    Attempt: 350,
    JobReference: 150,
}


def stored_bytes(session: Session, job_id: UUID) -> int:
    """Of one job. References and structures, which jobs share, are nobody's."""
    selections = select(Selection.id).where(Selection.job_id == job_id)
    candidates = select(Candidate.id).where(Candidate.job_id == job_id)
    whole = (StageRow, MemberEnergy, Selection, Minimum, Attempt, JobReference)
    parts = [
        _of(Job, Job.id == job_id, Job.submission, Job.parameters),
        _of(Placement, Placement.job_id == job_id, Placement.positions),
        _of(Walker, Walker.job_id == job_id, Walker.memory),
        _of(Candidate, Candidate.job_id == job_id, Candidate.positions),
        _of(Score, Score.selection_id.in_(selections), Score.verdict, Score.reason),
        _of(ReferenceEnergy, ReferenceEnergy.candidate_id.in_(candidates)),
        *(_of(table, table.job_id == job_id) for table in whole),
    ]
    return sum(int(part) for part in session.execute(select(*parts)).one())


def _of(
    table: type[Base], which: ColumnElement[bool], *wide: ColumnElement[Any] | QueryableAttribute[Any]
) -> ScalarSelect[int]:
    sizes = [func.coalesce(func.sum(func.pg_column_size(column)), 0) for column in wide]
    total: ColumnElement[int] = func.count() * _ROW[table]
    for size in sizes:
        total = total + size
    return select(total).select_from(table).where(which).scalar_subquery()
