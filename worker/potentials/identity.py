"""Which file a member was made from: its card's SHA-256, and the refusal of any other file under its name."""

from __future__ import annotations

import hashlib
from pathlib import Path

from shared.errors import MachineryFailure


def sha256(*files: Path) -> str:
    """SHA-256 over the bytes of the files, one after the other; of one file, the usual checksum."""
    hasher = hashlib.sha256()
    for file in files:
        hasher.update(file.read_bytes())
    return hasher.hexdigest()


def verified(*files: Path, expected: str) -> str:
    """The checksum of the files, checked before anything unpickles them. Stored energies are filed under a member's
    name, so one name means one checkpoint for good. Raises MachineryFailure where it is another."""
    found = sha256(*files)
    if found != expected:
        paths = ", ".join(str(file) for file in files)
        raise MachineryFailure(f"{paths}: SHA-256 is {found}, not the registered {expected}; reinstall the package")
    return found
