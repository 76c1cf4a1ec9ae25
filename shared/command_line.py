"""How our command lines end: expected trouble is one line and status 2, Ctrl-C is 130; only a fault of ours has a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from shared.child import StartError
from shared.errors import AdhopError
from shared.secrets import masked

REFUSED, INTERRUPTED = 2, 130
"""Exit statuses: what was asked can't be done as it is; Ctrl-C."""


def ended(program: str, command: Callable[[], int | None], expected: tuple[type[Exception], ...] = ()) -> int:
    """The exit status of a command that was run to its end. expected: other errors that are trouble and no fault of ours."""
    trouble: tuple[type[Exception], ...] = (AdhopError, StartError, *expected)
    try:
        status = command() or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read our output has what it wanted, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except trouble as error:
        return _say(program, str(error) or type(error).__name__)
    except OSError as error:
        return _say(program, f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except KeyboardInterrupt:
        _say(program, "interrupted")
        return INTERRUPTED


def _say(program: str, why: str) -> int:
    sys.stderr.write(f"{program}: {masked(why)}\n")
    return REFUSED
