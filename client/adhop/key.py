"""The API key: from ADHOP_KEY, from a private file, or typed. Not from the command line, which all accounts of a machine can read."""

from __future__ import annotations

import os
import re
import stat
import sys
from getpass import getpass
from pathlib import Path

from adhop.errors import AdhopError

VARIABLE, FILE_VARIABLE = "ADHOP_KEY", "ADHOP_KEY_FILE"
ON_THE_COMMAND_LINE = (
    "a key on the command line can be read by every account of this machine while the command runs, and stays in the shell's "
    f"history: put it into a file that only you can read and give --key-file FILE, or set {VARIABLE} or {FILE_VARIABLE}. If "
    "others use this machine, have the key that was just given revoked"
)
_OTHERS = 0o077


def find(given: str | None = None, file: str | Path | None = None) -> str | None:
    """The key that is given, or in the file, or that the environment names; None where there is none. Raises AdhopError, which never
    shows it."""
    if given:
        return _clean(given, "the key that was given")
    if file is not None:
        return from_file(file)
    if key := os.environ.get(VARIABLE):
        return _clean(key, VARIABLE)
    if named := os.environ.get(FILE_VARIABLE):
        return from_file(named)
    return None


def from_file(file: str | Path) -> str:
    """The key in a file that only we can read; "-" is standard input, asked for without an echo on a terminal. Raises AdhopError."""
    if str(file) == "-":
        return _clean(getpass("API key: ") if sys.stdin.isatty() else sys.stdin.readline(), "standard input")
    path = Path(file).expanduser()
    try:
        with path.open(encoding="utf-8", errors="replace") as opened:
            found = os.fstat(opened.fileno())
            text = opened.read(4096)
    except OSError as error:
        raise AdhopError(f"the key file {path} can't be read: {error.strerror}") from None
    if os.name == "posix" and stat.S_ISREG(found.st_mode) and found.st_mode & _OTHERS:
        raise AdhopError(
            f"others can read the key file {path}: run `chmod 600 {path}`, and have the key replaced if others use this machine"
        )
    return _clean(text, f"the key file {path}")


def _clean(text: str, where: str) -> str:
    key = text.strip()
    if not re.fullmatch(r"[!-~]+", key):
        raise AdhopError(f"{where} holds no API key: a key is one word of letters, digits and underscores, adhop_...")
    return key
