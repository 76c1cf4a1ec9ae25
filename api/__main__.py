"""`python -m api`: the front end on ADHOP_HOST and ADHOP_PORT. `python -m api check`: whether it answers (api.check)."""

from __future__ import annotations

import sys

from api import check
from shared.command_line import ended
from shared.logs import configure
from shared.secrets import no_core_dumps
from shared.settings import settings

_SWITCH_S = 0.001
"""How long a thread may keep the interpreter from the others: the loop, which hears every connection, waits for each that is busy."""


def main(words: list[str]) -> int:
    """Exit status; settings that can't be used are said in one line."""
    if words == ["check"]:
        return ended("adhop", lambda: check.run(settings()))
    if words:
        sys.stderr.write(f"python -m api {' '.join(words)}: there is `check`, and nothing to serve\n")
        return 2
    return ended("adhop", _serve)


def _serve() -> int:
    import uvicorn  # with the application: heavy, and nothing for a check that runs every few seconds

    from api.app import create_app
    from api.server import configuration

    found = settings()
    no_core_dumps()
    configure(found.log_format)
    sys.setswitchinterval(_SWITCH_S)
    app = create_app(found, lambda: server.should_exit)
    server = uvicorn.Server(configuration(app, found, host=found.host, port=found.port))
    server.run()
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
