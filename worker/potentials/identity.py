"""What every member is asked before it runs: which file it is, and which elements it knows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from ase.data import chemical_symbols

from services.potential import Card
from shared.errors import InvalidInput
from shared.structures import Structure


def sha256(files: Iterable[Path]) -> str:
    """SHA-256 over the bytes of the files, one after the other; of one file, the usual checksum."""
    hasher = hashlib.sha256()
    for file in files:
        hasher.update(file.read_bytes())
    return hasher.hexdigest()


def refuse_unknown_elements(card: Card, structures: Sequence[Structure]) -> None:
    """Raises InvalidInput that names the elements this member was never trained on."""
    asked = {int(number) for structure in structures for number in structure.numbers}
    if unknown := sorted(asked - card.elements):
        symbols = ", ".join(chemical_symbols[number] if 0 < number < 119 else str(number) for number in unknown)
        raise InvalidInput(f"{card.name} doesn't know {symbols}", field="structure")
