"""The tables. PostgreSQL is the truth; every claimable row carries its own lease (columns.Claimable).

users 1-n api_keys; users 1-n jobs 1-n placements 1-n walkers 1-n candidates 1-n member_energies;
jobs 1-n selections 1-n scores, minima -> candidates; candidates 1-n reference_energies; jobs n-m references; calibrations by members.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from shared.database.columns import Claimable, Key, Now, Vectors, claimable_checks, one_of
from shared.states import Stage, State, Work
from shared.structures import Floats


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        float: Double,
        str: Text,
        bool: Boolean,
        int: Integer,
        bytes: LargeBinary,
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
        list[int]: ARRAY(SmallInteger),
        list[bool]: ARRAY(Boolean),
        datetime: DateTime(timezone=True),
    }


class WorkRow(Claimable, Base):
    """A row that workers claim."""

    __abstract__ = True

    id: Mapped[Key]


claim_tokens = Sequence("claim_tokens", metadata=Base.metadata)
"""Fencing tokens: a later claim always carries a larger one."""


def _job() -> Mapped[UUID]:
    return mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))


class User(Base):
    __tablename__ = "users"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[Now]


class ApiKey(Base):
    """256 random bits, shown once; only the SHA-256 and a public prefix are kept."""

    __tablename__ = "api_keys"

    id: Mapped[Key]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    prefix: Mapped[str]
    digest: Mapped[bytes] = mapped_column(unique=True)
    role: Mapped[str]
    created_at: Mapped[Now]
    revoked_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(lazy="joined")

    __table_args__ = (one_of("role", ["admin", "submit", "read"], "role"),)


class Job(Base):
    """One (adsorbate, surface) pair."""

    __tablename__ = "jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    adsorbate: Mapped[str]
    surface: Mapped[str]
    state: Mapped[str] = mapped_column(default=State.QUEUED, server_default=State.QUEUED)
    stage: Mapped[str] = mapped_column(default=Stage.PLACING, server_default=Stage.PLACING)
    priority: Mapped[int] = mapped_column(default=0, server_default="0")
    submission: Mapped[dict[str, Any]]
    parameters: Mapped[dict[str, Any]]
    search_members: Mapped[list[str]]
    refine_members: Mapped[list[str]] = mapped_column(default=list, server_default="{}")
    score_members: Mapped[list[str]]
    idempotency_key: Mapped[str | None]
    request_digest: Mapped[str | None]
    created_at: Mapped[Now]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    failure_kind: Mapped[str | None]
    failure_reason: Mapped[str | None]

    __table_args__ = (
        one_of("state", [state.value for state in State], "state"),
        CheckConstraint("(state = 'failed') = (failure_kind IS NOT NULL)", name="failed_has_kind"),
        CheckConstraint(
            "(state IN ('succeeded', 'failed', 'cancelled')) = (ended_at IS NOT NULL)", name="ended_has_time"
        ),
        one_of("stage", [stage.value for stage in Stage], "stage"),
        UniqueConstraint("user_id", "idempotency_key"),
        Index("ix_jobs_keyset", "user_id", text("created_at DESC"), text("id DESC")),
        Index("ix_jobs_open", "state", "stage", postgresql_where=text("state IN ('queued', 'running')")),
    )


class StageRow(WorkRow):
    """A short CPU stage of a job: finding placements, or choosing the minima."""

    __tablename__ = "stages"

    job_id: Mapped[UUID] = _job()
    work: Mapped[str]

    __table_args__ = (
        *claimable_checks(),
        one_of("work", [Work.PLACEMENT.value, Work.SELECTION.value], "work"),
        UniqueConstraint("job_id", "work"),
        Index(None, "token"),
        Index("ix_stages_open", "state", postgresql_where=text("state IN ('queued', 'running')")),
    )


class StructureRow(Base):
    """Everything of a structure but its positions, stored once."""

    __tablename__ = "structures"

    id: Mapped[Key]
    digest: Mapped[str] = mapped_column(unique=True)
    formula: Mapped[str]
    numbers: Mapped[list[int]]
    cell: Mapped[Floats] = mapped_column(Vectors)
    pbc: Mapped[list[bool]]
    tags: Mapped[list[int]]
    fixed: Mapped[list[bool]]

    __table_args__ = (CheckConstraint("cardinality(numbers) = cardinality(tags)", name="one_tag_each"),)


class Placement(Base):
    __tablename__ = "placements"

    id: Mapped[Key]
    job_id: Mapped[UUID] = _job()
    index: Mapped[int]
    structure_id: Mapped[int] = mapped_column(ForeignKey("structures.id"))
    positions: Mapped[Floats] = mapped_column(Vectors)
    site: Mapped[str]
    method: Mapped[str]

    structure: Mapped[StructureRow] = relationship(lazy="joined")

    __table_args__ = (UniqueConstraint("job_id", "index"),)


class Reference(WorkRow):
    """A relaxed clean slab or gas molecule with one member: computed once, shared by every job that needs it."""

    __tablename__ = "references"

    member: Mapped[str]
    member_sha256: Mapped[str] = mapped_column(default="", server_default="")
    digest: Mapped[str]
    """Content of the start structure, positions included, and of the relaxation's settings."""
    kind: Mapped[str]
    label: Mapped[str]
    fmax: Mapped[float]
    max_steps: Mapped[int]
    structure_id: Mapped[int] = mapped_column(ForeignKey("structures.id"))
    start_positions: Mapped[Floats] = mapped_column(Vectors)
    positions: Mapped[Floats | None] = mapped_column(Vectors)
    energy: Mapped[float | None]
    reached_fmax: Mapped[float | None]
    converged: Mapped[bool | None]
    force_calls: Mapped[int | None]

    structure: Mapped[StructureRow] = relationship(lazy="joined")

    __table_args__ = (
        *claimable_checks(),
        one_of("kind", ["slab", "gas"], "kind"),
        UniqueConstraint("member", "digest"),
        CheckConstraint("state <> 'succeeded' OR energy IS NOT NULL", name="succeeded_has_energy"),
        Index(None, "token"),
        Index("ix_references_open", "member", postgresql_where=text("state IN ('queued', 'running')")),
    )


