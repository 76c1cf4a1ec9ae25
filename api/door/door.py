"""The order in which a request is let in: its key, how often its user asks, how much of theirs is under way, its body, a place to be
answered at. Only then do the routes see it.

Whoever comes too often waits a second for the refusal: that costs the server nothing, and bounds how often they can ask.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import problems
from api.door import bodies, credentials
from api.door.bodies import BodyLimits, Gone, Refusal
from api.door.buckets import Buckets
from api.door.keys import Keys
from api.door.places import Places, Recent
from api.door.turns import Turn, Turns
from shared.database.repositories import page_tokens
from shared.database.repositories.users import Identity
from shared.errors import Unauthorised
from shared.settings import Settings

_MOST_HEADERS = 100
_SESSION = "/v1/session"
_EVENTS = "/v1/events"
_MOST_STREAMS = 64
"""Of one user: open pages."""
_PENALTY_S = 1.0
_LINGER_S = 2.0
"""How long what is still sent is thrown away after a refusal, so that the sender gets to read it."""
_BYTES_OF_A_REQUEST = 16_384
"""A longer body counts as more requests."""


class Door:
    """ASGI middleware. What it found out of the caller stands in `scope["state"]["caller"]`."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._keys = Keys(settings.key_cache_s)
        self._buckets = Buckets()
        self._places = Places()
        self._recent = Recent()
        self._at_once: Counter[Hashable] = Counter()
        self._body = BodyLimits(
            bytes=settings.max_body_bytes,
            stall_s=settings.stall_timeout_s,
            bytes_per_s=settings.min_bytes_per_s,
            whole_s=settings.upload_timeout_s,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        scope.setdefault("state", {})
        began = False

        async def noted(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self._let_in(scope, receive, noted)
        except Gone:
            return None
        except Exception as error:
            if began:
                raise
            await _refuse(_response(Request(scope), error), scope, receive, send)
        return None

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        if len(scope["headers"]) > _MOST_HEADERS:
            raise Refusal(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"a request has at most {_MOST_HEADERS} header fields"
            )
        address = scope["client"][0] if scope.get("client") else ""
        caller = await self._caller(scope, address) if _needs_key(scope["path"]) else None
        user: Hashable = caller.user_id if caller is not None else address
        rate = self._rate(caller)
        await self._check_rate(scope, user, rate)
        bodies.check_announced(scope, self._body)
        most, kind = self._settings.max_requests_at_once, "requests"
        listens: Hashable = user
        if scope["path"] == _EVENTS:  # a page's stream is no request that waits to be answered
            most, kind, listens = _MOST_STREAMS, "streams of events", ("events", user)
        async with self._counted(scope, listens, most, kind):
            body = await self._read(scope, receive, user)
            self._buckets.charge(user, len(body) / _BYTES_OF_A_REQUEST, rate, max(1.0, rate / 3))
            bodies.check_values(body)
            turn = await _turn(self._places.of(scope["method"], scope["path"]), user, receive)
            rest = self._recent.beside_others(user)
            with _until_answered(turn, rest):
                await self._app(scope, _again(body, receive), _freeing(turn, send, rest))
        own = scope["path"].startswith(("/v1/me", _SESSION))
        if caller is not None and (caller.sees_all or own) and scope["method"] != "GET":
            self._keys.forget()  # it may have been about users or keys

    async def _caller(self, scope: Scope, address: str) -> Identity:
        """Whose key came. Raises Unauthorised; where too many came without one from this address, only after a while. A valid key is
        answered whatever others of its address do."""
        try:
            caller = await self._owner(scope)
        except Unauthorised:
            rate = self._settings.max_failed_keys_per_minute
            if wait := self._buckets.take(("failed", address), rate, rate):
                await _penalty(scope)
                raise Refusal(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    f"more than {rate} requests a minute came from this address without a valid API key",
                    retry_after_s=wait,
                ) from None
            raise
        scope["state"]["caller"] = caller
        return caller

    async def _owner(self, scope: Scope) -> Identity:
        """By key, by sign-in link where a session is opened with it, or by the page's cookie, in this order."""
        opened = scope["app"].state.context.sessions
        key, token = credentials.key_of(scope), credentials.cookie_of(scope)
        if key is not None and key.startswith(page_tokens.LINK_MARK) and scope["path"] == _SESSION:
            find = partial(page_tokens.find, kind=page_tokens.Kind.LINK)
            return await self._keys.owner(key, opened, find, page_tokens.USED)
        if key is not None:
            return await self._keys.owner(key, opened)
        if token is None:
            raise Unauthorised("an API key is needed: send the header `Authorization: Bearer <key>`")
        credentials.check_own_page(scope)
        find = partial(page_tokens.find, kind=page_tokens.Kind.SESSION)
        return await self._keys.owner(token, opened, find, page_tokens.SIGN_IN_AGAIN)

    def _rate(self, caller: Identity | None) -> int:
        """Requests a minute."""
        own = None if caller is None else caller.max_requests_per_minute
        return self._settings.max_requests_per_minute if own is None else own

    async def _check_rate(self, scope: Scope, user: Hashable, rate: int) -> None:
        if wait := self._buckets.take(user, rate, max(1.0, rate / 3)):
            await _penalty(scope)
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"you may send {rate} requests a minute; wait for {math.ceil(wait)} s, and ask less often",
                retry_after_s=wait,
            )

    @asynccontextmanager
    async def _counted(self, scope: Scope, user: Hashable, most: int, kind: str) -> AsyncIterator[None]:
        if self._at_once[user] >= most:
            await _penalty(scope)
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{most} of your {kind} are under way, and no more are taken at a time: wait for their answers",
                retry_after_s=1,
            )
        self._at_once[user] += 1
        try:
            yield
        finally:
            self._at_once[user] -= 1
            if not self._at_once[user]:
                del self._at_once[user]

    async def _read(self, scope: Scope, receive: Receive, user: Hashable) -> bytes:
        if not bodies.announced(scope):
            return b""
        place = await self._places.uploads.take(user)
        with _until_answered(place, rest=False):
            body = await bodies.read(receive, self._body)
        scope["state"]["body_read"] = True
        return body


