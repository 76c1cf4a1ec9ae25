"""A worker that has gone deaf is ended, so that its supervisor starts another.

Celery's parent loses its connection when a broker freezes, and does not always find back: it then lives, its child still beats,
and no bell is ever heard. The parent's event loop leaves a sign of life here every few seconds; a thread looks at it, and asks the
broker itself.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from celery import bootsteps
from redis import Redis
from redis.exceptions import RedisError

from shared.settings import Settings
from worker import stopping

log = logging.getLogger(__name__)

LOOKS = 10
"""Looks within the time after which a worker counts as deaf."""
GIVING_BACK_S = 5.0
"""What the child has to give its leases back."""


@dataclass
class Hearing:
    """Whether an event loop has been still for too long although the broker answered all the time. Times in seconds, of one clock.

    limit_s: what is too long. Longer than Celery's longest pause between two attempts to connect, 32 s.
    """

    limit_s: float
    last_sign: float
    answers_since: float | None = None
    last_look: float | None = None

    def sign(self, now: float) -> None:
        """The event loop turns."""
        self.last_sign = now

    def deaf(self, now: float, *, answered: bool) -> bool:
        """One look; answered: whether the broker did. A long pause between two looks (the process was stopped) tells nothing."""
        asleep = self.last_look is not None and now - self.last_look > self.limit_s / 2
        self.last_look = now
        if not answered or asleep:
            self.answers_since = None
            return False
        if self.answers_since is None:
            self.answers_since = now
        return now - max(self.answers_since, self.last_sign) > self.limit_s


class Watch(bootsteps.StartStopStep):
    """Celery's part: signs from the event loop of each connection, and one thread that looks, from the first connection on."""

    requires = ("celery.worker.consumer.connection:Connection",)
    settings: Settings

    def __init__(self, parent: Any, **_: Any) -> None:
        super().__init__(parent)
        self._hearing: Hearing | None = None

    def start(self, parent: Any) -> None:
        """Called for every connection; Celery drops its timers with it."""
        if self._hearing is None:
            self._hearing = Hearing(self.settings.deaf_worker_s, time.monotonic())
            looking = (self._hearing, self.settings)
            threading.Thread(target=look, args=looking, name="hearing", daemon=True).start()
        hearing = self._hearing
        parent.timer.call_repeatedly(hearing.limit_s / LOOKS, lambda: hearing.sign(time.monotonic()))

    def stop(self, parent: Any) -> None:
        """Nothing: a worker that is between two connections is watched too."""


def look(hearing: Hearing, settings: Settings, end: Callable[[], None] | None = None) -> None:
    """Until the worker is deaf, or asked to stop."""
    pause = hearing.limit_s / LOOKS
    while not stopping.requested():
        if hearing.deaf(time.monotonic(), answered=_answers(settings)):
            log.critical("no message was taken for %.0f s although the broker answers; ended", hearing.limit_s)
            (end or _end)()
            return
        time.sleep(pause)


def _answers(settings: Settings) -> bool:
    wait = settings.publish_timeout_s
    url = settings.broker_url.get_secret_value()
    try:
        with Redis.from_url(url, socket_timeout=wait, socket_connect_timeout=wait) as broker:
            return bool(broker.ping())
    except (RedisError, OSError):
        return False


def _end() -> None:
    """The event loop can't be asked any more. The child, which could, goes with its parent."""
    stopping.request()
    time.sleep(GIVING_BACK_S)
    stopping.clear()
    os.kill(os.getpid(), signal.SIGKILL)
