"""`python -m api`: the front end on ADHOP_HOST and ADHOP_PORT."""

from __future__ import annotations

import sys

import uvicorn

from api.app import create_app
from api.server import configuration
from shared.logs import configure
from shared.settings import settings


def main() -> None:
    found = settings()
    configure(found.log_format)
    server = uvicorn.Server(configuration(create_app(found), found, host=found.host, port=found.port))
    server.run()
    if not server.started:
        sys.exit(3)


if __name__ == "__main__":
    main()
