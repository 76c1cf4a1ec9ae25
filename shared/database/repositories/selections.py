"""Choosing among a job's candidates: what the choice looks at, and its answers, all of which are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from sqlalchemy import ColumnElement, Text, func, insert, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from shared.database.repositories.calibrations import newest
from shared.database.tables import Candidate, Job, MemberEnergy, Minimum, Selection
from shared.errors import Conflict, InvalidInput, NotFound
from shared.parameters import CALIBRATED, Choosing
from shared.scored import Outcome, Pool
from shared.states import State
from shared.structures import Floats, Integers


def pool(session: Session, job_id: UUID, members: Sequence[str]) -> Pool:
    """A job's candidates with the energies of these members, by id."""
    columns = (Candidate.id, Candidate.converged, Candidate.fmax, func.array_to_string(Candidate.anomalies, ", "))
    rows = session.execute(
        select(*columns, func.coalesce(Candidate.duplicate_of, Candidate.id))
        .where(Candidate.job_id == job_id)
        .order_by(Candidate.id)
    ).all()
    keys, converged, fmax, anomalies, first = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    ids = np.array(keys, dtype=np.int64)
    scored = (MemberEnergy.job_id == job_id, MemberEnergy.state == State.SUCCEEDED, MemberEnergy.member.in_(members))
    stated = session.scalars(select(MemberEnergy.reference).where(*scored).distinct()).all()
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

    value: float
    """eV."""
    calibration_id: int | None
    """The calibration it comes from, if any."""


def limit_of(session: Session, rules: Choosing) -> SpreadLimit:
    """The number that the rules give, or the newest calibration's. Raises InvalidInput where there is none."""
    if rules.limit != CALIBRATED:
        return SpreadLimit(float(rules.limit), None)
    found = newest(session, rules.members, rules.functional, rules.spread)
    what = f"{', '.join(sorted(rules.members))} ({rules.spread}, against {rules.functional})"
    if found is None:
        raise InvalidInput(
            f"there is no calibration for {what}: give a limit in eV, or feed reference energies back and calibrate",
            field="limit",
        )
    if found.limit is None:
        raise InvalidInput(
            f"no limit reached the target in the newest calibration for {what} (number {found.id}): give a limit in eV",
            field="limit",
        )
    return SpreadLimit(found.limit, found.id)


def store(
    session: Session,
    job_id: UUID,
    rules: Choosing,
    limit: SpreadLimit,
    pool: Pool,
    outcome: Outcome,
    *,
    user_id: int | None = None,
) -> Selection:
    """Keep an answer, beside those that the job has."""
    # one at a time: two would take the same number
    session.execute(select(Job.id).where(Job.id == job_id).with_for_update(key_share=True))
    last = session.scalar(select(func.max(Selection.number)).where(Selection.job_id == job_id))
    row = Selection(
        job_id=job_id,
        number=0 if last is None else last + 1,
        rules=rules.model_dump(mode="json"),
        limit=limit.value,
        calibration_id=limit.calibration_id,
        reference="; ".join(pool.references),
        n_candidates=len(pool),
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


def _store_scores(session: Session, selection_id: int, pool: Pool, outcome: Outcome) -> None:
    """By COPY: a job may have tens of thousands of candidates."""

    def numbers(values: Floats) -> list[float | None]:
        return [None if value != value else value for value in values.tolist()]

    rows = zip(
        pool.keys.tolist(),
        numbers(outcome.mean),
        numbers(outcome.std),
        numbers(outcome.range),
        outcome.n.tolist(),
        outcome.passes.tolist(),
        outcome.reasons,
        [None if key == own else key for key, own in zip(outcome.same_as.tolist(), pool.keys.tolist(), strict=True)],
        outcome.verdicts,
        strict=True,
    )
    columns = 'selection_id, candidate_id, mean, std, "range", n, passes, reason, same_as, verdict'
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
    """Raise Conflict unless the job has an answer of its own to stand beside."""
    if job.state != State.SUCCEEDED:
        raise Conflict(f"job {job.id} is {job.state}: only one that has succeeded can be chosen from again")
