"""A worker that has gone deaf is ended, so that its supervisor starts another.

Celery's parent may lose its connection, or its place for a message, and not find back: it then lives, its child beats, and no bell
is ever heard. So a thread of the parent looks from outside: a bell that waits in its queues while it does nothing is not heard.
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

LOOKS = 10
"""Looks within the time after which a worker counts as deaf."""
GIVING_BACK_S = 5.0
"""What the child has to give back what it may hold."""


@dataclass
class Hearing:
    """Whether a bell has waited beside an idle worker for too long. Times in seconds, of one clock.

    limit_s: what is too long. Longer than Celery's longest pause between two attempts to connect, 32 s.
    """

    limit_s: float
    unheard_since: float | None = None
    last_look: float | None = None

    def deaf(self, now: float, *, unheard: bool) -> bool:
        """One look; unheard: a bell waits, and the worker is idle. A long pause between two looks (the process was stopped) tells
        nothing."""
        asleep = self.last_look is not None and now - self.last_look > self.limit_s / 2
        self.last_look = now
        if not unheard:
            self.unheard_since = None
        elif asleep or self.unheard_since is None:
            self.unheard_since = now
        return self.unheard_since is not None and now - self.unheard_since > self.limit_s


def watch(settings: Settings, queues: Iterable[str]) -> None:
    """Look from now on, in a thread, until the worker stops."""
    threading.Thread(target=_look, args=(settings, tuple(queues)), name="hearing", daemon=True).start()


def _look(settings: Settings, queues: tuple[str, ...]) -> None:
    hearing = Hearing(settings.deaf_worker_s)
    while not shutdown.requested():
        if hearing.deaf(time.monotonic(), unheard=not state.reserved_requests and _rings(settings, queues)):
            log.critical(
                "a bell waits for %.0f s beside an idle worker, which does not hear it; ended", hearing.limit_s
            )
            _end()
        time.sleep(hearing.limit_s / LOOKS)


def _rings(settings: Settings, queues: tuple[str, ...]) -> bool:
    """Whether a bell waits; not where the broker does not answer."""
    wait = settings.publish_timeout_s
    url = settings.broker_url.get_secret_value()
    try:
        with Redis.from_url(url, socket_timeout=wait, socket_connect_timeout=wait) as broker:
            return any(broker.llen(queue) for queue in queues)
    except (RedisError, OSError):
        return False


def _end() -> None:
    """Celery can't be asked any more. The child, which could, goes with its parent."""
    shutdown.request()
    time.sleep(GIVING_BACK_S)
    shutdown.clear()
    os.kill(os.getpid(), signal.SIGKILL)
