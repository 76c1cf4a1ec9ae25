"""Rings workers from a thread of its own, so that a frozen broker delays no answer.

Rings that come while one is on its way melt into one. None is needed for correctness: the dispatcher rings for all that waits.
"""

from __future__ import annotations

import logging
import threading

from shared.broker import Doorbell

log = logging.getLogger(__name__)


class BackgroundDoorbell:
    """A doorbell that never blocks."""

    def __init__(self, doorbell: Doorbell) -> None:
        self._doorbell = doorbell
        self._wanted = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="doorbell", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def cpu(self) -> None:
        """Ring for placements, soon."""
        self._wanted.set()

    def close(self, timeout_s: float = 5.0) -> None:
        """Ring what was asked for, then stop; a broker that hangs is not waited for longer than this."""
        self._closing = True
        self._wanted.set()
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._closing:
                return
            try:
                self._doorbell.cpu()
            except Exception:
                # This thread must outlive whatever the broker's library raises; the job is stored already.
                log.exception("the doorbell could not be rung")
