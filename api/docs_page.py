"""GET /docs: the API to read and to try out, by Swagger UI from a package of this environment. No address is elsewhere, and no script
stands in the page, so that the policy of api.server holds for it as for every answer."""

from __future__ import annotations

from importlib.resources import files

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

_FILES = files("fastapi_offline") / "static"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Adhop: the API</title>
<link rel="icon" type="image/png" href="docs/files/favicon.png">
<link rel="stylesheet" href="docs/files/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/files/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
"""


def install(app: FastAPI) -> None:
    """Give the app its page; `docs_url` and `redoc_url` of it must be None."""
    app.add_api_route("/docs", _page, include_in_schema=False)
    app.add_api_route("/docs/start.js", _start, include_in_schema=False)
    app.mount("/docs/files", StaticFiles(directory=str(_FILES)))


async def _page() -> HTMLResponse:
    return HTMLResponse(_PAGE)


async def _start() -> Response:
    return Response(_START, media_type="text/javascript")
