"""The body of a request, read whole before anything works on it, under limits of size and time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

MOST_VALUES = 50_000
"""No body holds more of them: a million numbers are read, and refused, at a price that others pay."""


class Refusal(Exception):
    """A request that is answered here."""

    def __init__(self, status: HTTPStatus, detail: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.retry_after_s = retry_after_s


class Gone(Exception):
    """Nobody waits for an answer any more."""


@dataclass(frozen=True)
class BodyLimits:
    """Of one request's body."""

    bytes: int
    stall_s: float
    """Longest wait for the next piece, seconds."""
    bytes_per_s: float
    """Slower ones are cut, once stall_s is over."""
    whole_s: float
    """Until it is complete, seconds."""


def announced(scope: Scope) -> bool:
    """Whether a body comes with this request."""
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def check_announced(scope: Scope, limits: BodyLimits) -> None:
    """Raise Refusal for what a request says of its body, before any of it is read."""
    headers = Headers(scope=scope)
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length[:20]) > limits.bytes:
        raise Refusal(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body has {length[:20]} bytes; at most {limits.bytes} are accepted",
        )
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body uncompressed")


async def read(receive: Receive, limits: BodyLimits) -> bytes:
    """The body. Raises Refusal where it grows too long or comes too slowly, and Gone where its sender left."""
    loop = asyncio.get_running_loop()
    began, body = loop.time(), bytearray()
    while True:
        by_rate = began + limits.stall_s + len(body) / limits.bytes_per_s
        until = min(loop.time() + limits.stall_s, by_rate, began + limits.whole_s)
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, _late(len(body), limits)) from None
        if message["type"] == "http.disconnect":
            raise Gone
        body += message.get("body", b"")
        if len(body) > limits.bytes:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is larger than this server accepts")
        if not message.get("more_body", False):
            return bytes(body)


def check_values(body: bytes) -> None:
    """Raise Refusal for JSON of more values than any request has use for. Every value but the first of its list or object comes after
    a comma; commas inside texts count too, and no structure's text has so many."""
    if body.count(b",") > MOST_VALUES:
        raise Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"the body holds more than {MOST_VALUES} values: no list may have more than 10000 entries, and no object more than 100 "
            "fields",
        )


def _late(received: int, limits: BodyLimits) -> str:
    return (
        f"the body came too slowly: {received} bytes, and no more within the limits of {limits.stall_s:.0f} s for the next piece, "
        f"{limits.bytes_per_s:.0f} bytes/s, and {limits.whole_s:.0f} s for the whole"
    )
