"""Where walkers start, and what all structures of one kind have in common."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shared.database.tables.base import Base, of_job
from shared.database.tables.columns import Key, Vectors
from shared.structures import Floats


class StructureRow(Base):
    """Everything of a structure but its positions, stored once."""

    __tablename__ = "structures"

    id: Mapped[Key]
    digest: Mapped[str] = mapped_column(unique=True)
    """`Structure.topology_digest`."""
    formula: Mapped[str]
    numbers: Mapped[list[int]]
    """Atomic numbers [n_atoms]."""
    cell: Mapped[Floats] = mapped_column(Vectors)
    """Rows are lattice vectors, Å [3, 3]."""
    pbc: Mapped[list[bool]]
    """[3]."""
    tags: Mapped[list[int]]
    """OC20's [n_atoms]."""
    fixed: Mapped[list[bool]]
    """[n_atoms]."""

    __table_args__ = (CheckConstraint("cardinality(numbers) = cardinality(tags)", name="one_tag_each"),)


class Placement(Base):
    """Where walkers start."""

    __tablename__ = "placements"

    id: Mapped[Key]
    job_id: Mapped[UUID] = of_job()
    index: Mapped[int]
    """From 0, in the order that they were found."""
    structure_id: Mapped[int] = mapped_column(ForeignKey("structures.id"), index=True)
    positions: Mapped[Floats] = mapped_column(Vectors)
    """Å [n_atoms, 3]."""
    site: Mapped[str]
    """Its name."""
    method: Mapped[str]
    """How it was found."""
    label: Mapped[str | None]
    """What it was called by who gave it; null for one that was found."""

    structure: Mapped[StructureRow] = relationship(lazy="joined")

    __table_args__ = (UniqueConstraint("job_id", "index"),)
