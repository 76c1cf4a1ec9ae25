"""What a child process does: one question after another for one module, with little memory, little time and no files to write.

A question comes in as JSON or pickled, as the parent's kind of pool says; out goes, likewise, {"answer"}, {"refused", "field"},
{"broken", "traceback"} or {"spent"}, which means that the process ran out of memory and ends. Where texts are read nothing is
pickled.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import resource
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol, cast

from shared.errors import InvalidInput

_ORPHAN_S = 1.0
"""How often the process looks whether its parent lives."""


class Answering(Protocol):
    """A module that a child process serves."""

    def warm_up(self) -> None:
        """Import and try all that answers need, before the limits hold."""

    def answer(self, request: Any) -> Any:
        """Raises InvalidInput for a request that can't be used."""


@dataclass(frozen=True)
class Codec:
    """How messages are written."""

    dumps: Callable[[Any], bytes]
    loads: Callable[[bytes], Any]


CODECS = {
    "json": Codec(lambda message: json.dumps(message).encode(), json.loads),
    "pickle": Codec(lambda message: pickle.dumps(message, pickle.HIGHEST_PROTOCOL), pickle.loads),
}


def serve(connection: Connection, module: str, codec: Codec, memory_bytes: int, cpu_s: int) -> None:
    """Answer until the parent goes away. module: its name; it is imported here and nowhere else. memory_bytes: what an answer may use
    beyond the process's own size at rest. cpu_s: processor seconds of one answer, the backstop of the parent's clock."""
    served = cast(Answering, importlib.import_module(module))
    served.warm_up()
    os.chdir("/")
    _confine(memory_bytes)
    connection.send_bytes(b"ready")
    while True:
        try:
            request = codec.loads(connection.recv_bytes())
        except (EOFError, OSError):
            return
        _grant_cpu(cpu_s)
        answer = _answer(served, request)
        connection.send_bytes(codec.dumps(answer))
        if "spent" in answer:
            return


def _answer(served: Answering, request: Any) -> dict[str, Any]:
    try:
        return {"answer": served.answer(request)}
    except InvalidInput as refusal:
        return {"refused": str(refusal), "field": refusal.field}
    except MemoryError:
        return {"spent": True}
    except Exception as error:  # noqa: BLE001 - the process stays of use; the parent says what happened
        # by the parent's log: our own standard error may be a file, and we may write none
        return {"broken": f"{type(error).__name__}: {error}"[:500], "traceback": traceback.format_exc()}


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


def _end_with(parent: int) -> None:
    """End this process, whatever it computes, once its parent is gone. Not by the kernel's signal: that comes when the parent's
    thread ends, and any thread may have started us."""
    while os.getppid() == parent:
        time.sleep(_ORPHAN_S)
    os._exit(0)


def main() -> None:
    """Entry point of the process: its name, its connection's number, module, codec, limits and parent as arguments."""
    _, descriptor, module, codec, memory_bytes, cpu_s, niceness, parent = sys.argv[1:]
    os.nice(int(niceness))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides
    warnings.simplefilter("ignore")
    threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    serve(Connection(int(descriptor)), module, CODECS[codec], int(memory_bytes), int(cpu_s))


if __name__ == "__main__":
    main()
