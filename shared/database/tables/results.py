"""What the search found, the members' energies of it, and what labs know of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    UniqueConstraint,
    and_,
    case,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.hybrid import hybrid_method, hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shared.database.tables.base import Base, WorkRow, of_job
from shared.database.tables.columns import Key, Now, Vectors, claim_indexes, claimable_checks, one_of
from shared.database.tables.placements import StructureRow
from shared.parameters import Spread
from shared.scales import stated
from shared.soundness import is_sound
from shared.structures import Floats


class Candidate(Base):
    """A relaxed local minimum, relaxed at last without restraints."""

    __tablename__ = "candidates"

    id: Mapped[Key]
    job_id: Mapped[UUID] = of_job()
    walker_id: Mapped[int] = mapped_column(ForeignKey("walkers.id", ondelete="CASCADE"))
    hop: Mapped[int]
    """That found it, 0 being the relaxation of the placement."""
    member: Mapped[str]
    """That found it."""
    structure_id: Mapped[int] = mapped_column(ForeignKey("structures.id"), index=True)
    positions: Mapped[Floats] = mapped_column(Vectors)
    """Å [n_atoms, 3]."""
    energy: Mapped[float]
    """Bare energy by the member that found it, eV."""
    fmax: Mapped[float]
    """Largest force by that member on a free atom, eV/Å."""
    converged: Mapped[bool]
    anomalies: Mapped[list[str]]
    """shared.soundness.Anomaly."""
    site: Mapped[str]
    """Its name, read off the geometry."""
    accepted: Mapped[bool]
    """Whether its walker went on from it."""
    temperature_k: Mapped[float | None]
    """Temperature of the escape, K; null for the placement's own relaxation."""
    force_calls: Mapped[int]
    """Of the hop."""
    duplicate_of: Mapped[int | None] = mapped_column(ForeignKey("candidates.id", ondelete="CASCADE"))
    """The earlier candidate that is the same minimum."""
    created_at: Mapped[Now]

    structure: Mapped[StructureRow] = relationship(lazy="joined")

    __table_args__ = (
        UniqueConstraint("walker_id", "hop"),
        Index("ix_candidates_job", "job_id", "member", "hop"),
        Index(None, "duplicate_of", postgresql_where=text("duplicate_of IS NOT NULL")),
    )

    @hybrid_method
    def sound(self, *, include_anomalous: bool = False) -> bool:
        """Whether it may be chosen."""
        return is_sound(self.converged, self.anomalies, include_anomalous=include_anomalous)

    @sound.expression
    @classmethod
    def _sound(cls, *, include_anomalous: bool = False) -> ColumnElement[bool]:
        """`shared.soundness.is_sound` in SQL; a test holds the two equal."""
        converged = cls.converged.expression
        return converged if include_anomalous else and_(converged, func.cardinality(cls.anomalies) == 0)


