"""How the application is served: uvicorn, with limits on connections and headers on every answer."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from api.door.connections import ConnectionLimits, LimitedConnection
from shared.settings import Settings

_MOST_HEAD_BYTES = 16_384
HEADERS = [  # of every answer, those to what is no HTTP included; api.headers has the others
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]


def configuration(app: FastAPI, settings: Settings, *, host: str, port: int) -> uvicorn.Config:
    """Of a server of this application at this address."""
    limits = ConnectionLimits(
        head_s=settings.header_timeout_s,
        stall_s=settings.stall_timeout_s,
        bytes_per_s=settings.min_bytes_per_s,
        connections=settings.max_connections,
        connections_per_address=settings.max_connections_per_address,
        proxies=frozenset(settings.trusted_proxies),
    )
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=cast(Any, partial(LimitedConnection, limits)),
        ws="none",
        headers=HEADERS,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        h11_max_incomplete_event_size=_MOST_HEAD_BYTES,
        timeout_graceful_shutdown=10,
        log_config=None,
        access_log=False,
    )
