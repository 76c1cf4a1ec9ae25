"""`python -m api check`: whether the front end on this machine answers. Asked every few seconds, so nothing heavy is imported."""

from __future__ import annotations

import sys
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from shared.settings import Settings

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
_TIMEOUT_S = 3.0


def run(settings: Settings) -> int:
    """Exit status, after one line that says what was found."""
    host = _EVERYWHERE.get(settings.host) or (f"[{settings.host}]" if ":" in settings.host else settings.host)
    address = f"http://{host}:{settings.port}/healthz"
    try:
        with build_opener(ProxyHandler({})).open(address, timeout=_TIMEOUT_S):
            pass
    except (URLError, OSError) as error:
        sys.stderr.write(f"{address} does not answer: {getattr(error, 'reason', error)}\n")
        return 1
    sys.stdout.write(f"{address} answers\n")
    return 0