def _needs_key(path: str) -> bool:
    return path == "/metrics" or path == "/v1" or path.startswith("/v1/")


async def _turn(turns: Turns, user: Hashable, receive: Receive) -> Turn:
    """A place for this user. Raises Gone where they don't wait for it."""
    if (turn := turns.take_free(user)) is not None:
        return turn
    coming, leaving = asyncio.ensure_future(turns.take(user)), asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({coming, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not coming.done():
            raise Gone
        return coming.result()
    finally:
        leaving.cancel()
        coming.cancel()


async def _left(receive: Receive) -> None:
    """Until nobody is at the other end."""
    while (await receive())["type"] != "http.disconnect":
        pass


@contextmanager
def _until_answered(turn: Turn, rest: bool) -> Iterator[None]:
    try:
        yield
    finally:
        turn.end(rest=rest)


def _freeing(turn: Turn, send: Send, rest: bool) -> Send:
    """The place is free when the answer begins: it is complete then, and may be read slowly."""

    async def freeing(message: Message) -> None:
        turn.end(rest=rest)
        await send(message)

    return freeing


def _again(body: bytes, receive: Receive) -> Receive:
    """The body, and after it what there is to hear of the connection."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _penalty(scope: Scope) -> None:
    """A second's wait, in which the connection may be closed where places for others run out."""
    connection = scope["state"].get("connection")
    if connection is not None:
        connection.may_be_closed = True
    await asyncio.sleep(_PENALTY_S)


def _response(request: Request, error: Exception) -> Response:
    if not isinstance(error, Refusal):
        return problems.answer(request, error)
    headers = {} if error.retry_after_s is None else {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
    return problems.problem(error.status, str(error), headers=headers)


async def _refuse(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, and end the connection where a body may still come: what is on its way is thrown away for a moment first, as a
    connection that is closed on it would take the answer along."""
    if not bodies.announced(scope) or scope["state"].get("body_read"):
        return await response(scope, receive, send)
    response.headers["Connection"] = "close"
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    try:
        async with asyncio.timeout(_LINGER_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    break
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    return None
