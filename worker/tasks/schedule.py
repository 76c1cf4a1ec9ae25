"""When the thread for the database has its next turn: it shares its processor with the walks, and a turn costs much, little more for
several results."""

from __future__ import annotations

LOOK_S = 1.0
"""Longest time between two looks for work by a worker that has some but not its fill."""
REST_S = 0.1
"""Least time between two turns while the device has its fill: what ends meanwhile is stored together."""
FEW = 16
"""One in so many of the walks may have ended without being stored, for up to `KEPT_S`."""
KEPT_S = 0.5


class Schedule:
    """Of one task. Times are `time.monotonic()`, s."""

    def __init__(self) -> None:
        self._turned_at = self._rest_until = 0.0

    def due(self, now: float, *, held: int, ended: int) -> bool:
        """Whether enough has ended, or enough time passed. held: items, of which so many ended and aren't stored."""
        if now < self._rest_until:
            return False
        since = now - self._turned_at
        if not held or since >= LOOK_S:
            return True
        return ended * FEW >= held or (ended > 0 and since >= KEPT_S)

    def turn(self, now: float) -> None:
        """One begins."""
        self._turned_at = now

    def rest(self, now: float, *, full: bool) -> None:
        """It has ended. full: whether the device has its fill."""
        took_s = now - self._turned_at
        self._rest_until = now + (max(took_s, REST_S) if full else min(took_s, REST_S))

    def at_once(self) -> None:
        """The next one is due now."""
        self._turned_at = self._rest_until = 0.0

    def rest_left(self, now: float) -> float:
        """s."""
        return max(0.0, self._rest_until - now)
