"""The real application behind a real uvicorn, on a database of its own; no broker listens unless a test brings one."""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import httpx
import pytest
import uvicorn
from adhop import cli
from httpx._config import DEFAULT_TIMEOUT_CONFIG

from api.app import create_app
from api.server import configuration
from local.postgres import Postgres
from shared.database.repositories.members import Registration, register
from shared.database.repositories.users import Role, create_key
from shared.database.session import Sessions, connect, sessions
from shared.settings import Settings

_numbers = count()
DEFAULT_TIMEOUT_CONFIG.read = 120.0  # five seconds are few where a machine does much else and a reader starts first

DEFAULTS = ("alpha", "beta")
ALPHA = Registration("alpha", "toy", "1", "0" * 64, "total", (1, 6, 7, 8, 29, 78), 6.0, "nothing", "MIT")
BETA = Registration("beta", "toy", "1", "1" * 64, "total", (1, 6, 8, 78), 6.0, "nothing", "MIT")
DIRECT = Registration("direct", "toy", "1", "2" * 64, "adsorption", tuple(range(1, 84)), 6.0, "nothing", "MIT")

_UNHURRIED = {"max_requests_per_minute": 10**6, "max_failed_keys_per_minute": 10**6, "key_cache_s": 0.0}
"""Tests ask more often than people, and see at once what they changed in the database; test_door.py has the limits as they are."""


@dataclass
class Service:
    """A running API and its database."""

    url: str
    database_url: str
    opened: Sessions

    def key(self, role: Role = Role.SUBMIT, name: str | None = None) -> str:
        """The key of a new user."""
        with self.opened.begin() as session:
            return create_key(session, name or f"user-{next(_numbers)}", role)

    def client(self, role: Role = Role.SUBMIT, name: str | None = None) -> httpx.Client:
        """A client of a new user."""
        headers = {"Authorization": f"Bearer {self.key(role, name)}"}
        return httpx.Client(base_url=self.url, headers=headers)

    def register(self, *members: Registration) -> None:
        with self.opened.begin() as session:
            for member in members:
                register(session, member)


def closed_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(database_url: str, broker_url: str, **settings: object) -> Iterator[Service]:
    """The application on a free port, in a thread."""
    made = Settings(
        database_url=database_url,
        broker_url=broker_url,
        default_search_members=DEFAULTS[:1],
        default_score_members=DEFAULTS,
        **(_UNHURRIED | settings),
    )
    server = uvicorn.Server(configuration(create_app(made), made, host="127.0.0.1", port=0))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive(), "the API did not start"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    engine = connect(database_url)
    try:
        yield Service(f"http://127.0.0.1:{port}", database_url, sessions(engine))
    finally:
        engine.dispose()
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def make_database(postgres: Postgres) -> Iterator[Callable[[], str]]:
    """Migrated databases, dropped when the module ends."""
    names: list[str] = []

    def make() -> str:
        names.append(f"api_{next(_numbers)}")
        return postgres.create_database(names[-1], template="migrated")

    yield make
    for name in names:
        postgres.drop_database(name)


@pytest.fixture(scope="module")
def service(make_database: Callable[[], str]) -> Iterator[Service]:
    """An API whose default members are registered, and whose broker is away."""
    with serving(make_database(), f"redis://127.0.0.1:{closed_port()}/0") as made:
        made.register(ALPHA, BETA, DIRECT)
        yield made


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    """A new user who may submit."""
    with service.client() as made:
        yield made


@pytest.fixture
def adhop(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line as the user `terminal`, on a wide one; its exit status, output and errors."""
    monkeypatch.setenv("ADHOP_URL", service.url)
    monkeypatch.setenv("ADHOP_KEY", service.key(name="terminal"))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["adhop", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out.strip(), said.err.strip()

    return run
