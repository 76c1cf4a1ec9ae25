"""Whose key came with a request. What was looked up counts for a moment, so that a flood of requests is no flood of queries."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

import anyio
from anyio import to_thread
from sqlalchemy.orm import Session

from shared.database.repositories.users import REFUSAL, Identity, identify
from shared.database.session import Sessions
from shared.errors import Unauthorised

LookUp = Callable[[Session, str], Identity]
_MOST_REMEMBERED = 4096
_AT_ONCE = 4
"""Look-ups; they have threads of their own, so that requests with wrong keys take none from the routes."""


class Keys:
    """Used by the event loop alone. kept_s: a key that was revoked is refused after this long at the latest, seconds."""

    def __init__(self, kept_s: float) -> None:
        self._kept_s = kept_s
        self._known: dict[bytes, tuple[float, Identity | None]] = {}
        self._threads: anyio.CapacityLimiter | None = None

    async def owner(self, key: str, opened: Sessions, look_up: LookUp = identify, refusal: str = REFUSAL) -> Identity:
        """Raises Unauthorised, in the words of the refusal. look_up: identify, or what it is for tokens of the page."""
        digest, now = hashlib.sha256(key.encode()).digest(), time.monotonic()
        until, found = self._known.get(digest, (0.0, None))
        if until <= now:
            found = await self._looked_up(key, opened, look_up)
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[digest] = (time.monotonic() + self._kept_s, found)
        if found is None:
            raise Unauthorised(refusal)
        return found

    def forget(self) -> None:
        """Look all keys up again: an administrator changed something."""
        self._known.clear()

    async def _looked_up(self, key: str, opened: Sessions, look_up: LookUp) -> Identity | None:
        def find() -> Identity | None:
            with opened.begin() as session:
                try:
                    return look_up(session, key)
                except Unauthorised:
                    return None

        if self._threads is None:
            self._threads = anyio.CapacityLimiter(_AT_ONCE)  # belongs to the loop that runs
        return await to_thread.run_sync(find, limiter=self._threads)
