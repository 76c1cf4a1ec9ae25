"""How often somebody may ask: token buckets."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

_MOST_KEPT = 10_000


class Buckets:
    """A bucket for each name. It holds `depth` tokens when it is full, and fills at a rate that each call names."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._levels: dict[Hashable, tuple[float, float]] = {}
        """Tokens, and when there were so many."""

    def take(self, name: Hashable, per_minute: float, depth: float) -> float:
        """Take a token. Returns 0, or, where there is none, how long it takes until there is one, seconds."""
        level = self._level(name, per_minute, depth)
        if level < 1:
            return (1 - level) * 60 / per_minute
        self._levels[name] = (level - 1, self._clock())
        return 0.0

    def charge(self, name: Hashable, tokens: float, per_minute: float, depth: float) -> None:
        """Take so many, though there may be fewer: who asks next waits until the debt is paid."""
        self._levels[name] = (self._level(name, per_minute, depth) - tokens, self._clock())

    def _level(self, name: Hashable, per_minute: float, depth: float) -> float:
        now = self._clock()
        if len(self._levels) > _MOST_KEPT:  # those that are full again say nothing; an hour fills all that matter
            self._levels = {key: one for key, one in self._levels.items() if now - one[1] < 60}
        level, since = self._levels.get(name, (depth, now))
        return min(depth, level + (now - since) * per_minute / 60)
