"""Bodies that announce their size, or packing, are refused before a byte is read; FastAPI counts the others as they come."""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import problem


class BodyGate:
    """ASGI middleware: 413 for a Content-Length beyond the limit, 415 for a compressed body."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            length = headers.get("content-length", "0")
            if length.isdecimal() and int(length[:20]) > self._max_bytes:
                refusal = problem(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"the body has {length[:20]} bytes; at most {self._max_bytes} are accepted",
                )
                return await refusal(scope, receive, send)
            if headers.get("content-encoding", "identity") != "identity":
                refusal = problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body uncompressed")
                return await refusal(scope, receive, send)
        return await self._app(scope, receive, send)
