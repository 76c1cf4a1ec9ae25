"""Choosing among a job's candidates: what the choice looks at, and its answers, all of which are kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from sqlalchemy import ColumnElement, Text, func, insert, literal, select
from sqlalchemy import delete as sql_delete
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from shared.database.repositories import calibrations
from shared.database.repositories.users import Identity
from shared.database.tables import Calibration, Candidate, Job, MemberEnergy, Minimum, Selection
from shared.errors import Conflict, NotFound
from shared.parameters import CALIBRATED, Choosing
from shared.scored import Outcome, Pool
from shared.states import State
from shared.structures import Floats, Integers


def pool(session: Session, job_id: UUID, members: Sequence[str], *, reference: str | None = None) -> Pool:
    """A job's candidates with the energies of these members, by id; with those alone that are against a reference on a scale, where
    one is given as `MemberEnergy.stated` has it."""
    columns = (Candidate.id, Candidate.converged, Candidate.fmax, func.array_to_string(Candidate.anomalies, ", "))
    rows = session.execute(
        select(*columns, func.coalesce(Candidate.duplicate_of, Candidate.id))
        .where(Candidate.job_id == job_id)
        .order_by(Candidate.id)
    ).all()
    keys, converged, fmax, anomalies, first = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    ids = np.array(keys, dtype=np.int64)
    scored: tuple[ColumnElement[bool], ...] = (
        MemberEnergy.job_id == job_id,
        MemberEnergy.state == State.SUCCEEDED,
        MemberEnergy.member.in_(members),
    )
    if reference is not None:
        scored += (MemberEnergy.stated == reference,)
    stated = session.scalars(
        select(MemberEnergy.stated)
        .where(*scored)
        .group_by(MemberEnergy.reference, MemberEnergy.scale)
        .order_by(func.count().desc(), MemberEnergy.reference, MemberEnergy.scale)
    ).all()
    return Pool(
        keys=ids,
        members=tuple(members),
        energies=_energies(session, ids, members, scored),
        references=tuple(reference for reference in stated if reference is not None),
        converged=np.array(converged, dtype=np.bool_),
        fmax=np.array(fmax, dtype=np.float64),
        anomalies=anomalies,
        first=np.array(first, dtype=np.int64),
    )


def _energies(
    session: Session, keys: Integers, members: Sequence[str], scored: tuple[ColumnElement[bool], ...]
) -> Floats:
    """Adsorption energies, eV [n, n_members]; NaN where a member has none."""
    names = literal(list(members), ARRAY(Text))
    column = func.array_position(names, MemberEnergy.member) - 1
    columns = (MemberEnergy.candidate_id, column, MemberEnergy.adsorption_energy)
    # as three arrays: tens of thousands of rows would each become an object
    arrays = session.execute(select(*(func.array_agg(one) for one in columns)).where(*scored)).one()
    table = np.full((len(keys), len(members)), np.nan)
    if arrays[0] is not None:
        rows, places = (np.array(part, dtype=np.int64) for part in arrays[:2])
        table[np.searchsorted(keys, rows), places] = arrays[2]
    return table


@dataclass(frozen=True)
class SpreadLimit:
    """The limit of the spread that a choice goes by."""

    value: float | None
    """eV; None where a calibrated one was asked for and couldn't be had: then nothing is too wide."""
    calibration_id: int | None
    """The calibration it comes from, if any."""

    @property
    def bound(self) -> float:
        """eV."""
        return math.inf if self.value is None else self.value


def limit_of(session: Session, rules: Choosing, identity: Identity, scale: str) -> SpreadLimit:
    """The number that the rules give, or that of the calibration that this user gets by them. scale: of the members' energies, in
    words. Raises InvalidInput where there is none."""
    if rules.limit != CALIBRATED:
        return SpreadLimit(float(rules.limit), None)
    found = calibrations.for_rules(session, rules, identity, scale)
    return SpreadLimit(found.limit, found.id)


def pinned_limit(session: Session, job: Job, rules: Choosing) -> SpreadLimit:
    """The limit of a job's own choice: the number that its rules give, or that of the calibration that was in force when it was
    submitted, whatever became of it since; None where the job has none."""
    if rules.limit != CALIBRATED:
        return SpreadLimit(float(rules.limit), None)
    found = None if job.calibration_id is None else session.get(Calibration, job.calibration_id)
    return SpreadLimit(None, None) if found is None else SpreadLimit(found.limit, found.id)


