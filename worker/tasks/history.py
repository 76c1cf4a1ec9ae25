"""What a job has found so far, as a walker may know it, and all of it when the minima are chosen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session, aliased

from shared.database.repositories.structures import restore
from shared.database.tables import Candidate, Job, Placement, StructureRow, Walker
from shared.parameters import JobParameters
from shared.structures import Structure


@dataclass(frozen=True, eq=False)
class KnownMinimum:
    """A minimum that a walker may know of."""

    candidate_id: int
    structure: Structure
    energy: float
    """Bare, eV."""
    anomalies: tuple[str, ...]


def minima_of(session: Session, job_ids: Collection[UUID], member: str) -> dict[UUID, list[Any]]:
    """By job, rows of id, walker_id and hop of the distinct converged minima that its walkers of this member found, ordered by hop,
    then placement: never by who was first."""
    found: dict[UUID, list[Any]] = {job_id: [] for job_id in job_ids}
    rows = session.execute(
        select(Candidate.job_id, Candidate.id, Candidate.walker_id, Candidate.hop)
        .join(Walker, Walker.id == Candidate.walker_id)
        .join(Placement, Placement.id == Walker.placement_id)
        .where(
            Candidate.job_id.in_(job_ids),
            Candidate.member == member,
            Walker.refines.is_(None),
            Candidate.converged,
            Candidate.duplicate_of.is_(None),
        )
        .order_by(Candidate.hop, Placement.index)
    )
    for row in rows:
        found[row.job_id].append(row)
    return found


def best_of(session: Session, job_ids: Collection[UUID], member: str) -> dict[UUID, dict[int, float]]:
    """By job, the lowest bare energy, eV, of the sound minima that its walkers of this member found in each round."""
    found: dict[UUID, dict[int, float]] = {job_id: {} for job_id in job_ids}
    rows = session.execute(
        select(Candidate.job_id, Candidate.hop, func.min(Candidate.energy))
        .join(Walker, Walker.id == Candidate.walker_id)
        .where(
            Candidate.job_id.in_(job_ids),
            Candidate.member == member,
            Walker.refines.is_(None),
            Candidate.sound(),
        )
        .group_by(Candidate.job_id, Candidate.hop)
    )
    for job_id, hop, energy in rows:
        found[job_id][hop] = energy
    return found


def best_so_far(lowest: Mapping[int, float], last: int) -> list[float]:
    """Lowest energy of rounds 0..k, eV, for k <= last, from the lowest of each round."""
    best, found = float("inf"), []
    for hop in range(last + 1):
        best = min(best, lowest.get(hop, float("inf")))
        found.append(best)
    return found


def first_candidates(session: Session, job_id: UUID, member: str) -> list[Candidate | None]:
    """What the relaxations of a job's placements found with one member, by placement; None where one failed."""
    rows = session.execute(
        select(Placement.index, Candidate)
        .join(Walker, Walker.placement_id == Placement.id)
        .outerjoin(Candidate, and_(Candidate.walker_id == Walker.id, Candidate.hop == 0))
        .where(Placement.job_id == job_id, Walker.member == member, Walker.refines.is_(None))
        .order_by(Placement.index)
    )
    return [candidate for _, candidate in rows]


def out_of_time(session: Session, job: Job, parameters: JobParameters) -> bool:
    """Whether the job has used up its wall time, by PostgreSQL's clock."""
    if parameters.max_wall_s is None:
        return False
    since = session.scalar(select(func.extract("epoch", func.now() - Job.started_at)).where(Job.id == job.id))
    return since is not None and float(since) > parameters.max_wall_s


@dataclass(frozen=True, eq=False)
class Geometry:
    """A candidate and its structure."""

    candidate_id: int
    duplicate_of: int | None
    """The candidate that its walker found it to be the same as."""
    structure: Structure


def geometries(session: Session, job_id: UUID) -> list[Geometry]:
    """All candidates of a job, ordered by hop, placement, member, and where they were refined by those of the candidate that they
    come from: the same in every run with the same seed."""
    source = aliased(Candidate)
    rows = session.execute(
        select(Candidate.id, Candidate.duplicate_of, Candidate.structure_id, Candidate.positions)
        .join(Walker, Walker.id == Candidate.walker_id)
        .join(Placement, Placement.id == Walker.placement_id)
        .outerjoin(source, source.id == Walker.refines)
        .where(Candidate.job_id == job_id)
        .order_by(Candidate.hop, Placement.index, Candidate.member, source.hop.nulls_first(), source.member)
    ).all()
    like = {
        row.id: restore(row, np.zeros((len(row.numbers), 3)))
        for row in session.scalars(select(StructureRow).where(StructureRow.id.in_({row.structure_id for row in rows})))
    }
    return [Geometry(row.id, row.duplicate_of, like[row.structure_id].moved(row.positions)) for row in rows]
