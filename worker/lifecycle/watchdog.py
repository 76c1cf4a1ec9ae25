"""A worker that no longer takes messages is ended, so that its supervisor starts another.

Celery's parent may lose its connection or its prefetch slot for good: it then lives, its child writes heartbeats, and no message is
taken. So a thread of the parent looks at the queues themselves: no message should wait in them for long while the worker is idle.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from celery.worker import state
from redis import Redis
from redis.exceptions import RedisError

from shared.settings import Settings
from worker.lifecycle import shutdown

log = logging.getLogger(__name__)

CHECKS = 10
"""Checks within the time after which a worker is ended."""
RELEASE_S = 5.0
"""What the child has to release the leases that it may hold."""


@dataclass
class Watchdog:
    """Whether a message has waited beside an idle worker for too long. Times in seconds, of one clock."""

    limit_s: float
    """What is too long. Longer than Celery's longest pause between two attempts to connect, 32 s."""
    waiting_since: float | None = None
    last_check: float | None = None

    def expired(self, now: float, *, waiting: bool) -> bool:
        """One check; waiting: a message waits, and the worker is idle. A long pause between two checks (the process was stopped)
        tells nothing."""
        asleep = self.last_check is not None and now - self.last_check > self.limit_s / 2
        self.last_check = now
        if not waiting:
            self.waiting_since = None
        elif asleep or self.waiting_since is None:
            self.waiting_since = now
        return self.waiting_since is not None and now - self.waiting_since > self.limit_s


def watch(settings: Settings, queues: Iterable[str]) -> None:
    """Check from now on, in a thread, until the worker stops."""
    threading.Thread(target=_run, args=(settings, tuple(queues)), name="watchdog", daemon=True).start()


def _run(settings: Settings, queues: tuple[str, ...]) -> None:
    watchdog = Watchdog(settings.watchdog_s)
    while not shutdown.requested():
        idle = not state.reserved_requests
        if watchdog.expired(time.monotonic(), waiting=idle and _message_waits(settings, queues)):
            log.critical(
                "a wake-up message has waited for %.0f s beside this idle worker, which does not take it; "
                "the worker ends and its supervisor starts another",
                watchdog.limit_s,
            )
            _end()
        time.sleep(watchdog.limit_s / CHECKS)


def _message_waits(settings: Settings, queues: tuple[str, ...]) -> bool:
    """Whether a message waits in one of these queues; not where the broker does not answer."""
    wait = settings.publish_timeout_s
    url = settings.broker_url.get_secret_value()
    try:
        with Redis.from_url(url, socket_timeout=wait, socket_connect_timeout=wait) as broker:
            return any(broker.llen(queue) for queue in queues)
    except (RedisError, OSError):
        return False


def _end() -> None:
    """Celery can't be asked to stop any more. Its child can be, and is killed with it after a moment."""
    shutdown.request()
    time.sleep(RELEASE_S)
    shutdown.clear()
    os.kill(os.getpid(), signal.SIGKILL)
