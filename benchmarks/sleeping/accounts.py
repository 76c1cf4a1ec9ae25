"""Processor time of a worker by part of its work: what a named function takes counts for its part, but not what a named function
inside it takes. Kept for each thread, added up when asked for."""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

PARTS = {
    "engine": [("services.forces.engine", f"Engine.{name}") for name in ("step", "begin", "take", "answer")],
    "restraints": [("services.forces.restraints", "Restraints.build")],
    "anomalies": [("services.geometry.anomalies", "find")],
    "queries": [
        ("worker.tasks.claiming", f"Claiming.{name}") for name in ("take", "claim", "last_attempts", "anything_open")
    ],
    "commits": [("worker.tasks.member_task", "MemberTask._commit"), ("worker.tasks.storing", "Storing.store")],
}
"""Where each part's work stands, or stood before."""
_seconds: dict[int, Counter[str]] = {}
_open = threading.local()


def open_all() -> None:
    """Begin to count; once in a process."""
    if _seconds:
        return
    _seconds[threading.get_ident()] = Counter()
    for name, places in PARTS.items():
        for module, where in places:
            if find_spec(module) is None:
                continue
            *above, last = where.split(".")
            owner = functools.reduce(getattr, above, import_module(module))
            if last in vars(owner):
                setattr(owner, last, _counted(name, vars(owner)[last]))


def _counted(name: str, function: Any) -> Any:
    if isinstance(function, classmethod):
        return classmethod(_counted(name, function.__func__))

    @functools.wraps(function)
    def counted(*arguments: Any, **named: Any) -> Any:
        with part(name):
            return function(*arguments, **named)

    return counted


@contextmanager
def part(name: str) -> Iterator[None]:
    """Count what is done in here for this part."""
    mine = _seconds.setdefault(threading.get_ident(), Counter())
    outer, before = getattr(_open, "inside", 0.0), time.thread_time()
    _open.inside = 0.0
    try:
        yield
    finally:
        took = time.thread_time() - before
        mine[name] += took - _open.inside
        _open.inside = outer + took


def spent() -> dict[str, float]:
    """By part, s; and `all`, what the process took in all."""
    total: Counter[str] = Counter()
    for counted in list(_seconds.values()):
        total.update(dict(counted))
    return {**total, "all": time.process_time()}
