"""Warm parsing processes (shared.children); the API's own process never parses."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from shared.children.pool import Kind, Lost, Pool
from shared.errors import InvalidInput
from shared.structures import Floats


@dataclass(frozen=True)
class Parsed:
    """A structure as its text gave it."""

    numbers: list[int]
    """Atomic numbers [n_atoms]."""
    positions: list[list[float]]
    """Å [n_atoms, 3]."""
    cell: list[list[float]]
    """Rows are lattice vectors, Å [3, 3]."""
    pbc: list[bool]
    """[3]."""
    tags: list[int] | None
    """[n_atoms]; None where the text had none."""
    fixed: list[bool]
    """Mask [n_atoms]."""
    notes: list[str] = field(default_factory=list)
    """What was ignored, simplified or decided in reading."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Structures of one system."""

    parsed: Parsed
    """The first one."""
    labels: list[str | None]
    """What each is called; None where its text doesn't say [n]."""
    positions: Floats
    """Å [n, n_atoms, 3]."""


_KIND = Kind(
    name="parser",
    module="api.parsing.child",
    time_limit_s=1.2,  # a structure of 400 atoms takes some milliseconds
    cpu_s=2,  # the backstop of the clock
    memory_bytes=400_000_000,
    queue_limit_s=15.0,
    niceness=10,  # the process that answers everybody goes first
    busy="too many structures are being read just now; try again shortly",
)

_MANY = replace(
    _KIND,
    name="parser-of-many",
    time_limit_s=15.0,  # a thousand structures of 40 atoms take 0.3 s of a processor, on a busy machine much longer
    cpu_s=4,
    busy="too many sets of structures are being read just now; try again shortly",
    most_waiting=4,  # each holds one of the threads that answer requests
)


class Parsers:
    """A fixed number of parsing processes, started at once and used by any thread. They are ready when this returns: the first text
    is read as fast as any. Sets of structures, which may take longer, are read in a process of their own, which starts when it is
    first needed."""

    def __init__(self, *, size: int = 2) -> None:
        self._pool = Pool(_KIND, size=size)
        self._pool.start()
        self._many = Pool(_MANY, size=1)

    def parse(self, form: str, text: str, *, max_atoms: int, field: str) -> Parsed:
        """The structure in this text. Raises InvalidInput, naming the field, for a text that can't be used."""
        return Parsed(**self._asked(form, text, max_atoms, field))

    def parse_all(self, form: str, text: str, *, max_atoms: int, field: str) -> Frames:
        """All structures in this text, which are of one system. Raises InvalidInput, naming the field."""
        found = self._asked(form, text, max_atoms, field, all=True)
        labels, packed = found.pop("labels"), b64decode(found.pop("all_positions"))
        positions = np.frombuffer(packed, dtype="<f8").reshape(len(labels), -1, 3)
        return Frames(Parsed(**found), labels, positions)

    def _asked(self, form: str, text: str, max_atoms: int, field: str, **more: bool) -> dict[str, Any]:
        try:
            pool = self._many if more else self._pool
            found: dict[str, Any] = pool.ask({"format": form, "text": text, "max_atoms": max_atoms, **more})
        except InvalidInput as refusal:
            raise InvalidInput(str(refusal), field=field) from refusal
        except Lost as lost:
            what = "reading the text" if lost.memory else f"reading the text as {form}"
            much = "too much memory" if lost.memory else "too long or too much memory"
            less = ": send fewer structures at once" if more else ""
            raise InvalidInput(f"{what} takes {much}{less}", field=field) from lost
        return found

    def close(self) -> None:
        """End the processes; a text being read is given up."""
        self._pool.close()
        self._many.close()
