"""What a request brings to say whose it is: a key in its header, or the cookie of a session of the page.

A browser sends the cookie along with whatever asks for it, so a write by cookie counts only where the page itself sent it: the header
that other sites can't set is there, and the browser says that the page's own origin asked.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope

from shared.errors import Forbidden

COOKIE = "adhop_session"
PAGE_HEADER = "x-adhop-page"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def key_of(scope: Scope) -> str | None:
    """The key, or token of a sign-in link, in the header; None where there is none."""
    scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key.strip() else None


def cookie_of(scope: Scope) -> str | None:
    """The session's token; None where there is none."""
    return cookie_parser(Headers(scope=scope).get("cookie", "")).get(COOKIE) or None


def check_own_page(scope: Scope) -> None:
    """Raise Forbidden for a request by cookie that another site may have made the browser send."""
    headers = Headers(scope=scope)
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("a session is for this server's own page: send an API key")
    if scope["method"] in _SAFE:
        return
    origin = headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != headers.get("host")
    if foreign or PAGE_HEADER not in headers:
        raise Forbidden("a session is for this server's own page: send an API key")
