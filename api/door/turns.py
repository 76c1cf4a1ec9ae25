"""Places that many share: each user gets some of them, and those who wait take turns by user."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Hashable

from shared.errors import Unavailable

_LONGEST_REST_S = 2.0


class Turn:
    """A place that is held. `release` gives it back; a second call changes nothing."""

    def __init__(self, turns: Turns, user: Hashable) -> None:
        self._turns = turns
        self._user = user
        self._held = True
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()

    def release(self) -> None:
        if self._held:
            self._held = False
            self._turns._release(self._user)

    def end(self, *, rest: bool) -> None:
        """Give it back now, or after as long again as it was held: then no user takes more than half of a place's time."""
        if self._held and rest:
            self._held = False
            held_s = min(self._loop.time() - self._since, _LONGEST_REST_S)
            self._loop.call_later(held_s, self._turns._release, self._user)
        else:
            self.release()


class Turns:
    """places: in all; per_user: most that one user holds at a time, fewer than all, so that another one's request finds a place.
    Used by one event loop alone. How many may wait is for the caller to bound."""

    def __init__(self, places: int, per_user: int, *, patience_s: float, busy: str) -> None:
        """busy: what is said after patience_s without a place."""
        self._free = places
        self._per_user = per_user
        self._patience_s = patience_s
        self._busy = busy
        self._held: Counter[Hashable] = Counter()
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}
        """By user; the user who was served longest ago stands first."""

    def take_free(self, user: Hashable) -> Turn | None:
        """A place, where there is one for this user without waiting."""
        if not self._may(user) or user in self._waiting:
            return None
        self._hold(user)
        return Turn(self, user)

    async def take(self, user: Hashable) -> Turn:
        """A place, when it is this user's turn. Raises Unavailable where none came in time."""
        if (turn := self.take_free(user)) is not None:
            return turn
        coming = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(user, deque()).append(coming)
        try:
            async with asyncio.timeout(self._patience_s):
                await coming
        except BaseException as error:
            if coming.done() and not coming.cancelled():
                self._release(user)  # the place came in the same moment
            else:
                self._leave(user, coming)
            if isinstance(error, TimeoutError):
                raise Unavailable(self._busy) from error
            raise
        return Turn(self, user)

    def _may(self, user: Hashable) -> bool:
        return self._free > 0 and self._held[user] < self._per_user

    def _hold(self, user: Hashable) -> None:
        self._free -= 1
        self._held[user] += 1

    def _release(self, user: Hashable) -> None:
        self._free += 1
        self._held[user] -= 1
        if not self._held[user]:
            del self._held[user]
        self._pass_on()

    def _pass_on(self) -> None:
        while self._free and (user := next((one for one in self._waiting if self._may(one)), None)) is not None:
            queue = self._waiting.pop(user)
            coming = queue.popleft()
            if queue:
                self._waiting[user] = queue  # behind the others
            if not coming.done():  # else it was given up in this moment
                self._hold(user)
                coming.set_result(None)

    def _leave(self, user: Hashable, coming: asyncio.Future[None]) -> None:
        queue = self._waiting.get(user, deque())
        if coming in queue:
            queue.remove(coming)
            if not queue:
                del self._waiting[user]
