"""Rows of jobs that are deleted, and candidates that are dropped, go in small pieces: each its own short transaction.

A job may have 100,000 candidates, and what refers to each is looked for when it goes. What goes first is what nothing refers to.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Select,
    any_,
    delete,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session, aliased

from shared.database.repositories.structures import remove_unused
from shared.database.tables import (
    Attempt,
    Base,
    Candidate,
    Job,
    MemberEnergy,
    Minimum,
    Placement,
    ReferenceEnergy,
    Score,
    Selection,
    Walker,
)

PIECE = 500
"""Rows of one transaction."""

_TID: ColumnElement[str] = literal_column("ctid")


def remove_piece(session: Session, job_id: UUID) -> bool:
    """Some rows of a job, and the job itself when nothing else is left. Returns whether it is gone."""
    selections = select(Selection.id).where(Selection.job_id == job_id)
    if (
        _some(session, Score, Score.selection_id.in_(selections))
        or _some(session, MemberEnergy, MemberEnergy.job_id == job_id)
        or _some_candidates(session, job_id)
        or _some(session, Attempt, Attempt.job_id == job_id)
        or _some(session, Walker, Walker.job_id == job_id)
    ):
        return False
    structures = set(session.scalars(select(Placement.structure_id).where(Placement.job_id == job_id).distinct()))
    session.execute(delete(Job).where(Job.id == job_id).execution_options(synchronize_session=False))
    remove_unused(session, structures)
    return True


def drop_piece(session: Session, job_id: UUID) -> bool:
    """Some candidates of a job that aren't kept, with their energies and scores; then the attempts and the walkers' memories. Returns
    whether nothing of them is left."""
    going = Candidate.id.not_in(_kept(job_id))
    theirs = select(Candidate.id).where(Candidate.job_id == job_id, going)
    return not (
        _some(session, MemberEnergy, MemberEnergy.candidate_id.in_(theirs))
        or _some_candidates(session, job_id, going)
        or _some(session, Attempt, Attempt.job_id == job_id)
        or _forget_some(session, job_id)
    )


def _kept(job_id: UUID) -> Select[tuple[int]]:
    """Candidates that stay: the minima of every selection, those with reference energies, which calibrations learn from, and whatever
    these were refined from or are the same as."""
    chosen = select(Minimum.candidate_id).where(Minimum.job_id == job_id)
    labelled = (
        select(ReferenceEnergy.candidate_id)
        .join(Candidate, Candidate.id == ReferenceEnergy.candidate_id)
        .where(Candidate.job_id == job_id)
    )
    needed = union(chosen, labelled).subquery()
    kept = select(needed.c.candidate_id).cte("kept", recursive=True)
    child, walker = aliased(Candidate), aliased(Walker)
    earlier = func.unnest(func.array_remove(array([child.duplicate_of, walker.refines]), None))
    rests_on = (
        select(earlier)
        .select_from(kept)
        .join(child, child.id == kept.c.candidate_id)
        .join(walker, walker.id == child.walker_id)
        .where(or_(child.duplicate_of.is_not(None), walker.refines.is_not(None)))
    )
    return select(kept.union(rests_on).c.candidate_id)


def _some(session: Session, table: type[Base], *which: ColumnElement[bool]) -> int:
    """Remove up to PIECE rows; returns how many they were."""
    piece = select(_TID).select_from(table).where(*which).limit(PIECE).scalar_subquery()
    gone = delete(table).where(any_(func.array(piece)) == _TID).execution_options(synchronize_session=False)
    done = session.execute(gone)
    assert isinstance(done, CursorResult)
    return done.rowcount


def _some_candidates(session: Session, job_id: UUID, *which: ColumnElement[bool]) -> bool:
    """Those first that came of refining another one, or are the same as one: they would go with it, in one long piece."""
    refining = select(Walker.id).where(Walker.job_id == job_id, Walker.refines.is_not(None))
    for first in (Candidate.walker_id.in_(refining), Candidate.duplicate_of.is_not(None), true()):
        piece = select(Candidate.id).where(Candidate.job_id == job_id, *which, first).limit(PIECE)
        gone = delete(Candidate).where(Candidate.id.in_(piece)).returning(Candidate.structure_id)
        structures = session.scalars(gone.execution_options(synchronize_session=False)).all()
        if structures:
            remove_unused(session, set(structures))
            return True
    return False


def _forget_some(session: Session, job_id: UUID) -> bool:
    remembering = select(Walker.id).where(Walker.job_id == job_id, Walker.memory.is_not(None)).limit(PIECE)
    forgotten = update(Walker).where(Walker.id.in_(remembering)).values(memory=null()).returning(Walker.id)
    return bool(session.scalars(forgotten.execution_options(synchronize_session=False)).all())
