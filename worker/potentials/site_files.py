"""A site's own files in TOML: who may write them, how long they may be, and what is said of one that can't be read."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from shared import private_files
from shared.errors import Misconfigured

_MOST_BYTES = 1_000_000


def read_toml(file: Path, *, kind: str) -> dict[str, Any]:
    """The document. kind: what the file is of, in words. Raises Misconfigured, which names the file and what is wrong with it."""
    try:
        private_files.check_trusted(file)  # these name code, and where checkpoints lie, which are code
        if file.stat().st_size > _MOST_BYTES:
            raise Misconfigured(f"{file} is longer than {_MOST_BYTES} bytes: that is no file of {kind}")
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise Misconfigured(f"{file} can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{file} is not TOML: {error}") from error
