"""Registration: telling the database which members there are, those of the registry first, then what is learned by loading one."""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy.orm import Session

from services.forces.potential import Card
from shared.database.repositories.members import Registration, register, sha256_of
from shared.database.session import Sessions
from shared.errors import Misconfigured
from worker.potentials import identity, registry
from worker.potentials.entry import RegistryEntry
from worker.potentials.families import FAMILIES

log = logging.getLogger(__name__)


class OtherCheckpoint(Misconfigured):
    """A member's name stands for another file than it did."""


def register_all(known: registry.Registry, sessions: Sessions) -> None:
    """Register every member of the registry: a job may name one before any worker has loaded it. One whose checkpoint is not the
    known one is left as it is known, and not loaded either."""
    with sessions.begin() as session:
        for entry in known.entries.values():
            try:
                made = of_entry(entry)
                refuse_other(session, entry)
            except OtherCheckpoint as error:
                log.error("%s", error)
            except (Misconfigured, OSError):
                continue  # its package isn't part of this environment
            else:
                register(session, made)


def refuse_other(session: Session, entry: RegistryEntry) -> None:
    """Raises OtherCheckpoint where the database knows the site's member by another file: results of both would stand under one name.
    Members that come with Adhop are pinned by its version, and change with it."""
    known = sha256_of(session, entry.name)
    if entry.path is not None and known not in (None, entry.sha256):
        raise OtherCheckpoint(
            f"{entry.name} is known with SHA-256 {known}, and {entry.path} is registered here with {entry.sha256}: get the known "
            f"file, or give this one a name of its own; if it was meant to change, `python -m worker.models trust {entry.name}`"
        )


def of_entry(entry: RegistryEntry) -> Registration:
    """A member that was not loaded. Raises Misconfigured and OSError where its checkpoint's checksum can't be had here."""
    return Registration(
        name=entry.name,
        family=FAMILIES[entry.family].title,
        version="",
        sha256=identity.fingerprint(entry),
        energy_kind=entry.energy_kind,
        elements=tuple(sorted(entry.elements or ())),
        cutoff=None,
        trained_on=entry.trained_on,
        license=entry.license,
        **_told(entry),
    )


def of_card(card: Card, entry: RegistryEntry) -> Registration:
    """A member as it was loaded."""
    return Registration(
        name=card.name,
        family=card.family,
        version=card.version,
        sha256=card.sha256,
        energy_kind=card.energy_kind,
        elements=tuple(sorted(card.elements)),
        cutoff=card.cutoff,
        trained_on=card.trained_on,
        license=card.license,
        **_told(entry),
    )


def _told(entry: RegistryEntry) -> dict[str, Any]:
    """What the registry alone knows."""
    return {
        "scale": entry.scale.model_dump(mode="json"),
        "cautions": tuple(caution.model_dump(mode="json") for caution in entry.cautions),
    }
