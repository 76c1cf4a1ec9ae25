"""What all tables rest on: names of constraints, types of columns, and the claimable row."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    DateTime,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    SmallInteger,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database.tables.columns import Claimable, Key


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


def of_job() -> Mapped[UUID]:
    """The column of what goes with its job."""
    return mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
