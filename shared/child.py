"""Child processes that can't outlive us: bound to their parent's life, stopped in order, killed as a group if they must be."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared import private_files

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


class StartError(Exception):
    """A process did not come up; the message names its log and shows the end of it."""


@dataclass
class Child:
    """A running child."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path | None
    """Where its output goes; None where that is its parent's own."""
    stop_signal: signal.Signals
    """What asks it to stop."""

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def ask(self) -> None:
        """Ask it to stop; returns at once."""
        if self.running:
            self.process.send_signal(self.stop_signal)

    def stop(self, grace_s: float) -> None:
        """Ask, wait, and after the grace kill it with everything it started."""
        self.ask()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(grace_s)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)  # the group outlives its leader where a grandchild hangs
        self.process.wait(10)

    def tail(self, lines: int = 15) -> str:
        """The end of its log."""
        if self.log is None:
            return ""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


def spawn(
    name: str,
    command: Sequence[str],
    *,
    log: Path | None,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    user: str | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> Child:
    """Start a process in a session of its own, its output in `log` or among our own. It is asked to stop when this process dies,
    however it dies. What it writes, and `log` in a folder of ours, is for its own account's eyes only.

    Call from the main thread: the kernel watches the thread that starts a child.
    """
    parent = os.getpid()

    def bind_to_parent() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, stop_signal)
        if os.getppid() != parent:
            os._exit(1)  # the parent died before the line above

    as_user: dict[str, Any] = {} if user is None else {"user": user, "group": _group(user), "extra_groups": []}
    with nullcontext() if log is None else private_files.opened(log, "ab") as output:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
            umask=0o077,
            preexec_fn=bind_to_parent,
            **as_user,
        )
    return Child(name, process, log, stop_signal)


def _group(user: str) -> int:
    import pwd  # not on every platform that the rest of the module runs on

    return pwd.getpwnam(user).pw_gid
