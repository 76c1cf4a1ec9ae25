"""Whether a Celery worker of this machine takes questions."""

from __future__ import annotations

import socket

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from shared.broker import celery_app
from shared.settings import Settings

_TIMEOUT_S = 10.0
"""Longest wait; an answer ends it."""


def node(name: str) -> str:
    """What Celery calls the worker on this machine that was started as NAME@%h."""
    return f"{name}@{socket.gethostname()}"


def answers(settings: Settings, worker: str) -> bool:
    """Its parent process is asked, which answers while its child computes too. False also where the broker is away."""
    inspect = celery_app(settings).control.inspect(destination=[worker], timeout=_TIMEOUT_S)
    try:
        return bool(inspect.ping())
    except (OSError, OperationalError, RedisError):
        return False
