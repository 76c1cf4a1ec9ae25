"""References: asked for by jobs, computed once per member and content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.database.repositories.structures import keep, restore
from shared.database.tables import JobReference, Reference, RegisteredMember
from shared.references import ReferenceKind
from shared.states import State
from shared.structures import Structure


@dataclass(frozen=True, eq=False)
class Wanted:
    """A reference that a job rests on."""

    kind: ReferenceKind
    label: str
    """The molecule, or the slab's formula."""
    start: Structure
    fmax: float
    """eV/Å."""
    max_steps: int

    @property
    def digest(self) -> str:
        """Content of the start structure and of the relaxation's settings."""
        settings = f"{self.kind}|{self.fmax!r}|{self.max_steps}|{self.start.digest}"
        return hashlib.sha256(settings.encode()).hexdigest()


def want(session: Session, job_id: UUID, member: str, wanted: Iterable[Wanted]) -> None:
    """Let a job rest on references of this member; those that nobody asked for before are queued."""
    sha256 = session.scalar(select(RegisteredMember.sha256).where(RegisteredMember.name == member)) or ""
    for one in wanted:
        # Another checkpoint under the same name is another reference.
        digest = hashlib.sha256(f"{sha256}|{one.digest}".encode()).hexdigest()
        session.execute(
            insert(Reference)
            .values(
                member=member,
                member_sha256=sha256,
                digest=digest,
                kind=one.kind,
                label=one.label,
                fmax=one.fmax,
                max_steps=one.max_steps,
                structure_id=keep(session, one.start),
                start_positions=one.start.positions,
            )
            .on_conflict_do_nothing(index_elements=[Reference.member, Reference.digest])
        )
        reference_id = session.scalars(
            select(Reference.id).where(Reference.member == member, Reference.digest == digest)
        ).one()
        session.execute(insert(JobReference).values(job_id=job_id, reference_id=reference_id).on_conflict_do_nothing())


def of_job(session: Session, job_id: UUID, member: str) -> list[Reference]:
    """The references by this member that a job rests on."""
    return list(
        session.scalars(
            select(Reference)
            .join(JobReference, JobReference.reference_id == Reference.id)
            .where(JobReference.job_id == job_id, Reference.member == member)
            .order_by(Reference.id)
        )
    )


def clean_slab(session: Session, job_id: UUID, member: str) -> Structure:
    """The job's clean slab as relaxed by this member. Raises LookupError where it isn't there yet."""
    return slab_among(of_job(session, job_id, member), member)


def slab_among(references: Iterable[Reference], member: str) -> Structure:
    """The clean slab among a job's references by this member, relaxed. Raises LookupError where it isn't there yet."""
    row = next(row for row in references if row.kind == ReferenceKind.SLAB)
    if row.state != State.SUCCEEDED or row.positions is None:
        raise LookupError(f"the clean slab by {member} is not there yet")
    return restore(row.structure, row.positions)
