"""A process that reads SMILES (shared.children). It starts when it is first needed: RDKit is C++ that reads what users write, and
stays out of the process that answers everybody."""

from __future__ import annotations

from dataclasses import dataclass

from shared.children.pool import Kind, Lost, Pool
from shared.errors import InvalidInput

_KIND = Kind(
    name="smiles-reader",
    module="api.smiles.child",
    time_limit_s=10.0,  # a molecule of ten atoms takes some milliseconds
    cpu_s=5,
    memory_bytes=400_000_000,
    queue_limit_s=15.0,
    niceness=10,  # the process that answers everybody goes first
    busy="too many SMILES are being read just now; try again shortly",
    most_waiting=4,  # each holds one of the threads that answer requests
)


@dataclass(frozen=True)
class Built:
    """A molecule in three dimensions."""

    symbols: list[str]
    positions: list[list[float]]
    """Å [n_atoms, 3]."""


class SmilesReaders:
    """One process, used by any thread."""

    def __init__(self) -> None:
        self._pool = Pool(_KIND, size=1)

    def read(self, smiles: str) -> Built:
        """The molecule with all its hydrogens. Raises InvalidInput for what is no SMILES, or too much, and without RDKit."""
        try:
            return Built(**self._pool.ask({"smiles": smiles}))
        except Lost as lost:
            raise InvalidInput(
                f"{smiles!r} takes too long or too much memory to be built: give the molecule as a file, on its slab",
                field="text",
            ) from lost

    def close(self) -> None:
        """End the process; what is being read is given up."""
        self._pool.close()