class MemberEnergy(WorkRow):
    """One member's energy of one candidate."""

    __tablename__ = "member_energies"

    job_id: Mapped[UUID] = of_job()
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id", ondelete="CASCADE"))
    member: Mapped[str]
    energy: Mapped[float | None]
    """Bare energy, eV."""
    adsorption_energy: Mapped[float | None]
    """eV per adslab, against `reference`."""
    reference: Mapped[str | None]
    """In words, equal for equal references (services.scoring.references)."""
    scale: Mapped[str | None]
    """In words, equal for equal scales (shared.scales.Scale.words)."""
    fmax: Mapped[float | None]
    """Largest force by this member on a free atom, eV/Å, at the geometry that the energy is of."""
    relaxation_steps: Mapped[int] = mapped_column(default=0, server_default="0")
    """Made by this member from the candidate's geometry; each is a force call after the first (services.search.own_geometry)."""
    displacement: Mapped[float | None]
    """How far they took the atom that went furthest, Å; null where the energy is of the candidate's own geometry."""
    left_minimum: Mapped[str | None]
    """How they left the candidate's minimum, in words; the energy is then of the candidate's own geometry."""

    __table_args__ = (
        *claimable_checks(),
        UniqueConstraint("candidate_id", "member"),
        CheckConstraint(
            "state <> 'succeeded' OR (energy IS NOT NULL AND adsorption_energy IS NOT NULL)",
            name="succeeded_has_energy",
        ),
        *claim_indexes("member_energies"),
        Index(
            "ix_member_energies_open",
            "job_id",
            "member",
            "state",
            "id",
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        Index("ix_member_energies_job", "job_id"),
    )

    @hybrid_property
    def stated(self) -> str | None:
        """Reference and scale together, in words: equal for what may be averaged."""
        return None if self.reference is None else stated(self.reference, self.scale)

    @stated.inplace.expression
    @classmethod
    def _stated(cls) -> ColumnElement[str | None]:
        whole: ColumnElement[str | None] = func.concat_ws(", ", cls.reference, func.nullif(cls.scale, ""))
        return case((cls.reference.is_not(None), whole))


class ReferenceEnergy(Base):
    """An adsorption energy that a lab computed for a candidate, by DFT as a rule. Never overwritten: the newest one of a functional
    counts."""

    __tablename__ = "reference_energies"

    id: Mapped[Key]
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id", ondelete="CASCADE"))
    adsorption_energy: Mapped[float]
    """eV per adslab, against `reference`."""
    reference: Mapped[str]
    """In words, as with the members' energies."""
    functional: Mapped[str]
    """Such as RPBE."""
    code: Mapped[str]
    """Such as VASP 6.4.3."""
    provenance: Mapped[str]
    """Where the numbers come from."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[Now]

    __table_args__ = (
        Index("ix_reference_energies_candidate", "candidate_id", "functional"),
        Index("ix_reference_energies_user", "user_id"),
    )


class Calibration(Base):
    """The limit of the spread that reaches a target, learned from reference energies, for one set of members.

    Its author's proposal until an administrator publishes it; in force until it is withdrawn, or another one of the same members,
    functional and spread is published. Never changed otherwise: selections and jobs point at it.
    """

    __tablename__ = "calibrations"

    id: Mapped[Key]
    members: Mapped[list[str]]
    """Sorted."""
    functional: Mapped[str]
    """Of the reference energies it was learned from."""
    spread: Mapped[str]
    """shared.parameters.Spread."""
    scale: Mapped[str] = mapped_column(default="", server_default="")
    """Of the members' energies, in words; what was learned on one scale holds on no other. Empty for one of unlike scales."""
    limit: Mapped[float | None]
    """eV; null where no limit reaches the target with the confidence asked for."""
    report: Mapped[dict[str, Any]]
    """services.evaluation.calibration.Calibration."""
    label_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), default=list, server_default="{}")
    """The reference energies it was learned from, whether they are still there or not."""
    sources: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict, server_default="{}")
    """How many of them by code, and by user."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """Its author."""
    created_at: Mapped[Now]
    published_at: Mapped[datetime | None]
    """Null for a proposal."""
    publisher_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    withdrawn_at: Mapped[datetime | None]
    """Null while it is in force, or a proposal."""
    withdrawer_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    successor_id: Mapped[int | None] = mapped_column(ForeignKey("calibrations.id"))
    """The one that took its place, where it was withdrawn by that."""

    __table_args__ = (
        one_of("spread", [spread.value for spread in Spread], "spread"),
        CheckConstraint('published_at IS NULL OR "limit" IS NOT NULL', name="published_has_limit"),
        CheckConstraint("withdrawn_at IS NULL OR published_at IS NOT NULL", name="withdrawn_was_published"),
        Index("ix_calibrations_members", "members", "functional", "spread", "scale"),
        Index("ix_calibrations_author", "user_id"),
        Index(
            "uq_calibrations_in_force",
            "members",
            "functional",
            "spread",
            "scale",
            unique=True,
            postgresql_where=text("published_at IS NOT NULL AND withdrawn_at IS NULL"),
        ),
    )
