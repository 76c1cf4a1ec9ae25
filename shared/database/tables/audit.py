"""Who did what, when, and from where. Rows are added with what they tell of and never changed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.tables.base import Base
from shared.database.tables.columns import Key, Now


class AuditEntry(Base):
    """One act. It points at users and jobs without foreign keys, and names them: it outlives both."""

    __tablename__ = "audit"

    id: Mapped[Key]
    at: Mapped[Now]
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    """Who did it; null for the server itself and for commands run next to the database."""
    user_name: Mapped[str]
    """Their name then."""
    key_prefix: Mapped[str]
    """The public part of the key that was used; empty where none was."""
    address: Mapped[str]
    """Where the request came from; empty where there was none."""
    request_id: Mapped[str]
    """As in the log's lines; empty where there was none."""
    action: Mapped[str]
    """Such as job.cancel."""
    job_id: Mapped[UUID | None]
    """The job that it was done to."""
    owner_id: Mapped[int | None] = mapped_column(BigInteger)
    """The user whose job or account it was done to."""
    subject: Mapped[str]
    """What it was done to, for people."""
    detail: Mapped[dict[str, Any]]
    """What changed; never a secret."""

    __table_args__ = (
        *(
            Index(f"ix_audit_{column}", column, "id", postgresql_where=text(f"{column} IS NOT NULL"))
            for column in ("user_id", "owner_id", "job_id")
        ),
        Index(None, "at"),
    )
