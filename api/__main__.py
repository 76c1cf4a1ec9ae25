"""`python -m api`: the front end on ADHOP_HOST and ADHOP_PORT."""

from __future__ import annotations

import uvicorn

from api.app import create_app
from shared.logs import configure
from shared.settings import settings


def main() -> None:
    found = settings()
    configure(found.log_format)
    uvicorn.run(
        create_app(found),
        host=found.host,
        port=found.port,
        timeout_graceful_shutdown=10,
        server_header=False,
        log_config=None,
        access_log=False,
    )


if __name__ == "__main__":
    main()
