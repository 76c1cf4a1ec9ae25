"""Warm parsing processes. One that dies, or takes too long over a text, is replaced; the API's own process never parses."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from api.parsing.child import serve
from shared.errors import InvalidInput, Unavailable

TIME_LIMIT_S = 1.2
"""Longest parse of one text; a structure of 400 atoms takes some milliseconds."""
START_LIMIT_S = 60.0
QUEUE_LIMIT_S = 15.0


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


class _Lost(Exception):
    """The process ended, or did not answer in time."""


class _Parser:
    """One child process."""

    def __init__(self) -> None:
        spawning = multiprocessing.get_context("spawn")  # a fork would copy the API's threads and connections
        self._connection, theirs = spawning.Pipe()
        self._process = spawning.Process(target=serve, args=(theirs,), name="adhop-parser", daemon=True)
        self._process.start()
        theirs.close()
        self._ready = False

    def wait(self) -> None:
        """Until it has started."""
        if not self._ready:
            self._receive(START_LIMIT_S)
            self._ready = True

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            self.wait()
            self._connection.send_bytes(json.dumps(request).encode())
            answer: dict[str, Any] = json.loads(self._receive(TIME_LIMIT_S))
        except (EOFError, OSError) as error:
            raise _Lost from error
        return answer

    def _receive(self, timeout_s: float) -> bytes:
        if not self._connection.poll(timeout_s):
            raise _Lost
        return self._connection.recv_bytes()

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()


class Parsers:
    """A fixed number of parsing processes, started at once and used by any thread. They are ready when this returns: the first text
    is read as fast as any."""

    def __init__(self, *, size: int = 2) -> None:
        self._idle = deque(_Parser() for _ in range(size))  # those that have answered before stand in front
        self._free = threading.Semaphore(size)
        self._size = size
        for parser in self._idle:
            with suppress(_Lost, EOFError):  # the first text for it will tell
                parser.wait()

    def parse(self, form: str, text: str, *, max_atoms: int, field: str) -> Parsed:
        """The structure in this text. Raises InvalidInput, naming the field, for a text that can't be used."""
        if not self._free.acquire(timeout=QUEUE_LIMIT_S):
            raise Unavailable("too many structures are being read just now; try again shortly")
        parser = self._idle.popleft()
        try:
            answer = parser.ask({"format": form, "text": text, "max_atoms": max_atoms})
        except _Lost:
            answer = {"error": f"reading the text as {form} takes too long or too much memory", "spent": True}
        if answer.get("spent"):
            parser.end()
            self._idle.append(_Parser())
        else:
            self._idle.appendleft(parser)
        self._free.release()
        if "error" in answer:
            raise InvalidInput(answer["error"], field=field)
        return Parsed(**answer["structure"])

    def close(self) -> None:
        """End the processes; a text being read is given up."""
        for _ in range(self._size):
            if not self._free.acquire(timeout=TIME_LIMIT_S + 1):
                return
            self._idle.popleft().end()