class JobReference(Base):
    """Which references a job rests on."""

    __tablename__ = "job_references"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    reference_id: Mapped[int] = mapped_column(ForeignKey("references.id"), primary_key=True, index=True)


class Walker(WorkRow):
    """One minima-hopping run from one placement with one search member; claimed a hop at a time. Or the one relaxation of a
    candidate by a refining member."""

    __tablename__ = "walkers"

    job_id: Mapped[UUID] = _job()
    placement_id: Mapped[int] = mapped_column(ForeignKey("placements.id", ondelete="CASCADE"))
    member: Mapped[str]
    refines: Mapped[int | None] = mapped_column(
        ForeignKey("candidates.id", ondelete="CASCADE", use_alter=True), index=True
    )
    hop: Mapped[int] = mapped_column(default=0, server_default="0")
    """The next hop to run; hop 0 is the relaxation of the placement."""
    memory: Mapped[dict[str, Any] | None]
    """All that the walker needs to go on, random generator included."""
    force_calls: Mapped[int] = mapped_column(default=0, server_default="0")
    ended_because: Mapped[str | None]

    placement: Mapped[Placement] = relationship()

    __table_args__ = (
        *claimable_checks(),
        UniqueConstraint("placement_id", "member", "refines", postgresql_nulls_not_distinct=True),
        Index(None, "token"),
        Index("ix_walkers_open", "member", "state", postgresql_where=text("state IN ('queued', 'running')")),
        Index("ix_walkers_job", "job_id", "member", "hop"),
    )


