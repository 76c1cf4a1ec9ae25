"""Keyset cursors: opaque to clients, stable while rows are added."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query

from shared.errors import InvalidInput


@dataclass(frozen=True)
class Position:
    """Where a page of jobs ended: the last job's creation and id."""

    created_at: datetime
    id: UUID


Limit = Annotated[int, Query(ge=1, le=200, description="most entries of a page")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the page before")]


def job_cursor(position: Position | None) -> str | None:
    """The cursor of the page after this position."""
    return None if position is None else _packed(f"{position.created_at.isoformat()}|{position.id}")


def job_position(cursor: str | None) -> Position | None:
    """Inverse of `job_cursor`. Raises InvalidInput."""
    if cursor is None:
        return None
    moment, _, key = _unpacked(cursor).partition("|")
    try:
        position = Position(datetime.fromisoformat(moment), UUID(key))
    except ValueError as error:
        raise _refusal() from error
    if position.created_at.tzinfo is None:
        raise _refusal()
    return position


def id_cursor(key: int | None) -> str | None:
    """The cursor of the page after this row."""
    return None if key is None else _packed(str(key))


def id_position(cursor: str | None) -> int | None:
    """Inverse of `id_cursor`. Raises InvalidInput."""
    if cursor is None:
        return None
    text = _unpacked(cursor)
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise _refusal()
    return int(text)


def _packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpacked(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError) as error:
        raise _refusal() from error


def _refusal() -> InvalidInput:
    return InvalidInput("this is no cursor: use `next` of the page before, unchanged", field="cursor")
