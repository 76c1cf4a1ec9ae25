"""Wakes workers from a thread of its own, so that a frozen broker delays no answer.

Notifications that are asked for while one is being sent become one. None is needed for correctness: the dispatcher sends one for
all that waits.
"""

from __future__ import annotations

import logging
import threading

from shared.broker import Notifier

log = logging.getLogger(__name__)


class BackgroundNotifier:
    """A notifier that never blocks."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._wanted = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="notifier", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def notify_cpu(self) -> None:
        """Wake a worker for placements, soon."""
        self._wanted.set()

    def close(self, timeout_s: float = 5.0) -> None:
        """Stop; a broker that hangs is not waited for longer than this."""
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
                self._notifier.notify_cpu()
            except Exception:
                # This thread must outlive whatever the broker's library raises; the job is stored already.
                log.exception("wake-up message not sent")
