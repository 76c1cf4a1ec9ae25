"""A few children of one kind, used by any thread. One that dies, takes too long over an answer, or whose answer nobody wants any
more, is replaced."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from shared.children.child import CODECS
from shared.errors import InvalidInput, Unavailable

log = logging.getLogger(__name__)

START_LIMIT_S = 120.0
_LOOK_S = 0.2
"""How often the parent looks whether the answer is still wanted."""
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Kind:
    """What the children of a pool are for."""

    name: str
    """Of the processes, as `ps` shows it: `adhop-NAME`."""
    module: str
    """That they serve: a `shared.children.child.Answering`, by its dotted name, so that the parent needn't import it."""
    time_limit_s: float
    """Of one answer, by the clock."""
    cpu_s: int
    """Of one answer, processor seconds."""
    memory_bytes: int
    """What an answer may use beyond the process's own size at rest."""
    queue_limit_s: float
    """Longest wait for a child that is free."""
    busy: str
    """What is said when none becomes free."""
    most_waiting: int | None = None
    """How many may wait at a time; a request beyond these is sent away at once. None: no limit but that of time."""
    codec: Literal["json", "pickle"] = "json"
    """How messages are written; pickled only where the child reads nothing that a user wrote."""
    niceness: int = 0
    """How far the processes give way to others, to their parent above all; they start so, too."""


class Why(StrEnum):
    """How an answer was lost."""

    TIME = "took too long"
    MEMORY = "ran out of memory"
    ENDED = "ended"


class Lost(Exception):
    """The child didn't answer, and was ended."""

    def __init__(self, why: Why, *, status: int | None = None) -> None:
        super().__init__(str(why) if status is None else f"{why} with status {status}")
        self.why = why

    @property
    def memory(self) -> bool:
        """Whether it was short of memory."""
        return self.why is Why.MEMORY


class Unwanted(Exception):
    """Nobody wants the answer any more; the child that was at it was ended."""


class Broken(Exception):
    """The child's module raised what nobody foresaw; its traceback is in the log."""


class Pool:
    """`size` children, each started when it is first needed, or all by `start`."""

    def __init__(self, kind: Kind, *, size: int) -> None:
        self._kind = kind
        self._size = size
        self._idle = deque(_Child(kind) for _ in range(size))  # those that have answered before stand in front
        self._free = threading.Semaphore(size)
        self._places = None if kind.most_waiting is None else threading.Semaphore(size + kind.most_waiting)

    def start(self, *, wait: bool = True) -> None:
        """Start all of them; they are ready when this returns, if it waits, and the first answer comes as fast as any."""
        for child in self._idle:
            child.start()
        for child in self._idle if wait else ():
            with suppress(Lost, EOFError):  # the first request for it will tell
                child.wait()

    def ask(self, request: Any, wanted: Callable[[], bool] = lambda: True) -> Any:
        """A child's answer. wanted: looked at every now and then while it is waited for.

        Raises InvalidInput where it refuses, Lost, Broken, Unwanted, and Unavailable where too many ask."""
        if self._places is not None and not self._places.acquire(blocking=False):
            raise Unavailable(self._kind.busy)
        try:
            answer = self._asked(request, wanted)
        finally:
            if self._places is not None:
                self._places.release()
        if "refused" in answer:
            raise InvalidInput(answer["refused"], field=answer["field"])
        if "broken" in answer:
            log.error("%s broke:\n%s", self._kind.name, answer["traceback"])
            raise Broken(answer["broken"])
        return answer["answer"]

    def _asked(self, request: Any, wanted: Callable[[], bool]) -> dict[str, Any]:
        if not self._free.acquire(timeout=self._kind.queue_limit_s):
            raise Unavailable(self._kind.busy)
        child = self._idle.popleft()
        try:
            answer = child.ask(request, wanted)
        except BaseException:
            self._replace(child)
            raise
        else:
            self._idle.appendleft(child)
            return answer
        finally:
            self._free.release()

    def _replace(self, child: _Child) -> None:
        child.end()
        fresh = _Child(self._kind)
        self._idle.append(fresh)
        with suppress(OSError):  # it is tried again when it is needed
            fresh.start()

    def close(self) -> None:
        """End the processes; what is being answered is given up."""
        for _ in range(self._size):
            if not self._free.acquire(timeout=self._kind.time_limit_s + 1):
                return
            self._idle.popleft().end()


class _Child:
    """One process, or what will be one."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._codec = CODECS[kind.codec]
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._ready = False

    def start(self) -> Connection:
        if self._connection is None:
            ours, theirs = socket.socketpair()
            kind = self._kind
            arguments = (
                theirs.fileno(),
                kind.module,
                kind.codec,
                kind.memory_bytes,
                kind.cpu_s,
                kind.niceness,
                os.getpid(),
            )
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "shared.children.child", f"adhop-{kind.name}", *map(str, arguments)],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    cwd=_ROOT,
                    env=_environment(),
                )
            self._connection = Connection(ours.detach())
        return self._connection

    def wait(self, wanted: Callable[[], bool] = lambda: True) -> Connection:
        """Until it has started."""
        connection = self.start()
        if not self._ready:
            _receive(connection, START_LIMIT_S, wanted)
            self._ready = True
        return connection

    def ask(self, request: Any, wanted: Callable[[], bool]) -> dict[str, Any]:
        try:
            connection = self.wait(wanted)
            connection.send_bytes(self._codec.dumps(request))
            answer: dict[str, Any] = self._codec.loads(_receive(connection, self._kind.time_limit_s, wanted))
        except (EOFError, OSError) as error:
            status = self._status()
            raise Lost(Why.TIME if status == -signal.SIGXCPU else Why.ENDED, status=status) from error
        if "spent" in answer:
            raise Lost(Why.MEMORY)
        return answer

    def _status(self) -> int | None:
        """That it ended with; None where it lives."""
        if self._process is None:
            return None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        return self._process.returncode

    def end(self) -> None:
        if self._process is not None and self._connection is not None:
            self._process.kill()
            self._process.wait()
            self._connection.close()


_KEPT = re.compile(
    r"PATH|HOME|LANG|LC_\w+|TZ|TMPDIR|LD_LIBRARY_PATH|VIRTUAL_ENV|(PYTHON|OMP_|MKL_|OPENBLAS_|XDG_|MPL)\w*"
)
"""What a child needs to know of its machine."""


def _environment() -> dict[str, str]:
    """Little of ours, whatever else stands there: a child knows no password of database or broker, and no other one."""
    kept = {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "OMP_NUM_THREADS": "1"}


def _receive(connection: Connection, timeout_s: float, wanted: Callable[[], bool]) -> bytes:
    until = time.monotonic() + timeout_s
    while not connection.poll(min(_LOOK_S, max(0.0, until - time.monotonic()))):
        if time.monotonic() >= until:
            raise Lost(Why.TIME)
        if not wanted():
            raise Unwanted
    return connection.recv_bytes()