class Candidate(Base):
    """A relaxed local minimum, relaxed at last without restraints."""

    __tablename__ = "candidates"

    id: Mapped[Key]
    job_id: Mapped[UUID] = _job()
    walker_id: Mapped[int] = mapped_column(ForeignKey("walkers.id", ondelete="CASCADE"))
    hop: Mapped[int]
    member: Mapped[str]
    structure_id: Mapped[int] = mapped_column(ForeignKey("structures.id"))
    positions: Mapped[Floats] = mapped_column(Vectors)
    energy: Mapped[float]
    """Bare energy by the member that found it, eV."""
    fmax: Mapped[float]
    converged: Mapped[bool]
    anomalies: Mapped[list[str]]
    site: Mapped[str]
    accepted: Mapped[bool]
    temperature_k: Mapped[float | None]
    """Temperature of the escape; null for the placement's own relaxation."""
    force_calls: Mapped[int]
    duplicate_of: Mapped[int | None] = mapped_column(ForeignKey("candidates.id", ondelete="CASCADE"))
    created_at: Mapped[Now]

    structure: Mapped[StructureRow] = relationship(lazy="joined")

    __table_args__ = (
        UniqueConstraint("walker_id", "hop"),
        Index("ix_candidates_job", "job_id", "member", "hop"),
    )


