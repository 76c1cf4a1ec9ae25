"""What the database knows of members: what workers register of those in their registries."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, case, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared import scales
from shared.database.tables import RegisteredMember
from shared.references import EnergyKind


@dataclass(frozen=True)
class Registration:
    """What a worker tells the database of a member."""

    name: str
    family: str
    version: str
    """Empty for one that no worker has loaded yet."""
    sha256: str
    energy_kind: str
    elements: tuple[int, ...]
    cutoff: float | None
    """Å; None for one that no worker has loaded yet."""
    trained_on: str
    license: str
    scale: dict[str, Any] | None = None
    """Document of a shared.scales.Scale; None for the usual one of its kind of energy."""
    cautions: tuple[dict[str, Any], ...] = ()
    """Documents of shared.cautions.Caution."""


def register(session: Session, member: Registration) -> None:
    """Make a member known, or bring what is known of it up to date. What a worker learned by loading a checkpoint outlives the
    registration of the same checkpoint by one that didn't load it."""
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
        "scale": member.scale,
        "cautions": list(member.cautions),
    }
    statement = insert(RegisteredMember).values(**values)
    keeps = and_(
        RegisteredMember.sha256 == member.sha256,
        RegisteredMember.cutoff.is_not(None),
        literal(member.cutoff is None),
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[RegisteredMember.name],
            set_=values
            | {
                name: case((keeps, getattr(RegisteredMember, name)), else_=getattr(statement.excluded, name))
                for name in ("version", "cutoff", "elements")
            },
        )
    )


def sha256_of(session: Session, name: str) -> str | None:
    """The checksum of the checkpoint that a member is known by; None for one that nobody registered."""
    return session.scalar(select(RegisteredMember.sha256).where(RegisteredMember.name == name))


def trust(session: Session, name: str, sha256: str) -> bool:
    """From now on a member is known by this checkpoint; False where nobody registered it yet."""
    statement = update(RegisteredMember).where(RegisteredMember.name == name).values(sha256=sha256)
    return bool(session.scalars(statement.returning(RegisteredMember.name)).all())


def energy_kinds(session: Session) -> dict[str, str]:
    """`total` or `adsorption`, by member."""
    rows = session.execute(select(RegisteredMember.name, RegisteredMember.energy_kind))
    return {name: kind for name, kind in rows}


def scale_of(session: Session, names: Collection[str], kept: Mapping[str, Any] | None = None) -> str:
    """The scale of these members in words; empty where they are on unlike ones. kept: documents by member, as a job keeps them; None
    for the scales that members have now."""
    known = {row.name: row for row in session.scalars(select(RegisteredMember).where(RegisteredMember.name.in_(names)))}
    documents = {name: row.scale for name, row in known.items()} if kept is None else kept
    kinds = {name: row.energy_kind for name, row in known.items()}
    return scales.common(scales.read(documents, name, kinds.get(name, EnergyKind.TOTAL)) for name in names)
