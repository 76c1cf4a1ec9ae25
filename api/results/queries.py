"""What jobs found: candidates with each member's energy, and the minima chosen among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.database.repositories.structures import restore
from shared.database.tables import (
    Candidate,
    Job,
    MemberEnergy,
    Minimum,
    Placement,
    ReferenceEnergy,
    RegisteredMember,
    Score,
    Selection,
    User,
    Walker,
)
from shared.structures import Structure
from shared.submissions import given_order


@dataclass(frozen=True, eq=False)
class FedBack:
    """A reference energy, and who fed it back."""

    energy: ReferenceEnergy
    user: str | None
    """None where the user is gone."""


@dataclass(frozen=True)
class Placed:
    """Where a candidate comes from."""

    index: int
    """Of its placement, from 0."""
    label: str | None
    """What the structure was called by who gave it."""


@dataclass(frozen=True, eq=False)
class Finding:
    """A candidate and what is known of it."""

    candidate: Candidate
    structure: Structure
    """Atoms in the order of the adslab that was submitted; where none was, the slab's and then the adsorbate's."""
    energies: list[MemberEnergy]
    """One per member that was asked, by name."""
    score: Score | None
    """By one selection, over its `members`."""
    members: tuple[str, ...]
    references: list[FedBack]
    """The newest first."""
    placement: Placed
    kinds: Mapping[str, str]
    """What each member predicts, `total` or `adsorption` energies, by its name."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """A minimum of a selection."""

    minimum: Minimum
    finding: Finding


def candidates(
    session: Session, job_id: UUID, *, limit: int, after: int | None = None, selection: Selection | None = None
) -> tuple[list[Finding], int | None]:
    """A page of a job's candidates in the order they were stored, judged by a selection, and the id that the next page starts
    after."""
    query = select(Candidate).where(Candidate.job_id == job_id).order_by(Candidate.id).limit(limit + 1)
    if after is not None:
        query = query.where(Candidate.id > after)
    rows = session.scalars(query).all()
    more = rows[limit - 1].id if len(rows) > limit else None
    return _findings(session, rows[:limit], selection), more


def minima(session: Session, selection: Selection | None) -> list[Chosen]:
    """The minima of a selection by rank; none where the job hasn't chosen yet."""
    if selection is None:
        return []
    chosen = session.scalars(select(Minimum).where(Minimum.selection_id == selection.id).order_by(Minimum.rank)).all()
    rows = session.scalars(select(Candidate).where(Candidate.id.in_([one.candidate_id for one in chosen]))).all()
    by_id = {finding.candidate.id: finding for finding in _findings(session, rows, selection)}
    return [Chosen(one, by_id[one.candidate_id]) for one in chosen]


def ranks(session: Session, selection: Selection | None) -> dict[int, Minimum]:
    """The minima of a selection by their candidate's id."""
    if selection is None:
        return {}
    chosen = session.scalars(select(Minimum).where(Minimum.selection_id == selection.id))
    return {minimum.candidate_id: minimum for minimum in chosen}


def one(session: Session, candidate: Candidate) -> Finding:
    """A single candidate, judged by its job's own selection."""
    own = session.scalars(
        select(Selection).where(Selection.job_id == candidate.job_id, Selection.number == 0)
    ).one_or_none()
    return _findings(session, [candidate], own)[0]


def _findings(session: Session, rows: Sequence[Candidate], selection: Selection | None) -> list[Finding]:
    ids = [row.id for row in rows]
    energies: dict[int, list[MemberEnergy]] = {key: [] for key in ids}
    asked = select(MemberEnergy).where(MemberEnergy.candidate_id.in_(ids)).order_by(MemberEnergy.member)
    for energy in session.scalars(asked):
        energies[energy.candidate_id].append(energy)
    references: dict[int, list[FedBack]] = {key: [] for key in ids}
    fed_back = (
        select(ReferenceEnergy, User.name)
        .outerjoin(User, User.id == ReferenceEnergy.user_id)
        .where(ReferenceEnergy.candidate_id.in_(ids))
        .order_by(ReferenceEnergy.id.desc())
    )
    for row, name in session.execute(fed_back):
        references[row.candidate_id].append(FedBack(row, name))
    scores: dict[int, Score] = {}
    if selection is not None:
        judged = select(Score).where(Score.selection_id == selection.id, Score.candidate_id.in_(ids))
        scores = {row.candidate_id: row for row in session.scalars(judged)}
    members = () if selection is None else selection.read_rules().members
    known = session.execute(select(RegisteredMember.name, RegisteredMember.energy_kind))
    kinds = {name: kind for name, kind in known}
    order = _orders(session, {row.job_id for row in rows})
    placed = _placed(session, {row.walker_id for row in rows})
    return [
        Finding(
            row,
            _as_given(restore(row.structure, row.positions), order[row.job_id]),
            energies[row.id],
            scores.get(row.id),
            members,
            references[row.id],
            placed[row.walker_id],
            kinds,
        )
        for row in rows
    ]


def _placed(session: Session, walker_ids: set[int]) -> dict[int, Placed]:
    """By walker."""
    rows = session.execute(
        select(Walker.id, Placement.index, Placement.label)
        .join(Placement, Placement.id == Walker.placement_id)
        .where(Walker.id.in_(walker_ids))
    )
    return {walker_id: Placed(index, label) for walker_id, index, label in rows}


def _orders(session: Session, job_ids: set[UUID]) -> dict[UUID, tuple[int, ...] | None]:
    submitted = session.execute(select(Job.id, Job.submission).where(Job.id.in_(job_ids)))
    return {job_id: given_order(submission) for job_id, submission in submitted}


def _as_given(inside: Structure, order: tuple[int, ...] | None) -> Structure:
    return inside if order is None else inside.only(np.array(order, dtype=np.int64))
