"""A reference: a clean slab or a gas molecule, relaxed by its member, or taken as it was given."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.forces.potential import Walk
from services.search.curvature import model_hessian
from services.search.minimisation import Relaxation, relax
from shared.database.repositories import audit
from shared.database.repositories.structures import restore
from shared.database.tables import Job, JobReference, Reference, User
from shared.database.workflow import retrying
from shared.errors import NoMinimum
from shared.states import State
from shared.structures import Structure
from worker.queue import claims


@dataclass(frozen=True, eq=False)
class ReferenceItem:
    """A reference that was claimed."""

    lease: claims.Lease
    job_ids: tuple[UUID, ...]
    """All jobs that rest on it."""
    label: str
    """The molecule, or the slab's formula."""
    start: Structure
    fmax: float
    """eV/Å."""
    max_steps: int

    @classmethod
    def load(cls, session: Session, row: Reference) -> ReferenceItem:
        jobs = session.scalars(select(JobReference.job_id).where(JobReference.reference_id == row.id))
        return cls(
            lease=claims.lease_of(row),
            job_ids=tuple(jobs),
            label=row.label,
            start=restore(row.structure, row.start_positions),
            fmax=row.fmax,
            max_steps=row.max_steps,
        )

    def walk(self) -> Walk[Relaxation]:
        return relax(
            self.start, fmax=self.fmax, max_steps=self.max_steps, hessian=model_hessian(self.start), damped=True
        )

    def ending(self, result: Relaxation) -> claims.Ending:
        if not result.converged and self.max_steps > 0:  # with none, it is wanted as it was given
            raise NoMinimum(
                f"{self.label} is at {result.fmax:.3f} eV/Å after {result.steps} steps, above {self.fmax} eV/Å"
            )
        values = {
            "positions": result.structure.positions,
            "energy": result.energy,
            "reached_fmax": result.fmax,
            "converged": result.converged,
            "force_calls": result.force_calls,
        }
        return claims.Ending(State.SUCCEEDED, values)


def try_again(session: Session, job: Job) -> None:
    """References of a new job that the machinery failed before (a worker lost, memory short) are queued again, as far as that may be;
    the job's warnings and the audit trail say so."""
    owner = session.get_one(User, job.user_id)
    for row, reason in retrying.retry_for(session, job.id):
        job.warnings = [*job.warnings, f"{row.title} failed before ({reason}): it is tried again"]
        actor = audit.Actor(owner.id, owner.name)
        detail = {"reference": row.id, "reason": reason, "by": "a new job"}
        audit.record(
            session, actor, "reference.retry", job_id=job.id, owner_id=owner.id, subject=row.title, detail=detail
        )
