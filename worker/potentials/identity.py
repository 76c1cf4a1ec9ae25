"""Which file a member was made from: its SHA-256, and the refusal of any other file under its name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from shared import private_files
from shared.errors import MachineryFailure, Misconfigured
from worker.potentials.elements import words
from worker.potentials.entry import RegistryEntry
from worker.potentials.families import FAMILIES

_CHUNK = 1 << 20


def sha256(*files: Path) -> str:
    """SHA-256 over the bytes of the files, one after the other; of one file, the usual checksum."""
    hasher = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            while chunk := opened.read(_CHUNK):
                hasher.update(chunk)
    return hasher.hexdigest()


def verified(*files: Path, expected: str) -> str:
    """The checksum of the files, checked before anything unpickles them. Stored energies are filed under a member's
    name, so one name means one checkpoint for good. Raises MachineryFailure where it is another."""
    found = sha256(*files)
    if found != expected:
        paths = ", ".join(str(file) for file in files)
        raise MachineryFailure(
            f"{paths}: SHA-256 is {found}, not the registered {expected}: the file was swapped or is damaged. Get the right one "
            "again; if another was meant, give it a name of its own (`python -m worker.models add`), or keep the name by "
            "`python -m worker.models trust NAME`"
        )
    return found


def location(entry: RegistryEntry) -> Path:
    """Where the checkpoint lies: the entry's path, or inside its family's installed package. Raises Misconfigured."""
    if entry.path is not None:
        return entry.path
    spec, inside = find_spec(FAMILIES[entry.family].package), entry.options.get("file")
    if spec is None or spec.origin is None or not isinstance(inside, str):
        raise Misconfigured(f"{entry.name} has neither a path nor a file inside an installed package")
    return Path(spec.origin).parent / inside


def fingerprint(entry: RegistryEntry) -> str:
    """What the member's results are filed under: the entry's checksum, or that of the code which stands in for a checkpoint."""
    return entry.sha256 or sha256(location(entry))


def checkpoint(entry: RegistryEntry) -> Path:
    """The entry's checkpoint, which is the registered one. Raises Misconfigured where there is no file, or one that other accounts
    can change, MachineryFailure where it is another one."""
    file = location(entry)
    try:
        if entry.path is not None:  # what lies in an installed package is as safe as the package's code
            private_files.check_trusted(file)
        verified(file, expected=entry.sha256)
    except OSError as error:
        raise Misconfigured(f"{entry.name}: {file} can't be read: {error.strerror}") from error
    return file


@contextmanager
def unchanged(entry: RegistryEntry) -> Iterator[None]:
    """Around loading: the file whose checksum was looked at is still there, and as it was, when all of it has been read. Nobody else
    can change it; this is for an administrator who puts a new one in its place at that moment. Raises MachineryFailure."""
    if not FAMILIES[entry.family].checkpoint:
        yield
        return
    before = _state(entry)
    yield
    if _state(entry) != before:
        raise MachineryFailure(
            f"{entry.name}: {location(entry)} was changed while it was loaded; it is loaded again later"
        )


def _state(entry: RegistryEntry) -> tuple[int, ...]:
    try:
        found = location(entry).stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def agreed(entry: RegistryEntry, of_checkpoint: frozenset[int]) -> frozenset[int]:
    """The member's elements: those of its entry, or the checkpoint's where that names none. Raises Misconfigured where the entry
    promises more than the checkpoint knows."""
    if entry.elements is None:
        return of_checkpoint
    if unknown := entry.elements - of_checkpoint:
        raise Misconfigured(
            f"{entry.name}: its entry names {', '.join(words(unknown))}, which its checkpoint doesn't know"
        )
    return entry.elements
