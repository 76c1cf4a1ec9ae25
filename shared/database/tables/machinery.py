"""Members, devices, workers, and the history of what went wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ForeignKey,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.tables.base import Base
from shared.database.tables.columns import Key, Now, Vectors, one_of
from shared.states import Work
from shared.structures import Floats


class RegisteredMember(Base):
    """A member that some worker's registry names."""

    __tablename__ = "members"

    name: Mapped[str] = mapped_column(primary_key=True)
    family: Mapped[str]
    version: Mapped[str]
    """As some worker loaded it; empty until then."""
    sha256: Mapped[str]
    energy_kind: Mapped[str]
    elements: Mapped[list[int]]
    cutoff: Mapped[float | None]
    """Å, as some worker loaded it; null until then."""
    trained_on: Mapped[str]
    license: Mapped[str]
    scale: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """shared.scales.Scale; null where nothing but the kind of its energy is known."""
    cautions: Mapped[list[Any]] = mapped_column(JSONB, default=list, server_default="[]")
    """Documents of shared.cautions.Caution."""
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
    """A worker process, as it last reported."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    kind: Mapped[str]
    device: Mapped[str]
    members: Mapped[list[str]]
    member_states: Mapped[list[Any]] = mapped_column(JSONB, default=list, server_default="[]")
    """One document for each member it hosts (worker/members/slot.py)."""
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
