"""Engines and sessions: sync SQLAlchemy on psycopg 3, in the API and the workers alike."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session, sessionmaker

Sessions = sessionmaker[Session]

IDLE_S = 60.0
"""Longest pause inside a transaction. The longest that is meant: comparing all candidates of a job before its minima are stored."""


def connect(url: str, *, pool_size: int = 5, statement_timeout_s: float = 30.0) -> Engine:
    """An engine whose connections are tested before use and can't hang.

    The timeouts make a lost server an error within seconds, rather than a silent wait; and a process that stops in the midst of a
    transaction loses it, rather than keep its rows locked.
    """
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        connect_args={
            "connect_timeout": 5,
            "options": f"-c statement_timeout={int(statement_timeout_s * 1000)} "
            f"-c idle_in_transaction_session_timeout={int(IDLE_S * 1000)} -c timezone=UTC",
            "tcp_user_timeout": 15_000,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
        },
    )


def sessions(engine: Engine) -> Sessions:
    """Sessions whose objects stay readable after commit."""
    return sessionmaker(engine, expire_on_commit=False)
