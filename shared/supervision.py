"""Keeping a process up: started again when it ends, later and later while it keeps ending."""

from __future__ import annotations

import time
from collections.abc import Callable

from shared.child import Child

LONGEST_BACKOFF_S = 30.0
"""Longest wait before another start; a process that ran for this long counts as well again."""


class Watched:
    """A process that is meant to run on. start: starts it."""

    def __init__(self, name: str, start: Callable[[], Child]) -> None:
        self.name = name
        self._start = start
        self.child = start()
        self._failures = 0
        self._started = time.monotonic()
        self._again_at = 0.0

    def look(self) -> str | None:
        """Call now and then: starts it again when its time has come. Returns what there is to tell."""
        if self.child.running:
            if time.monotonic() - self._started > LONGEST_BACKOFF_S:
                self._failures = 0
        elif not self._again_at:
            wait = min(2.0**self._failures, LONGEST_BACKOFF_S)
            self._again_at = time.monotonic() + wait
            code = self.child.process.returncode
            return f"{self.name} ended with status {code}; starts again in {wait:.0f} s{self._log()}"
        elif time.monotonic() >= self._again_at:
            self.child = self._start()
            self._failures += 1
            self._started, self._again_at = time.monotonic(), 0.0
        return None

    def _log(self) -> str:
        return "" if self.child.log is None else f" (log: {self.child.log})"
