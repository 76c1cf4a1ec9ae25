"""What workers say of themselves: the members they host, and that they live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.database.tables import Model, Worker

FRESH_S = 60.0
"""A worker that has not been heard of for this long counts as gone."""


@dataclass(frozen=True)
class Registration:
    """A member as a worker loaded it. cutoff: Å."""

    name: str
    family: str
    version: str
    sha256: str
    energy_kind: str
    elements: tuple[int, ...]
    cutoff: float
    trained_on: str
    license: str


def register(session: Session, member: Registration) -> None:
    """Make a member known, or bring what is known of it up to date."""
    values = {
        "name": member.name,
        "family": member.family,
        "version": member.version,
        "sha256": member.sha256,
        "energy_kind": member.energy_kind,
        "elements": list(member.elements),
        "cutoff": member.cutoff,
        "trained_on": member.trained_on,
        "license": member.license,
    }
    statement = insert(Model).values(**values)
    session.execute(statement.on_conflict_do_update(index_elements=[Model.name], set_=values))


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
) -> None:
    """A worker's heartbeat, by PostgreSQL's clock."""
    values = {
        "host": host,
        "pid": pid,
        "kind": kind,
        "device": device,
        "members": list(members),
        "ready": ready,
        "reason": reason,
        "memory_bytes": memory_bytes,
    }
    statement = insert(Worker).values(name=name, **values)
    session.execute(
        statement.on_conflict_do_update(index_elements=[Worker.name], set_={**values, "heartbeat_at": func.now()})
    )


def leave(session: Session, name: str) -> None:
    """A worker that stops in good order."""
    session.execute(delete(Worker).where(Worker.name == name))


def fresh_workers(session: Session) -> list[Worker]:
    """Workers heard of lately."""
    since = func.now() - timedelta(seconds=FRESH_S)
    return list(session.scalars(select(Worker).where(Worker.heartbeat_at > since).order_by(Worker.name)))


def forget_lost(session: Session, after_s: float = 3600.0) -> None:
    """Drop workers that have been silent for long."""
    session.execute(delete(Worker).where(Worker.heartbeat_at < func.now() - timedelta(seconds=after_s)))


def energy_kinds(session: Session) -> dict[str, str]:
    """`total` or `adsorption`, by member."""
    return {name: kind for name, kind in session.execute(select(Model.name, Model.energy_kind))}
