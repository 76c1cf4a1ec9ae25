"""Real processes: a broker, and whatever workers a test starts, on a database of their own."""

import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine

from local import processes
from local.postgres import Postgres
from local.stack import Stack
from shared.database.session import Sessions, connect, sessions
from shared.database.tables import Job
from shared.states import State

_numbers = count()

FAST = {"ADHOP_LEASE_S": "8", "ADHOP_DISPATCH_INTERVAL_S": "0.5"}
"""Leases that end soon, for tests that kill."""


@pytest.fixture
def stack(postgres: Postgres, tmp_path) -> Iterator[Stack]:
    """Servers up and migrated; the test starts the roles it needs with `stack.start` or `start_workers`."""
    database = f"stack_{next(_numbers)}"
    postgres.create_database(database, template="migrated")
    with Stack(tmp_path, FAST, postgres=postgres, database=database) as made:
        made.start_servers()
        yield made
    postgres.drop_database(database)


@pytest.fixture
def stack_engine(stack: Stack) -> Iterator[Engine]:
    engine = connect(postgres_url(stack))
    yield engine
    engine.dispose()


@pytest.fixture
def opened(stack_engine: Engine) -> Sessions:
    return sessions(stack_engine)


def postgres_url(stack: Stack) -> str:
    return stack.postgres.url(stack.database)


def start_workers(stack: Stack, *members: str) -> None:
    """Dispatcher, CPU worker, and one potentials worker that hosts `members`."""
    stack.start(processes.DISPATCHER)
    stack.start(processes.CPU)
    stack.start(processes.potentials(members), {"ADHOP_MEMBERS": ",".join(members)})


def wait_until(true: Callable[[], Any], timeout_s: float, what: str) -> Any:
    """The first true answer; fails with what was waited for."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        answer = true()
        if answer:
            return answer
        time.sleep(0.1)
    return pytest.fail(f"{what}: not within {timeout_s:.0f} s")


def wait_for_end(opened: Sessions, job_id: Any, timeout_s: float = 300) -> Job:
    def ended() -> Job | None:
        with opened() as session:
            job = session.get_one(Job, job_id)
            return job if State(job.state).ended else None

    return wait_until(ended, timeout_s, "the job's end")
