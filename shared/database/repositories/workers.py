"""What workers say of themselves: the members of their registry, those they host, and that they live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, case, delete, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.database.tables import Model, Worker

FRESH_S = 60.0
"""A worker that has not been heard of for this long counts as gone."""


@dataclass(frozen=True)
class Registration:
    """A member. cutoff: Å; None, and an empty version, for one that no worker has loaded yet."""

    name: str
    family: str
    version: str
    sha256: str
    energy_kind: str
    elements: tuple[int, ...]
    cutoff: float | None
    trained_on: str
    license: str


def register(session: Session, member: Registration) -> None:
    """Make a member known, or bring what is known of it up to date. What a worker learned by loading a checkpoint outlives the
    announcement of the same checkpoint by one that didn't load it."""
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
    keeps = and_(Model.sha256 == member.sha256, Model.cutoff.is_not(None), literal(member.cutoff is None))
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[Model.name],
            set_=values
            | {
                name: case((keeps, getattr(Model, name)), else_=getattr(statement.excluded, name))
                for name in ("version", "cutoff", "elements")
            },
        )
    )


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
    residents: Sequence[Mapping[str, Any]] = (),
) -> None:
    """A worker's heartbeat, by PostgreSQL's clock. residents: a document for each member it hosts."""
    values = {
        "host": host,
        "pid": pid,
        "kind": kind,
        "device": device,
        "members": list(members),
        "residents": list(residents),
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
