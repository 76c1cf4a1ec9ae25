"""Relaxed clean slabs and gas molecules, which jobs share."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shared.database.tables.base import Base, WorkRow
from shared.database.tables.columns import Vectors, claim_indexes, claimable_checks, one_of
from shared.database.tables.placements import StructureRow
from shared.references import ReferenceKind
from shared.structures import Floats


class Reference(WorkRow):
    """A relaxed clean slab or gas molecule with one member: computed once, shared by every job that needs it."""

    __tablename__ = "references"

    member: Mapped[str]
    member_sha256: Mapped[str] = mapped_column(default="", server_default="")
    """Of its checkpoint: another one under the same name has references of its own."""
    digest: Mapped[str]
    """Content of the start structure, positions included, and of the relaxation's settings."""
    kind: Mapped[str]
    """shared.references.ReferenceKind."""
    label: Mapped[str]
    """The molecule, or the slab's formula."""
    fmax: Mapped[float]
    """That is asked for, eV/Å."""
    max_steps: Mapped[int]
    structure_id: Mapped[int] = mapped_column(ForeignKey("structures.id"), index=True)
    start_positions: Mapped[Floats] = mapped_column(Vectors)
    """Å [n_atoms, 3]."""
    positions: Mapped[Floats | None] = mapped_column(Vectors)
    """Relaxed, Å [n_atoms, 3]."""
    energy: Mapped[float | None]
    """Relaxed, by the member, eV."""
    reached_fmax: Mapped[float | None]
    """eV/Å."""
    converged: Mapped[bool | None]
    force_calls: Mapped[int | None]
    retries: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often it was tried again after it had failed, since an administrator last did so."""
    retried_at: Mapped[datetime | None]
    """When it last was."""

    structure: Mapped[StructureRow] = relationship(lazy="joined")

    @property
    def title(self) -> str:
        """For people: `gas CO with member emt`."""
        return f"{self.kind} {self.label} with member {self.member}"

    __table_args__ = (
        *claimable_checks(),
        one_of("kind", [kind.value for kind in ReferenceKind], "kind"),
        UniqueConstraint("member", "digest"),
        CheckConstraint("state <> 'succeeded' OR energy IS NOT NULL", name="succeeded_has_energy"),
        *claim_indexes("references"),
        Index("ix_references_open", "member", postgresql_where=text("state IN ('queued', 'running')")),
    )


class JobReference(Base):
    """Which references a job rests on."""

    __tablename__ = "job_references"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    reference_id: Mapped[int] = mapped_column(ForeignKey("references.id"), primary_key=True, index=True)
