"""Reference energies that labs feed back, and the calibrations learned from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from shared.database.tables import Calibration, Candidate, Job, MemberEnergy, ReferenceEnergy
from shared.errors import NotFound
from shared.parameters import Spread
from shared.states import State
from shared.structures import Floats


@dataclass(frozen=True, eq=False)
class Labelled:
    """Candidates with reference energies of one functional."""

    energies: Floats
    """Adsorption energies by member, eV [n, n_members], NaN where a member has none."""
    references: Floats
    """eV [n]."""
    systems: list[UUID]
    """The job of each [n]: candidates of one job aren't independent."""


def labelled(session: Session, members: Sequence[str], functional: str) -> Labelled:
    """All candidates that have a reference energy of this functional; the newest one counts, and only where it is measured against
    the same reference as the members' energies."""
    newest_of = (
        select(ReferenceEnergy.candidate_id, ReferenceEnergy.adsorption_energy, ReferenceEnergy.reference)
        .ext(distinct_on(ReferenceEnergy.candidate_id))
        .where(ReferenceEnergy.functional == functional)
        .order_by(ReferenceEnergy.candidate_id, ReferenceEnergy.id.desc())
        .subquery()
    )
    rows = session.execute(
        select(newest_of.c.candidate_id, newest_of.c.adsorption_energy, Candidate.job_id, MemberEnergy.member,
               MemberEnergy.adsorption_energy)
        .join(Candidate, Candidate.id == newest_of.c.candidate_id)
        .join(MemberEnergy, MemberEnergy.candidate_id == newest_of.c.candidate_id)
        .where(
            MemberEnergy.state == State.SUCCEEDED,
            MemberEnergy.member.in_(members),
            MemberEnergy.reference == newest_of.c.reference,
        )
        .order_by(newest_of.c.candidate_id)
    ).all()  # fmt: skip
    keys = {key: index for index, key in enumerate(dict.fromkeys(row.candidate_id for row in rows))}
    energies = np.full((len(keys), len(members)), np.nan)
    references, systems = np.zeros(len(keys)), [UUID(int=0)] * len(keys)
    for key, reference, job_id, member, energy in rows:
        index = keys[key]
        energies[index, list(members).index(member)] = energy
        references[index], systems[index] = reference, job_id
    return Labelled(energies, references, systems)


def add(
    session: Session,
    members: Sequence[str],
    functional: str,
    spread: Spread,
    limit: float | None,
    report: dict[str, Any],
    user_id: int,
) -> Calibration:
    """Keep a calibration; the newest one of its members, functional and spread is what jobs get."""
    row = Calibration(
        members=sorted(members), functional=functional, spread=spread, limit=limit, report=report, user_id=user_id
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def newest(session: Session, members: Sequence[str], functional: str, spread: Spread) -> Calibration | None:
    """The calibration that a job with these members gets, if there is one."""
    return session.scalars(
        select(Calibration)
        .where(
            Calibration.members == sorted(members),
            Calibration.functional == functional,
            Calibration.spread == spread,
        )
        .order_by(Calibration.id.desc())
        .limit(1)
    ).one_or_none()


def every(session: Session, *, limit: int = 200) -> list[Calibration]:
    """The newest calibrations first."""
    return list(session.scalars(select(Calibration).order_by(Calibration.id.desc()).limit(limit)))


def get(session: Session, number: int) -> Calibration:
    """One calibration. Raises NotFound."""
    found = session.get(Calibration, number)
    if found is None:
        raise NotFound(f"there is no calibration {number}")
    return found


def candidate(session: Session, candidate_id: int) -> tuple[Candidate, Job]:
    """A candidate and its job, whoever owns it. Raises NotFound."""
    found = session.get(Candidate, candidate_id)
    if found is None:
        raise NotFound(f"there is no candidate {candidate_id}")
    return found, session.get_one(Job, found.job_id)


def reference_of(session: Session, candidate_id: int) -> str | None:
    """What the members' energies of a candidate are relative to."""
    return session.scalar(
        select(func.min(MemberEnergy.reference)).where(
            MemberEnergy.candidate_id == candidate_id, MemberEnergy.state == State.SUCCEEDED
        )
    )
