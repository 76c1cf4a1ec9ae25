"""An orderly stop, seen from inside a running task.

Celery's warm shutdown waits for the task and tells the child nothing. The parent creates a marker file when it begins to stop; the
child looks for it between steps, releases its leases and returns. The marker lies in a private folder: whoever could make it could
stop the service.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from shared import private_files

_MARKER = "_ADHOP_STOP_MARKER"
_PR_SET_PDEATHSIG = 1
EXIT_DEVICE_FAULT = 70
"""Exit status of a child whose device is in a bad state (EX_SOFTWARE)."""


def prepare(run_dir: Path | None) -> None:
    """In the parent, before children are spawned: decide where the marker will be. run_dir: ADHOP_RUN_DIR. Raises Misconfigured."""
    if _MARKER not in os.environ:
        os.environ[_MARKER] = str(private_files.run_folder(run_dir).absolute() / f"stop-{os.getpid()}")
        clear()


def marker() -> Path:
    return Path(os.environ[_MARKER])


def request() -> None:
    """In the parent: the child shall stop."""
    private_files.folder(marker().parent)  # it is gone where a session's folder went with the session
    private_files.touch(marker())


def requested() -> bool:
    """In the child, between steps."""
    return private_files.touched(marker()) is not None


def clear() -> None:
    """In the parent, at its very end."""
    marker().unlink(missing_ok=True)


def die_with_parent() -> None:
    """In the child: a parent that is killed outright takes it along, so that no orphan keeps leases alive."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def exit_process() -> NoReturn:
    """In the child, at once: no handler runs that would ask a broken device to clean up. The parent starts another child."""
    logging.shutdown()
    os._exit(EXIT_DEVICE_FAULT)
