"""Every request has an id: the caller's X-Request-ID or a new one. It is sent back, and stands in every log line that it caused."""

from __future__ import annotations

import logging
import re
import time
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.logs import request_id

log = logging.getLogger(__name__)

HEADER = "X-Request-ID"
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked for every few seconds by machines; logged only where they fail."""


class RequestLog:
    """ASGI middleware: gives the id, and logs one line when the answer is complete."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        asked = Headers(scope=scope).get(HEADER, "")
        found = asked if _SANE.fullmatch(asked) else uuid4().hex
        token = request_id.set(found)
        began, status = time.monotonic(), 500

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = found
            await send(message)

        try:
            await self._app(scope, receive, named)
        finally:
            if scope["path"] not in _QUIET or status >= 500:
                fields = {
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "ms": round(1000 * (time.monotonic() - began), 1),
                }
                log.info("answered", extra=fields)
            request_id.reset(token)
        return None
