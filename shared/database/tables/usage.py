"""Whose turn it is, by device time; the lanes that claims look through; and what each user has used, by month."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from shared.database.tables.base import Base
from shared.database.tables.columns import one_of
from shared.states import Work

STRIPES = 16
"""Rows that one user's time is spread over, by worker: workers that commit for the same user seldom wait for each other."""


class Lane(Base):
    """A job's work of one kind for one member: what a claim looks through, user by user and job by job, before it looks at rows."""

    __tablename__ = "lanes"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    member: Mapped[str] = mapped_column(primary_key=True)
    work: Mapped[str] = mapped_column(primary_key=True)
    """shared.states.Work."""
    open: Mapped[bool]
    """It has rows that are queued or running, and the references that they rest on are there."""
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    rank: Mapped[int]
    """The job's priority with its sign changed: smaller ones first."""
    age: Mapped[datetime]
    """When the job was created."""
    lag: Mapped[int]
    """The job's `hopping.lag`."""
    device_s: Mapped[float] = mapped_column(default=0.0, server_default="0")
    """That its pieces of work took so far, s."""
    pieces: Mapped[int] = mapped_column(default=0, server_default="0")
    """How many they were."""

    __table_args__ = (
        one_of("work", [Work.REFERENCE.value, Work.WALKER.value, Work.EVALUATION.value], "work"),
        Index("ix_lanes_open", "member", "work", "user_id", "rank", "age", "job_id", postgresql_where=text("open")),
        Index("ix_lanes_user", "user_id"),
    )


class Turn(Base):
    """Device time of a user with one member, in `STRIPES` rows: their sum says whose turn it is, the smallest first."""

    __tablename__ = "turns"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    member: Mapped[str] = mapped_column(primary_key=True)
    """Empty for the CPU stages."""
    stripe: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    device_s: Mapped[float] = mapped_column(default=0.0, server_default="0")
    """Used, s."""
    pieces: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Of work."""
    forgone_s: Mapped[float] = mapped_column(default=0.0, server_default="0")
    """Counted as if used, s: what others used while this user asked for nothing. In stripe 0 alone."""


class Usage(Base):
    """What a user used in one month, in `STRIPES` rows to be summed."""

    __tablename__ = "usage"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    """Its first day, UTC."""
    stripe: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    device_s: Mapped[float] = mapped_column(default=0.0, server_default="0")
    """Of devices, and of the CPU workers' stages, s."""
    force_calls: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    jobs: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Whose placements were found."""
