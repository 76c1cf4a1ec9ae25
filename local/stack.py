"""The whole service on one machine: servers, migrations, front end, dispatcher, workers.

Everything lives in one folder, kept between runs, so a second start is warm. Starting and stopping are explicit and in order;
`watch` starts again what dies.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from local import processes
from local.hosting import Hosting
from local.ownership import own_folder
from local.ports import LOOPBACK, answers, free_port
from local.postgres import Postgres
from local.processes import Role
from local.valkey import Valkey
from shared import private_files
from shared.child import Child, StartError, spawn
from shared.database import roles
from shared.supervision import Watched

ROOT = Path(__file__).resolve().parent.parent
DATABASE = "adhop"
_EVERYWHERE = ("0.0.0.0", "localhost")
_GRACE_S = 60.0
"""Longer than what the workers' own supervisor waits for them."""


class Stack:
    """Start with `start_servers`, then `start` roles one by one. A context manager: leaving it stops everything.

    variables: settings of the processes (ADHOP_...), besides the URLs, which the stack knows.
    """

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, str] | None = None,
        *,
        durable: bool = True,
        postgres: Postgres | None = None,
        database: str = DATABASE,
    ) -> None:
        self.folder = own_folder(folder)
        self.logs = private_files.folder(folder / "logs")
        self._run = private_files.folder(folder / "run")
        self._own_postgres = postgres is None
        self.postgres = postgres or Postgres(folder / "postgres", durable=durable)
        self.valkey = Valkey(folder / "valkey")
        self.database = database
        self.port = free_port()
        self._variables = dict(variables or {})
        self._watched: dict[str, Watched] = {}

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Address of the front end: of this machine, unless a setting has it listen at one address alone."""
        host = self._variables.get("ADHOP_HOST", LOOPBACK)
        return f"http://{LOOPBACK if host in _EVERYWHERE else host}:{self.port}"

    @property
    def key_file(self) -> Path:
        """Private file with the API key of the stack's one user."""
        return self.folder / "key"

    def start_servers(self) -> None:
        """PostgreSQL with its roles and the database migrated, and the broker."""
        if self._own_postgres:
            self.postgres.start()
        self.postgres.create_database(self.database)
        self.postgres.create_roles(self.database)
        self.valkey.start()
        self.run(processes.MIGRATE, {"ADHOP_DATABASE_URL": self.postgres.url(self.database, roles.OWNER)})

    def make_key(self, user: str = "local", role: str = "admin") -> str:
        """The key of the stack's own user, made the first time."""
        if not self.key_file.exists():
            self.run(processes.create_user(user, role, self.key_file))
        return private_files.read_secret(self.key_file)

    def run(self, role: Role, variables: Mapping[str, str] | None = None, *, timeout_s: float = 120.0) -> None:
        """Run to its end. Raises StartError with the end of its log."""
        env = {**self.environment(), **(variables or {})}
        log = self.logs / f"{role.name}.log"
        log.unlink(missing_ok=True)
        child = spawn(role.name, _command(role), log=log, env=env, cwd=ROOT)
        try:
            code = child.process.wait(timeout_s)
        except BaseException:
            child.stop(grace_s=2)
            raise
        if code != 0:
            raise StartError(f"{role.name} failed; see {log}\n{child.tail()}")

    def start(self, role: Role, variables: Mapping[str, str] | None = None) -> Child:
        """Start a process that is meant to stay."""
        env = {**self.environment(), **(variables or {})}
        log = self.logs / f"{role.name}.log"
        watched = Watched(role.name, lambda: spawn(role.name, _command(role), log=log, env=env, cwd=ROOT))
        self._watched[role.name] = watched
        return watched.child

    def child(self, name: str) -> Child:
        """The process of this role, as it runs now."""
        return self._watched[name].child

    def names(self) -> list[str]:
        """Names of the processes that are meant to run."""
        return list(self._watched)

    def forget(self, name: str) -> Child:
        """Don't start this process again; it is the caller's now."""
        return self._watched.pop(name).child

    def stop_role(self, name: str, grace_s: float = _GRACE_S) -> None:
        """Stop one process in good order and don't start it again."""
        self.forget(name).stop(grace_s)

    def watch(self) -> list[str]:
        """One look at all processes: the dead are started again, later and later. Returns what there is to tell."""
        return [line for watched in self._watched.values() if (line := watched.look())]

    def wait_ready(self, timeout_s: float, tell: Callable[[str], None] = lambda _: None) -> None:
        """Until the front end says that a job would run. Raises StartError with what it still waits for."""
        until = time.monotonic() + timeout_s
        reason, said = "the front end doesn't answer", ""
        while time.monotonic() < until:
            reason = self._unready() or ""
            if not reason:
                return
            if reason != said:
                tell(reason)
                said = reason
            for line in self.watch():
                tell(line)
            time.sleep(0.25)
        raise StartError(f"not ready after {timeout_s:.0f} s: {reason}; logs are in {self.logs}{self._last_words()}")

    def _last_words(self) -> str:
        """The end of the front end's log, where it isn't there to say itself what is missing."""
        front_end = self._watched.get(processes.API.name)
        return f"\n{front_end.child.tail()}" if front_end and not answers(self.port) else ""

    def _unready(self) -> str | None:
        try:
            answer = httpx.get(f"{self.url}/readyz", timeout=5)
        except httpx.TimeoutException:
            return "the front end takes more than 5 s to answer"
        except httpx.HTTPError:
            return "the front end doesn't answer yet"
        if answer.status_code == httpx.codes.OK:
            return None
        checks = answer.json().get("checks", [])
        missing = [str(check.get("reason")) for check in checks if not check.get("ok")]
        return "; ".join(missing) or "the front end is not ready"

    def stop(self) -> None:
        """Everything down, workers first, servers last."""
        for watched in self._watched.values():
            watched.child.ask()
        for watched in self._watched.values():
            watched.child.stop(_GRACE_S)
        self._watched.clear()
        self.valkey.stop()
        if self._own_postgres:
            self.postgres.stop()

    def environment(self) -> dict[str, str]:
        """Variables of every process; of the database they have the application's role. One thread each: two on a busy two-core
        machine are slower than one."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ADHOP_")}
        return {
            **kept,
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
            "ADHOP_DATABASE_URL": self.postgres.url(self.database, roles.APP),
            "ADHOP_BROKER_URL": self.valkey.url,
            "ADHOP_PORT": str(self.port),
            "ADHOP_RUN_DIR": str(self._run.absolute()),
            **self._variables,
        }


def start_service(stack: Stack, hosting: Hosting, tell: Callable[[str], None] = lambda _: None) -> None:
    """All of it: servers, key, front end, dispatcher, a CPU worker, and potentials workers that host the members: one a CUDA
    device, or so many on the CPU. Raises StartError, where members were named also for one that isn't there."""
    tell("PostgreSQL and Valkey")
    stack.start_servers()
    members = ",".join(hosting.members)
    if hosting.named:
        _verify(stack, hosting.members, members)
    tell(f"front end, dispatcher, workers that host {', '.join(hosting.members)}")
    stack.make_key()
    stack.start(processes.API)
    stack.start(processes.DISPATCHER)
    stack.start(processes.CPU)
    stack.start(processes.UP, {"ADHOP_MEMBERS": members, "ADHOP_CPU_WORKERS": str(hosting.workers)})


def _verify(stack: Stack, members: Sequence[str], named: str) -> None:
    try:
        stack.run(processes.verify(members))
    except StartError as error:
        why = str(error).splitlines()[-1].removeprefix("adhop: ")
        raise StartError(f"ADHOP_MEMBERS={named}: {why}") from None


def _command(role: Role) -> list[str]:
    """The role's program by absolute path, from the environment that runs this."""
    program = Path(sys.executable).parent / role.command[0]
    return [sys.executable if role.command[0] == "python" else str(program), *role.command[1:]]


@contextmanager
def stop_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does, so that what it started is stopped."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
