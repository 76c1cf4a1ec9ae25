"""Who may ask for what, and how much of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index
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
    disabled_at: Mapped[datetime | None]
    """Null while the user's keys work."""
    # Limits; null where the server's own count (shared.settings).
    max_open_jobs: Mapped[int | None]
    max_open_force_calls: Mapped[int | None] = mapped_column(BigInteger)
    """Of all open jobs together, as estimated when they were submitted."""
    max_requests_per_minute: Mapped[int | None]
    max_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """Of what is stored for all of the user's jobs together."""


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
    label: Mapped[str] = mapped_column(default="", server_default="")
    """What it is for, in its owner's words."""
    created_at: Mapped[Now]
    expires_at: Mapped[datetime | None]
    """Null for a key that works until it is revoked."""
    last_used_at: Mapped[datetime | None]
    """To the minute."""
    revoked_at: Mapped[datetime | None]
    """Null while the key is valid."""

    user: Mapped[User] = relationship(lazy="joined")

    __table_args__ = (
        one_of("role", [role.value for role in Role], "role"),
        Index(None, "user_id"),
        Index(None, "prefix"),
    )


class PageToken(Base):
    """What signs somebody in to the page: 256 random bits, of which only the SHA-256 is kept. It is worth what its key is worth,
    and ends with it."""

    __tablename__ = "page_tokens"

    id: Mapped[Key]
    key_id: Mapped[int] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    """`session`, which a browser keeps as a cookie, or `link`, which opens one session, once."""
    digest: Mapped[bytes] = mapped_column(unique=True)
    """SHA-256 of the whole token."""
    created_at: Mapped[Now]
    expires_at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (one_of("kind", ["session", "link"], "kind"),)


class Group(Base):
    """Users who may read each other's jobs, those that their owners share with it."""

    __tablename__ = "groups"

    id: Mapped[Key]
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[Now]


class Membership(Base):
    __tablename__ = "memberships"

    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
