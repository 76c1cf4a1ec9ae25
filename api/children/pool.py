"""A few children of one kind, used by any thread. One that dies, or takes too long over an answer, is replaced."""

from __future__ import annotations

import json
import multiprocessing
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from api.children.child import serve
from shared.errors import InvalidInput, Unavailable

START_LIMIT_S = 60.0


@dataclass(frozen=True)
class Kind:
    """What the children of a pool are for."""

    name: str
    """Of the processes: `adhop-NAME`."""
    module: str
    """That they serve: an `api.children.child.Answering`, by its dotted name, so that the API's own process needn't import it."""
    time_limit_s: float
    """Of one answer."""
    queue_limit_s: float
    """Longest wait for a child that is free."""
    busy: str
    """What is said when none becomes free."""
    most_waiting: int | None = None
    """How many may wait at a time; a request beyond these is sent away at once. None: no limit but that of time."""


class Lost(Exception):
    """The child ended, ran out of memory, or did not answer in time."""

    def __init__(self, *, memory: bool = False) -> None:
        super().__init__("out of memory" if memory else "too long, or ended")
        self.memory = memory


class Broken(Exception):
    """The child's module raised what nobody foresaw; its traceback went to standard error."""


class Pool:
    """`size` children, each started when it is first needed, or all by `start`."""

    def __init__(self, kind: Kind, *, size: int) -> None:
        self._kind = kind
        self._size = size
        self._idle = deque(_Child(kind) for _ in range(size))  # those that have answered before stand in front
        self._free = threading.Semaphore(size)
        self._places = None if kind.most_waiting is None else threading.Semaphore(size + kind.most_waiting)

    def start(self) -> None:
        """Start all of them; they are ready when this returns, and the first answer comes as fast as any."""
        for child in self._idle:
            child.start()
        for child in self._idle:
            with suppress(Lost, EOFError):  # the first request for it will tell
                child.wait()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """A child's answer. Raises InvalidInput where it refuses, Lost, Broken, and Unavailable where too many ask."""
        if self._places is not None and not self._places.acquire(blocking=False):
            raise Unavailable(self._kind.busy)
        try:
            answer = self._asked(request)
        finally:
            if self._places is not None:
                self._places.release()
        if "refused" in answer:
            raise InvalidInput(answer["refused"], field=answer["field"])
        if "broken" in answer:
            raise Broken(answer["broken"])
        found: dict[str, Any] = answer["answer"]
        return found

    def _asked(self, request: dict[str, Any]) -> dict[str, Any]:
        if not self._free.acquire(timeout=self._kind.queue_limit_s):
            raise Unavailable(self._kind.busy)
        child = self._idle.popleft()
        try:
            answer = child.ask(request)
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
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._ready = False

    def start(self) -> Connection:
        if self._connection is None:
            spawning = multiprocessing.get_context("spawn")  # a fork would copy the API's threads and connections
            ours, theirs = spawning.Pipe()
            process = spawning.Process(
                target=serve, args=(theirs, self._kind.module), name=f"adhop-{self._kind.name}", daemon=True
            )
            process.start()
            theirs.close()
            self._process, self._connection = process, ours
        return self._connection

    def wait(self) -> Connection:
        """Until it has started."""
        connection = self.start()
        if not self._ready:
            _receive(connection, START_LIMIT_S)
            self._ready = True
        return connection

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            connection = self.wait()
            connection.send_bytes(json.dumps(request).encode())
            answer: dict[str, Any] = json.loads(_receive(connection, self._kind.time_limit_s))
        except (EOFError, OSError) as error:
            raise Lost from error
        if "spent" in answer:
            raise Lost(memory=True)
        return answer

    def end(self) -> None:
        if self._process is not None and self._connection is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()


def _receive(connection: Connection, timeout_s: float) -> bytes:
    if not connection.poll(timeout_s):
        raise Lost
    return connection.recv_bytes()
