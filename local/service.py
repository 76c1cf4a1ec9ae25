"""The service in the background of this machine: started, found again, and stopped by what its own folder records.

One folder holds one service. A lock that the kernel drops with its process says whether it runs; no process is ever looked for
by name.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from local import hosting as hosted
from local.hosting import Hosting
from local.ownership import own_folder
from local.ports import free_port, is_free
from local.postgres import Postgres
from local.stack import ROOT, Stack, start_service, stop_signals
from shared import private_files
from shared.child import StartError
from shared.secrets import no_core_dumps

FOLDER = ROOT / ".adhop"
DEFAULT_PORT = 8000
_READY_TIMEOUT_S = 180.0
_STOP_TIMEOUT_S = 90.0


@dataclass(frozen=True)
class Running:
    """What a running service says of itself."""

    pid: int
    started: int
    """Clock ticks since boot, so that a reused pid is not taken for it."""
    url: str
    key_file: str
    logs: str
    members: list[str] = field(default_factory=list)
    """Hosted by its potentials workers."""
    settings: dict[str, str] = field(default_factory=dict)
    """ADHOP_... of its processes, besides what the stack itself decides."""


@contextmanager
def claimed(folder: Path) -> Iterator[bool]:
    """Whether this process is now the one that uses the folder; it is until the block ends or the process does."""
    own_folder(folder)
    with private_files.opened(folder / "lock", "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def serve(folder: Path, *, port: int | None = None, tell: Callable[[str], None] = print) -> None:
    """Run the service in this process until a signal ends it, with the members and the settings that the environment names. port:
    None takes 8000, or a free one where that is taken."""
    no_core_dumps()
    hosting = hosted.asked()
    for name in hosting.unknown:
        tell(f"{name} is no setting, and does nothing")
    with claimed(folder) as ours, stop_signals():
        if not ours:
            raise StartError(f"a service runs in {folder} already")
        try:
            with Stack(folder, hosting.settings) as stack:
                stack.port = _port(port)
                start_service(stack, hosting, tell)
                stack.wait_ready(_READY_TIMEOUT_S, tell)
                _record(folder, stack, hosting)
                tell(f"ready: {stack.url}")
                while True:
                    for line in stack.watch():
                        tell(line)
                    time.sleep(1)
        except KeyboardInterrupt:
            tell("stopped")
        finally:
            (folder / "running.json").unlink(missing_ok=True)


def running(folder: Path = FOLDER) -> Running | None:
    """The service of this folder, if it is up and ready."""
    try:
        found = Running(**json.loads(private_files.read(folder / "running.json")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return found if _started(found.pid) == found.started else None


def stop(found: Running) -> None:
    """Ask it to stop, and wait until it has."""
    os.kill(found.pid, signal.SIGTERM)
    until = time.monotonic() + _STOP_TIMEOUT_S
    while _started(found.pid) == found.started:
        if time.monotonic() > until:
            raise StartError(
                f"process {found.pid} still runs {_STOP_TIMEOUT_S:.0f} s after it was asked to stop; logs: {found.logs}"
            )
        time.sleep(0.1)


def remove(folder: Path) -> None:
    """Delete all that a stopped service keeps, its database included."""
    Postgres(folder / "postgres").remove()
    shutil.rmtree(folder, ignore_errors=True)


def command(folder: Path, port: int | None) -> list[str]:
    """The command line that serves a folder in the foreground."""
    words = [sys.executable, "-m", "local", "serve", "--folder", str(folder)]
    return words if port is None else [*words, "--port", str(port)]


def _port(asked: int | None) -> int:
    if asked is None:
        return DEFAULT_PORT if is_free(DEFAULT_PORT) else free_port()
    if not is_free(asked):
        raise StartError(f"port {asked} is taken; give another with --port, or none to have one chosen")
    return asked


def _record(folder: Path, stack: Stack, hosting: Hosting) -> None:
    me = Running(
        os.getpid(),
        _started(os.getpid()) or 0,
        stack.url,
        str(stack.key_file),
        str(stack.logs),
        list(hosting.members),
        dict(hosting.settings),
    )
    private_files.write(folder / "running.json", json.dumps(asdict(me)))


def _started(pid: int) -> int | None:
    """When a process started; None where it doesn't run. Without /proc, only whether it runs."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return None if words[0] == "Z" else int(words[19])
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    return 0