class MemberEnergy(WorkRow):
    """One member's energy of one candidate."""

    __tablename__ = "member_energies"

    job_id: Mapped[UUID] = _job()
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id", ondelete="CASCADE"))
    member: Mapped[str]
    energy: Mapped[float | None]
    """Bare energy, eV."""
    adsorption_energy: Mapped[float | None]
    """eV per adslab, against `reference`."""
    reference: Mapped[str | None]
    fmax: Mapped[float | None]
    """Largest force by this member on a free atom, eV/Å."""

    __table_args__ = (
        *claimable_checks(),
        UniqueConstraint("candidate_id", "member"),
        CheckConstraint(
            "state <> 'succeeded' OR (energy IS NOT NULL AND adsorption_energy IS NOT NULL)",
            name="succeeded_has_energy",
        ),
        Index(None, "token"),
        Index(
            "ix_member_energies_open",
            "member",
            "state",
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        Index("ix_member_energies_job", "job_id"),
    )


class Selection(Base):
    """One way of scoring and choosing among a job's candidates. Number 0 is the job's own; more are asked for when it has ended."""

    __tablename__ = "selections"

    id: Mapped[Key]
    job_id: Mapped[UUID] = _job()
    number: Mapped[int]
    rules: Mapped[dict[str, Any]]
    """shared.parameters.Choosing."""
    limit: Mapped[float]
    """Of the spread, eV: as asked for, or as the calibration said."""
    calibration_id: Mapped[int | None] = mapped_column(ForeignKey("calibrations.id"))
    reference: Mapped[str]
    n_candidates: Mapped[int]
    n_passing: Mapped[int]
    low_confidence: Mapped[bool]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[Now]

    __table_args__ = (UniqueConstraint("job_id", "number"),)


def _selection() -> Mapped[int]:
    return mapped_column(ForeignKey("selections.id", ondelete="CASCADE"), primary_key=True)


class Score(Base):
    """What the ensemble says of one candidate, and the verdict."""

    __tablename__ = "scores"

    selection_id: Mapped[int] = _selection()
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id", ondelete="CASCADE"), primary_key=True)
    mean: Mapped[float | None]
    std: Mapped[float | None]
    range: Mapped[float | None]
    n: Mapped[int]
    passes: Mapped[bool]
    reason: Mapped[str]
    """Why it doesn't pass the filter; empty where it does."""
    verdict: Mapped[str]
    """Why it was chosen, or why not."""

    __table_args__ = (Index("ix_scores_candidate", "candidate_id"),)


class Minimum(Base):
    """A chosen candidate; rank 0 is the putative global minimum."""

    __tablename__ = "minima"

    id: Mapped[Key]
    selection_id: Mapped[int] = mapped_column(ForeignKey("selections.id", ondelete="CASCADE"))
    job_id: Mapped[UUID] = _job()
    rank: Mapped[int]
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id", ondelete="CASCADE"))
    low_confidence: Mapped[bool]
    reason: Mapped[str]

    __table_args__ = (
        UniqueConstraint("selection_id", "rank"),
        UniqueConstraint("selection_id", "candidate_id"),
        Index("ix_minima_job", "job_id"),
        Index("ix_minima_candidate", "candidate_id"),
    )


class ReferenceEnergy(Base):
    """An adsorption energy that a lab computed for a candidate, by DFT as a rule. Never overwritten: the newest one of a functional
    counts."""

    __tablename__ = "reference_energies"

    id: Mapped[Key]
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id", ondelete="CASCADE"))
    adsorption_energy: Mapped[float]
    """eV per adslab, against `reference`."""
    reference: Mapped[str]
    functional: Mapped[str]
    code: Mapped[str]
    provenance: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[Now]

    __table_args__ = (Index("ix_reference_energies_candidate", "candidate_id", "functional"),)


class Calibration(Base):
    """The limit of the spread that reaches a target, learned from reference energies, for one set of members."""

    __tablename__ = "calibrations"

    id: Mapped[Key]
    members: Mapped[list[str]]
    """Sorted."""
    functional: Mapped[str]
    spread: Mapped[str]
    limit: Mapped[float | None]
    """eV; null where no limit reaches the target with the confidence asked for."""
    report: Mapped[dict[str, Any]]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[Now]

    __table_args__ = (
        one_of("spread", ["std", "range"], "spread"),
        Index("ix_calibrations_members", "members", "functional", "spread"),
    )


class Model(Base):
    """A member that some worker's registry names. version, cutoff: as some worker loaded it; empty until then."""

    __tablename__ = "models"

    name: Mapped[str] = mapped_column(primary_key=True)
    family: Mapped[str]
    version: Mapped[str]
    sha256: Mapped[str]
    energy_kind: Mapped[str]
    elements: Mapped[list[int]]
    cutoff: Mapped[float | None]
    trained_on: Mapped[str]
    license: Mapped[str]
    registered_at: Mapped[Now]

    __table_args__ = (one_of("energy_kind", ["total", "adsorption"], "energy_kind"),)


class MemberDevice(Base):
    """What a checkpoint has shown on one device: its cost, the largest batch that fits, and the answer to the canary."""

    __tablename__ = "member_devices"

    member: Mapped[str] = mapped_column(primary_key=True)
    member_sha256: Mapped[str] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(primary_key=True)
    load_s: Mapped[float]
    memory_bytes: Mapped[int] = mapped_column(BigInteger)
    canary_energy: Mapped[float]
    """eV"""
    canary_forces: Mapped[Floats] = mapped_column(Vectors)
    """eV/Å"""
    batch_atoms: Mapped[int | None]
    """Most atoms of one forward; null until a batch didn't fit."""
    batch_learned_at: Mapped[datetime | None]
    loaded_at: Mapped[Now]


class Worker(Base):
    """A worker process, as it last reported. residents: one document for each member it hosts (worker/residents.py)."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    kind: Mapped[str]
    device: Mapped[str]
    members: Mapped[list[str]]
    residents: Mapped[list[Any]] = mapped_column(JSONB, default=list, server_default="[]")
    ready: Mapped[bool]
    reason: Mapped[str]
    memory_bytes: Mapped[int | None] = mapped_column(BigInteger)
    started_at: Mapped[Now]
    heartbeat_at: Mapped[Now]


class Attempt(Base):
    """History: one row for each claim that did not end well."""

    __tablename__ = "attempts"

    id: Mapped[Key]
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    work: Mapped[str]
    work_id: Mapped[str]
    number: Mapped[int]
    worker: Mapped[str | None]
    failure_kind: Mapped[str]
    reason: Mapped[str]
    at: Mapped[Now]

    __table_args__ = (one_of("work", [work.value for work in Work], "work"),)
