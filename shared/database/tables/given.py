"""Structures that were submitted to be scored as they are, until the job's placements are stored."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.tables.base import Base


class GivenStructures(Base):
    """What the structures of a job differ in. Apart from the job's submission, which every piece of work reads; gone once they are
    placements."""

    __tablename__ = "given_structures"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    labels: Mapped[list[str]]
    """What each is called [n]."""
    positions: Mapped[bytes]
    """Å [n, n_atoms, 3], atoms in the order given: little-endian doubles (shared.given)."""
