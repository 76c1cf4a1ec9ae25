"""The members that this process keeps loaded, for as long as it lives."""

from __future__ import annotations

import logging
import time

import numpy as np
from ase.build import molecule

from services.potential import Potential
from services.references import BOX
from shared.database.repositories.registry import Registration, register
from shared.database.session import Sessions
from shared.errors import MachineryFailure
from shared.settings import Settings
from shared.structures import Structure
from worker.potentials import registry

log = logging.getLogger(__name__)


def load(settings: Settings) -> dict[str, Potential]:
    """Load every member that the settings name; each must give a finite energy before any work is claimed."""
    residents = {}
    known = registry.read(settings.models_file)
    for name in settings.members:
        began = time.monotonic()
        potential = registry.load(known[name], device=settings.device)
        _canary(potential)
        residents[name] = potential
        log.info("%s loaded on %s in %.1f s", name, settings.device, time.monotonic() - began)
    return residents


def _canary(potential: Potential) -> None:
    """One evaluation of methane, five atoms for networks that look at four at a time: a device in a bad state shows here, not in
    someone's job."""
    methane = molecule("CH4", cell=[BOX] * 3, pbc=True)
    roles = np.ones(len(methane), dtype=bool)
    evaluation = potential.evaluate([Structure.from_atoms(methane, adsorbate=roles, surface=~roles)])[0]
    if not np.isfinite(evaluation.energy) or not np.isfinite(evaluation.forces).all():
        raise MachineryFailure(f"{potential.card.name} gives no finite energy for CH4 on this device")


def announce(residents: dict[str, Potential], sessions: Sessions) -> None:
    """Make the members known to the front end."""
    with sessions.begin() as session:
        for potential in residents.values():
            card = potential.card
            register(
                session,
                Registration(
                    name=card.name,
                    family=card.family,
                    version=card.version,
                    sha256=card.sha256,
                    energy_kind=card.energy_kind,
                    elements=tuple(sorted(card.elements)),
                    cutoff=card.cutoff,
                    trained_on=card.trained_on,
                    license=card.license,
                ),
            )
