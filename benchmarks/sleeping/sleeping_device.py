"""The family `sleeping`: each forward of a member takes BASE + PER_ATOM x atoms, most of it asleep, and is noted down.

Its options say how long: base_ms and atom_us. SLEEPING_LOG names the folder of the notes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.sleeping import accounts, landscape
from services.forces.potential import Card, Evaluation
from shared.structures import Structure
from worker.potentials.entry import RegistryEntry


def load(entry: RegistryEntry, *, device: str) -> Sleeping:
    """The member, whose process keeps accounts of its processor time from now on."""
    accounts.open_all()
    return Sleeping(entry, Path(os.environ["SLEEPING_LOG"]))


class Sleeping:
    """A device that isn't there."""

    def __init__(self, entry: RegistryEntry, folder: Path) -> None:
        self._base_s = float(entry.options["base_ms"]) / 1e3
        self._atom_s = float(entry.options["atom_us"]) / 1e6
        self._notes = (folder / f"{entry.name}-{os.getpid()}").open("a", buffering=1)
        self.card = Card(
            name=entry.name,
            family="sleeping",
            version="1",
            sha256=entry.sha256,
            energy_kind=entry.energy_kind,
            elements=frozenset({1, 6, 7, 8, 78}),
            cutoff=5.0,
            trained_on="nothing",
            license="MIT",
        )

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        began, atoms = time.monotonic(), sum(map(len, structures))
        with accounts.part("device"):
            found = landscape.evaluate(structures)
        until = began + self._base_s + self._atom_s * atoms
        time.sleep(max(0.0, until - time.monotonic()))
        note = (began, time.monotonic(), len(structures), atoms, accounts.spent())
        self._notes.write(json.dumps(note) + "\n")
        return found
