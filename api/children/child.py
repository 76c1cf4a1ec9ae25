"""What a child process does: one question after another for one module, with little memory, little time and no files to write.

Messages are JSON: whatever the module's `answer` takes in; {"answer"}, {"refused", "field"}, {"broken"} or {"spent"} out. `spent`
means that the process ran out of memory and ends.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import traceback
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol, cast

from shared.errors import InvalidInput


class Answering(Protocol):
    """A module that a child process serves."""

    MEMORY_BYTES: int
    """What an answer may use beyond the process's own size at rest."""
    CPU_S: int
    """Processor seconds of one answer: the backstop of the parent's clock."""

    def warm_up(self) -> None:
        """Import and try all that answers need, before the limits hold."""

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Raises InvalidInput for a request that can't be used."""


def serve(connection: Connection, module: str) -> None:
    """Answer until the parent goes away. module: its name; it is imported here and nowhere else."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides
    warnings.simplefilter("ignore")
    served = cast(Answering, importlib.import_module(module))
    served.warm_up()
    os.chdir("/")
    _confine(served.MEMORY_BYTES)
    connection.send_bytes(b"ready")
    while True:
        try:
            request = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        _grant_cpu(served.CPU_S)
        answer = _answer(served, request)
        connection.send_bytes(json.dumps(answer).encode())
        if "spent" in answer:
            return


def _answer(served: Answering, request: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"answer": served.answer(request)}
    except InvalidInput as refusal:
        return {"refused": str(refusal), "field": refusal.field}
    except MemoryError:
        return {"spent": True}
    except Exception as error:  # noqa: BLE001 - the process stays of use; the parent says what happened
        traceback.print_exc()
        return {"broken": f"{type(error).__name__}: {error}"[:500]}


def _confine(memory_bytes: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else None
    if pages is not None:
        size = pages * resource.getpagesize() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _grant_cpu(cpu_s: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + cpu_s, hard))
