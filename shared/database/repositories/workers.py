"""Worker processes as they last reported: their heartbeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.database.tables import Worker

FRESH_S = 60.0
"""A worker whose last heartbeat is older counts as gone."""


def beat(
    session: Session,
    *,
    name: str,
    host: str,
    pid: int,
    kind: str,
    device: str,
    members: Sequence[str],
    ready: bool,
    reason: str,
    memory_bytes: int | None,
    member_states: Sequence[Mapping[str, Any]] = (),
) -> None:
    """A worker's heartbeat, by PostgreSQL's clock. member_states: a document for each member it hosts."""
    values = {
        "host": host,
        "pid": pid,
        "kind": kind,
        "device": device,
        "members": list(members),
        "member_states": list(member_states),
        "ready": ready,
        "reason": reason,
        "memory_bytes": memory_bytes,
    }
    statement = insert(Worker).values(name=name, **values)
    session.execute(
        statement.on_conflict_do_update(index_elements=[Worker.name], set_={**values, "heartbeat_at": func.now()})
    )


def sign_off(session: Session, name: str) -> None:
    """A worker that stops in good order."""
    session.execute(delete(Worker).where(Worker.name == name))


def fresh_workers(session: Session) -> list[Worker]:
    """Workers with a recent heartbeat."""
    return list(session.scalars(select(Worker).where(is_fresh()).order_by(Worker.name)))


def is_fresh() -> ColumnElement[bool]:
    """Whether a worker's last heartbeat is recent."""
    return Worker.heartbeat_at > func.now() - timedelta(seconds=FRESH_S)


def forget_lost(session: Session, after_s: float = 3600.0) -> None:
    """Drop workers that have been silent for long."""
    session.execute(delete(Worker).where(Worker.heartbeat_at < func.now() - timedelta(seconds=after_s)))
