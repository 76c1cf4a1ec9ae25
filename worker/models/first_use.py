"""Trust on first use: which file came the first time, noted beside the checkpoint where nobody publishes its checksum."""

from __future__ import annotations

from pathlib import Path

from shared import private_files
from shared.errors import Misconfigured


def note(checkpoint: Path, sha256: str) -> None:
    """From now on this is the file of that name. Written as sha256sum reads it."""
    private_files.write(_beside(checkpoint), f"{sha256}  {checkpoint.name}\n")


def noted(checkpoint: Path) -> str | None:
    """The checksum that was noted; None where none was."""
    try:
        return private_files.read(_beside(checkpoint)).partition(" ")[0].strip()
    except FileNotFoundError:
        return None


def refuse_other(checkpoint: Path, sha256: str, name: str) -> None:
    """Raises Misconfigured where another file came the first time."""
    first = noted(checkpoint)
    if first not in (None, sha256):
        raise Misconfigured(
            f"{checkpoint}: SHA-256 is {sha256}; the file that was first got under this name had {first} ({_beside(checkpoint)}). "
            f"Ask who published it which is right; if the change was meant, delete {_beside(checkpoint)} and run this again"
        )


def _beside(checkpoint: Path) -> Path:
    return checkpoint.with_name(f"{checkpoint.name}.sha256")
