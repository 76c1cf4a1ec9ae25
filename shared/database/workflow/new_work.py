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


def pass_on(session: Session, candidate: Candidate, placement_id: int, to: Recipients) -> None:
    """A distinct sound minimum of the search goes to the refining members; where there are none, to those that score."""
    if not to.refine:
        enqueue_evaluations(session, candidate, to.score)
        return
    session.add_all(
        Walker(job_id=candidate.job_id, placement_id=placement_id, member=member, refines=candidate.id)
        for member in to.refine
    )


def enqueue_evaluations(session: Session, candidate: Candidate, members: Sequence[str]) -> None:
    """Ask each member for its energy of a candidate."""
    if members:
        session.execute(
            insert(MemberEnergy),
            [{"job_id": candidate.job_id, "candidate_id": candidate.id, "member": member} for member in members],
        )
