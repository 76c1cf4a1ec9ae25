"""One look at the database for all open pages, told to each in the part that it may see.

Nobody is asked of twice: however many pages show a job, it is read once a look. A look that took long is followed by a longer rest:
looking never takes more than a tenth of a core, however many pages are open.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from api.events.look import Audience, Seen, look
from shared.database.repositories.users import Identity
from shared.database.session import Sessions

log = logging.getLogger(__name__)

_LEAST_REST_S = 1.0
_REST = 12.0
"""Times what the look took."""
_LASTS_S = 30.0
"""Of one stream: the browser opens the next, and its session is looked at again."""


@dataclass(eq=False)
class _Listener:
    caller: Identity
    jobs: frozenset[UUID]
    news: dict[str, str] = field(default_factory=dict)
    """What is to be sent: the newest of each thing, as JSON, by its name."""
    told: dict[str, str] = field(default_factory=dict)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False


class Broadcast:
    """Used by the event loop alone. leaving: whether the server is about to stop, which ends all streams."""

    def __init__(self, sessions: Sessions, leaving: Callable[[], bool] = lambda: False) -> None:
        self._sessions = sessions
        self._leaving = leaving
        self._listeners: set[_Listener] = set()
        self._task: asyncio.Task[None] | None = None

    async def listen(self, caller: Identity, jobs: Iterable[UUID]) -> AsyncIterator[tuple[str, str]]:
        """Name and JSON of what is new, until it is time to ask again."""
        one = _Listener(caller, frozenset(jobs))
        self._listeners.add(one)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        until = time.monotonic() + _LASTS_S
        try:
            while not one.closed and (left := until - time.monotonic()) > 0:
                with suppress(TimeoutError):
                    await asyncio.wait_for(one.woken.wait(), left)
                one.woken.clear()
                news, one.news = one.news, {}
                for name, document in news.items():
                    yield name, document
        finally:
            self._listeners.discard(one)

    async def _run(self) -> None:
        seen = Seen()
        while self._listeners and not self._leaving():
            began = time.monotonic()
            asked = frozenset(self._listeners)
            audience = Audience.of((one.caller, one.jobs) for one in asked)
            try:
                seen = await to_thread.run_sync(look, self._sessions, audience, seen)
            except SQLAlchemyError as error:
                log.warning("no look at what changed: %s", error)
            else:
                for one in asked & self._listeners:  # of who came meanwhile nothing was looked for
                    _tell(one, seen)
            await self._rest(max(_LEAST_REST_S, _REST * (time.monotonic() - began)), asked)
        for one in self._listeners:
            one.closed = True
            one.woken.set()

    async def _rest(self, seconds: float, asked: frozenset[_Listener]) -> None:
        """Ends early where the server is about to stop, or somebody listens for whom nobody has looked."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._leaving() and self._listeners <= asked:
            await asyncio.sleep(0.2)


def _tell(one: _Listener, seen: Seen) -> None:
    for name, document in seen.for_reader(one.caller, one.jobs):
        if one.told.get(name) != document:
            one.told[name] = one.news[name] = document
    if one.news:
        one.woken.set()
