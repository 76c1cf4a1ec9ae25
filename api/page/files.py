"""GET / and its files: the page, as it was built from `web/` (`make web`). No address is elsewhere, and nothing stands in it that a
strict policy would have to allow."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

BUILT = Path(__file__).resolve().parents[2] / "web" / "dist"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_UNBUILT = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Adhop</title></head>
<body><h1>Adhop</h1><p>The page was not built: run <code>make web</code> where the server's files are, then load this again.
The API is described at <a href="docs">docs</a>.</p></body></html>
"""


class _Hashed(StaticFiles):
    """Files whose name has the hash of what is in them: they never change."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        if answer.status_code == HTTPStatus.OK:
            answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer


def install(app: FastAPI, built: Path = BUILT) -> None:
    """Give the app its page. A page that is built while the server runs is served from then on."""

    async def page() -> HTMLResponse:
        index = built / "index.html"
        text = index.read_text("utf-8") if index.is_file() else _UNBUILT
        return HTMLResponse(text, headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"})

    app.add_api_route("/", page, include_in_schema=False)
    app.mount("/assets", _Hashed(directory=built / "assets", check_dir=False))
