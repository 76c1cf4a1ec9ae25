"""Who may ask for what."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shared.database.tables.base import Base
from shared.database.tables.columns import Key, Now, one_of


class Role(StrEnum):
    """What a key allows: `read` its user's jobs, `submit` and cancel them, or everything of everybody (`admin`)."""

    ADMIN = "admin"
    SUBMIT = "submit"
    READ = "read"


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
    """The part of the key that may be shown."""
    digest: Mapped[bytes] = mapped_column(unique=True)
    """SHA-256 of the whole key."""
    role: Mapped[str]
    created_at: Mapped[Now]
    revoked_at: Mapped[datetime | None]
    """Null while the key is valid."""

    user: Mapped[User] = relationship(lazy="joined")

    __table_args__ = (one_of("role", [role.value for role in Role], "role"),)
