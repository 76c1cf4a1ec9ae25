"""Work that a result brings: a distinct sound minimum is relaxed again, or scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert
from sqlalchemy.orm import Session

from shared.database.tables import Candidate, MemberEnergy, Walker


@dataclass(frozen=True)
class Recipients:
    """Members that a minimum goes to: those that relax it again, and those that score it."""

    refine: Sequence[str]
    score: Sequence[str]


@dataclass(frozen=True, eq=False)
class Minimum:
    """A distinct sound minimum of the search, and where it goes."""

    candidate: Candidate
    placement_id: int
    to: Recipients


def pass_on(session: Session, minima: Sequence[Minimum]) -> None:
    """Each goes to the refining members; where there are none, to those that score."""
    session.add_all(
        Walker(job_id=one.candidate.job_id, placement_id=one.placement_id, member=member, refines=one.candidate.id)
        for one in minima
        for member in one.to.refine
    )
    _ask(session, [(one.candidate, one.to.score) for one in minima if not one.to.refine])


def enqueue_evaluations(session: Session, candidate: Candidate, members: Sequence[str]) -> None:
    """Ask each member for its energy of a candidate."""
    _ask(session, [(candidate, members)])


def _ask(session: Session, wanted: Sequence[tuple[Candidate, Sequence[str]]]) -> None:
    rows = [
        {"job_id": candidate.job_id, "candidate_id": candidate.id, "member": member}
        for candidate, members in wanted
        for member in members
    ]
    if rows:
        session.execute(insert(MemberEnergy), rows)
