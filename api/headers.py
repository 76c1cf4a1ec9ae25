"""Headers that every answer of the application has where it brings none of its own: what a browser may do with it, and keep of it.

The server adds its headers to what is there (api.server): of these two a second one would count as well, and nothing could be kept.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""For Swagger UI, which sets styles of elements; the page has a stricter one (api.page.files)."""
_USUAL = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}


class UsualHeaders:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _USUAL.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, completed)
