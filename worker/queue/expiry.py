"""Leases that ran out: their workers are lost, and what these held is queued again."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.database.tables import JobReference, MemberEnergy, StageRow, Walker, WorkRow
from shared.database.workflow.transitions import move
from shared.errors import Poison, WorkerLost
from shared.states import State
from worker.queue import claims


def end_expired(session: Session, max_attempts: int) -> set[UUID]:
    """Requeue every row whose lease ran out, or fail it past its attempts. Returns the jobs concerned."""
    jobs: set[UUID] = set()
    for table in claims.TABLES:
        expired = (
            select(table)
            .where(table.state == State.RUNNING, table.lease_until < func.now())
            .with_for_update(of=table, skip_locked=True)
        )
        for row in session.scalars(expired):
            lost = WorkerLost(f"worker {row.owner} was lost while it held this")
            claims.record_attempt(session, row, lost, row.owner)
            if row.attempts >= max_attempts:
                poison = Poison(f"given up after {row.attempts} attempts that each lost their worker")
                move(row, State.FAILED, failure_kind=poison.kind, failure_reason=str(poison))
            else:
                move(row, State.QUEUED)
            jobs.update(_jobs_of(session, row))
    return jobs


def _jobs_of(session: Session, row: WorkRow) -> set[UUID]:
    if isinstance(row, StageRow | Walker | MemberEnergy):
        return {row.job_id}
    return set(session.scalars(select(JobReference.job_id).where(JobReference.reference_id == row.id)))