def store(
    session: Session,
    job_id: UUID,
    rules: Choosing,
    limit: SpreadLimit,
    pool: Pool,
    outcome: Outcome,
    *,
    number: int = 0,
    user_id: int | None = None,
) -> Selection:
    """Keep an answer, beside those that the job has. number: 0 is the job's own; others are taken by `next_number`."""
    row = Selection(
        job_id=job_id,
        number=number,
        rules=rules.model_dump(mode="json"),
        limit=limit.value,
        calibration_id=limit.calibration_id,
        reference="; ".join(pool.references),
        n_candidates=len(pool),
        offsets={
            name: value for name, value in zip(pool.members, outcome.offset.tolist(), strict=True) if value == value
        },
        offset_spread=None if math.isnan(outcome.offset_spread) else outcome.offset_spread,
        n_offsets=outcome.n_offsets,
        n_passing=int(outcome.passes.sum()),
        low_confidence=outcome.low_confidence,
        user_id=user_id,
    )
    session.add(row)
    session.flush()
    _store_scores(session, row.id, pool, outcome)
    chosen = np.flatnonzero(outcome.rank >= 0)
    if len(chosen):
        session.execute(
            insert(Minimum),
            [
                {
                    "selection_id": row.id,
                    "job_id": job_id,
                    "rank": int(outcome.rank[index]),
                    "candidate_id": int(pool.keys[index]),
                    "low_confidence": outcome.low_confidence,
                    "reason": outcome.verdicts[index],
                }
                for index in chosen.tolist()
            ],
        )
    session.refresh(row)
    return row


@dataclass(frozen=True)
class Most:
    """How many selections are kept, the jobs' own left out."""

    of_job: int
    by_user: int


def check_room(session: Session, job_id: UUID, user_id: int, most: Most) -> None:
    """Raise Conflict where as many selections as may be were asked for of this job, or by this user."""
    asked = select(func.count()).select_from(Selection).where(Selection.number > 0)
    n = session.scalar(asked.where(Selection.job_id == job_id)) or 0
    if n >= most.of_job:
        raise Conflict(
            f"job {job_id} has {n} selections beside its own, and {most.of_job} are allowed: delete some first"
        )
    theirs = session.scalar(asked.where(Selection.user_id == user_id)) or 0
    if theirs >= most.by_user:
        raise Conflict(f"you have {theirs} selections, and {most.by_user} are allowed: delete some first")


def next_number(session: Session, job: Job, user_id: int, most: Most) -> int:
    """A number that no selection of the job had before. The caller has locked the user, then the job. Raises Conflict."""
    check_room(session, job.id, user_id, most)
    job.last_selection += 1
    return job.last_selection


def delete(session: Session, job_id: UUID, number: int) -> None:
    """Delete a selection that was asked for, with its scores and minima. Raises Conflict for the job's own, and NotFound."""
    if number == 0:
        raise Conflict(f"selection 0 is the answer of job {job_id} itself, and stays with it")
    gone = sql_delete(Selection).where(Selection.job_id == job_id, Selection.number == number).returning(Selection.id)
    if session.scalar(gone) is None:
        raise NotFound(f"job {job_id} has no selection {number}")


def _store_scores(session: Session, selection_id: int, pool: Pool, outcome: Outcome) -> None:
    """By COPY: a job may have tens of thousands of candidates."""

    def numbers(values: Floats) -> list[float | None]:
        return [None if value != value else value for value in values.tolist()]

    rows = zip(
        pool.keys.tolist(),
        numbers(outcome.mean),
        numbers(outcome.std),
        numbers(outcome.range),
        numbers(outcome.relative),
        outcome.n.tolist(),
        outcome.passes.tolist(),
        outcome.reasons,
        [None if key == own else key for key, own in zip(outcome.same_as.tolist(), pool.keys.tolist(), strict=True)],
        outcome.verdicts,
        strict=True,
    )
    columns = 'selection_id, candidate_id, mean, std, "range", relative, n, passes, reason, same_as, verdict'
    cursor = session.connection().connection.cursor()
    with cursor.copy(f"COPY scores ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row((selection_id, *row))


def of_job(session: Session, job_id: UUID) -> list[Selection]:
    """A job's selections, its own first."""
    return list(session.scalars(select(Selection).where(Selection.job_id == job_id).order_by(Selection.number)))


def find(session: Session, job_id: UUID, number: int) -> Selection | None:
    """One of a job's selections; None where it has none yet. Raises NotFound for a number that was never given."""
    found = session.scalars(
        select(Selection).where(Selection.job_id == job_id, Selection.number == number)
    ).one_or_none()
    if found is None and number:
        raise NotFound(f"job {job_id} has no selection {number}")
    return found


def check_ended(job: Job) -> None:
    """Raise Conflict unless the job has an answer of its own to stand beside, and all that it was chosen from."""
    if job.state != State.SUCCEEDED:
        raise Conflict(f"job {job.id} is {job.state}: only one that has succeeded can be chosen from again")
    if job.candidates_dropped_at is not None:
        raise Conflict(
            f"the candidates of job {job.id} were dropped on {job.candidates_dropped_at:%d %B %Y}, as this server's rules say: only "
            "its minima are left, and nothing to choose from; submit it again to search again"
        )
