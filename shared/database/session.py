"""Engines and sessions: sync SQLAlchemy on psycopg 3, in the API and the workers alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.orm import Session, sessionmaker

from shared.errors import OtherVersion, Unavailable

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
        hide_parameters=True,  # an error's text goes into logs, and what users submit doesn't belong there
        pool_pre_ping=True,
        pool_use_lifo=True,  # few are used again and again: each has its statements planned already
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


@contextmanager
def in_words() -> Iterator[None]:
    """For command lines: a database that can't be used is said in one line. Raises Unavailable."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        why = " ".join(str(error.orig).split())
        raise Unavailable(
            f"the database can't be used: {why}; see that PostgreSQL runs and ADHOP_DATABASE_URL is right"
        ) from None
    except ProgrammingError as error:
        why = str(error.orig).splitlines()[0]
        raise OtherVersion(f"the tables are not those of this program: {why}; run `alembic upgrade head`") from None
