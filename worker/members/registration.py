"""Registration: telling the database which members there are, those of the registry first, then what is learned by loading one."""

from __future__ import annotations

from services.forces.potential import Card
from shared.database.repositories.members import Registration, register
from shared.database.session import Sessions
from shared.errors import Misconfigured
from worker.potentials import identity, registry
from worker.potentials.entry import RegistryEntry
from worker.potentials.families import FAMILIES


def register_all(known: registry.Registry, sessions: Sessions) -> None:
    """Register every member of the registry: a job may name one before any worker has loaded it."""
    with sessions.begin() as session:
        for entry in known.entries.values():
            try:
                made = of_entry(entry)
            except (Misconfigured, OSError):
                continue  # its package isn't part of this environment
            register(session, made)


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
    )


def of_card(card: Card) -> Registration:
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
    )
