"""Bodies that announce too large a size, or packing, are refused before a byte is read; the others are counted as they come."""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem


class BodyGate:
    """ASGI middleware: 413 for a body beyond the limit, announced or not, 415 for a compressed one."""

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
            if headers.get("content-encoding", "identity").lower() != "identity":
                refusal = problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body uncompressed")
                return await refusal(scope, receive, send)
            receive = self._counted(receive)
        return await self._app(scope, receive, send)

    def _counted(self, receive: Receive) -> Receive:
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._max_bytes:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return message

        return counted
