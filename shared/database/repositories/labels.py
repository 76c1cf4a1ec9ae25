"""Reference energies that labs feed back for candidates, and what calibrations learn from them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from shared.database.repositories.members import scale_of
from shared.database.repositories.users import Identity
from shared.database.tables import Candidate, Job, MemberEnergy, ReferenceEnergy, User
from shared.errors import Conflict, Forbidden, NotFound
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
    candidates: list[int]
    """[n]."""
    ids: list[int]
    """Of the reference energies [n]."""
    codes: list[str]
    """[n]."""
    users: list[str]
    """Who fed each back; empty where they are gone [n]."""

    def sources(self, which: Sequence[int]) -> dict[str, dict[str, int]]:
        """How many of these entries there are by code and by user."""
        return {
            "codes": dict(Counter(self.codes[index] for index in which)),
            "users": dict(Counter(self.users[index] for index in which)),
        }


def labelled(session: Session, members: Sequence[str], functional: str, scale: str) -> Labelled:
    """All candidates that have a reference energy of this functional, of jobs whose energies by these members are on this scale; the
    newest one counts, and only where it is measured against the same reference as the members' energies."""
    newest_of = (
        select(
            ReferenceEnergy.candidate_id,
            ReferenceEnergy.adsorption_energy,
            ReferenceEnergy.reference,
            ReferenceEnergy.id,
            ReferenceEnergy.code,
            ReferenceEnergy.user_id,
        )
        .ext(distinct_on(ReferenceEnergy.candidate_id))
        .where(ReferenceEnergy.functional == functional)
        .order_by(ReferenceEnergy.candidate_id, ReferenceEnergy.id.desc())
        .subquery()
    )
    rows = session.execute(
        select(newest_of.c.candidate_id, newest_of.c.adsorption_energy, Candidate.job_id, MemberEnergy.member,
               MemberEnergy.adsorption_energy, newest_of.c.id, newest_of.c.code, User.name)
        .join(Candidate, Candidate.id == newest_of.c.candidate_id)
        .join(Job, Job.id == Candidate.job_id)
        .join(MemberEnergy, MemberEnergy.candidate_id == newest_of.c.candidate_id)
        .outerjoin(User, User.id == newest_of.c.user_id)
        .where(
            Job.deleted_at.is_(None),
            MemberEnergy.state == State.SUCCEEDED,
            MemberEnergy.member.in_(members),
            MemberEnergy.reference == newest_of.c.reference,
        )
        .order_by(newest_of.c.candidate_id)
    ).all()  # fmt: skip
    jobs = select(Job.id, Job.scales).where(Job.id.in_({row[2] for row in rows}))
    kept_by = {key: kept for key, kept in session.execute(jobs)}
    # jobs mostly keep the same scales: each is looked at once
    documents = {json.dumps(kept, sort_keys=True): kept for kept in kept_by.values()}
    fitting = {text for text, kept in documents.items() if scale_of(session, members, kept) == scale}
    alike = {key for key, kept in kept_by.items() if json.dumps(kept, sort_keys=True) in fitting}
    rows = [row for row in rows if row[2] in alike]
    firsts = {row[0]: row for row in reversed(rows)}
    keys = {key: index for index, key in enumerate(sorted(firsts))}
    energies = np.full((len(keys), len(members)), np.nan)
    for row in rows:
        energies[keys[row[0]], list(members).index(row[3])] = row[4]
    each = [firsts[key] for key in keys]
    return Labelled(
        energies,
        np.array([row[1] for row in each], dtype=np.float64),
        systems=[row[2] for row in each],
        candidates=[row[0] for row in each],
        ids=[row[5] for row in each],
        codes=[row[6] for row in each],
        users=[row[7] or "" for row in each],
    )


@dataclass(frozen=True)
class Most:
    """How many reference energies are kept."""

    of_candidate: int
    by_user: int


def feed_back(session: Session, row: ReferenceEnergy, user_id: int, most: Most) -> None:
    """Keep a reference energy of a candidate. The caller has locked the user, then the candidate's job. Raises NotFound where the
    candidate was just removed, and Conflict where there are as many as may be."""
    held = select(Candidate.id).where(Candidate.id == row.candidate_id).with_for_update(key_share=True)
    if session.scalar(held) is None:
        raise NotFound(f"there is no candidate {row.candidate_id} any more")
    n = session.scalar(select(func.count()).where(ReferenceEnergy.candidate_id == row.candidate_id)) or 0
    if n >= most.of_candidate:
        raise Conflict(
            f"candidate {row.candidate_id} has {n} reference energies, and {most.of_candidate} are allowed: delete some first"
        )
    theirs = session.scalar(select(func.count()).where(ReferenceEnergy.user_id == user_id)) or 0
    if theirs >= most.by_user:
        raise Conflict(
            f"{theirs} reference energies of yours are kept, and {most.by_user} are allowed: delete some first"
        )
    session.add(row)
    session.flush()


def delete(session: Session, job: Job, candidate_id: int, label_id: int, identity: Identity) -> None:
    """Delete a reference energy of a candidate, whose job this is; the newest that is left of its functional counts then.

    Raises NotFound, and Forbidden where neither it nor the job is the user's.
    """
    row = session.get(ReferenceEnergy, label_id, with_for_update=True)
    if row is None or row.candidate_id != candidate_id:
        raise NotFound(f"candidate {candidate_id} has no reference energy {label_id}")
    if not (identity.sees_all or identity.user_id in (row.user_id, job.user_id)):
        raise Forbidden(
            "a reference energy is deleted by whoever fed it back, the owner of its job, or an administrator"
        )
    session.delete(row)
    session.flush()


def candidate(session: Session, candidate_id: int) -> tuple[Candidate, Job]:
    """A candidate and its job, whoever owns it. Raises NotFound."""
    query = select(Candidate, Job).join(Job, Job.id == Candidate.job_id).where(Candidate.id == candidate_id)
    found = session.execute(query).one_or_none()
    if found is None:
        raise NotFound(f"there is no candidate {candidate_id}")
    return found.Candidate, found.Job
