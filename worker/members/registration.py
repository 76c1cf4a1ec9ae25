"""Telling the front end which members there are: those of the registry, and what is learned of one when it is loaded."""

from __future__ import annotations

from services.forces.potential import Card
from shared.database.repositories.workers import Registration, register
from shared.database.session import Sessions
from shared.errors import Misconfigured
from worker.potentials import identity, registry
from worker.potentials.families import FAMILIES


def announce(known: registry.Registry, sessions: Sessions) -> None:
    """Make every member of the registry known to the front end: a job may name one before any worker has loaded it."""
    with sessions.begin() as session:
        for entry in known.entries.values():
            try:
                sha256 = identity.fingerprint(entry)
            except (Misconfigured, OSError):
                continue  # its package isn't part of this environment
            register(
                session,
                Registration(
                    name=entry.name,
                    family=FAMILIES[entry.family].title,
                    version="",
                    sha256=sha256,
                    energy_kind=entry.energy_kind,
                    elements=tuple(sorted(entry.elements or ())),
                    cutoff=None,
                    trained_on=entry.trained_on,
                    license=entry.license,
                ),
            )


def registration(card: Card) -> Registration:
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
