"""A real PostgreSQL for whoever asks: one server a session, one migrated database a test."""

import os
from collections.abc import Iterator
from itertools import count

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: two threads on a busy machine are slower than one

import pytest
from alembic import command
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from local.migrations import configuration
from local.postgres import Postgres
from shared.database.session import connect, sessions

for size in ("COLUMNS", "LINES"):  # of the terminal that the tests were started from
    os.environ.pop(size, None)

TEMPLATE = "migrated"

_numbers = count()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server that trades durability for speed, with a migrated database to clone."""
    server = Postgres(tmp_path_factory.mktemp("postgres"), durable=False)
    server.start()
    command.upgrade(configuration(server.create_database(TEMPLATE)), "head")
    yield server
    server.remove()


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """A fresh, migrated database."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    yield postgres.create_database(name, template=TEMPLATE)
    postgres.drop_database(name)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with sessions(engine)() as opened:
        yield opened
