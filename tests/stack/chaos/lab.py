"""The service under test, its real servers and processes, and the faults laid over them."""

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import redis
from alembic import command
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from local import processes
from local.migrations import configuration
from local.postgres import Postgres
from local.stack import ROOT, Stack
from shared.child import Child
from shared.database import migrations, revision
from shared.database.session import Sessions, connect, sessions
from shared.database.tables import Worker
from shared.states import State
from tests.stack.chaos import audit
from tests.stack.chaos.machine import Disk, alive, parent, stopped
from tests.stack.chaos.service import Service, patient

INJECTED = Path(__file__).parent / "injected"
TOMORROW = Path(__file__).parent / "tomorrow"
LEASE_S = 6.0
DISPATCH_S = 0.5
MAX_ATTEMPTS = 3

VARIABLES = {
    "ADHOP_LEASE_S": str(LEASE_S),
    "ADHOP_DISPATCH_INTERVAL_S": str(DISPATCH_S),
    "ADHOP_MAX_ATTEMPTS": str(MAX_ATTEMPTS),
    "ADHOP_DEFAULT_SEARCH_MEMBERS": "toy",
    "ADHOP_DEFAULT_SCORE_MEMBERS": "toy",
    "ADHOP_MIN_FREE_GIB": "0",
}
MEMBERS = ("toy", "toy-segfault", "toy-hang", "toy-small", "toy-sticky")
USUAL = ("api", "dispatcher", "cpu", "w0", "w1")


class Lab(Service):
    """A stack whose usual roles run when a test begins: API, dispatcher, CPU worker, and two workers that host toy and all its
    pathological kin."""

    def __init__(self, folder: Path, variables: dict[str, str] | None = None) -> None:
        self.marks = folder / "marks"
        self.disk = Disk()
        self.stack = Stack(
            folder,
            {**VARIABLES, **(variables or {})},
            postgres=Postgres(
                self.disk.folder / "postgres"
            ),  # durable: an immediate stop loses nothing that was answered
        )
        self._disturbed: set[str] = set()
        self._answers: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}

    def start(self) -> None:
        self.stack.postgres.start()
        self.stack.start_servers()
        self.engine = connect(self.stack.postgres.url(self.stack.database))
        self.opened: Sessions = sessions(self.engine)
        audit.install(self.engine, MAX_ATTEMPTS)
        self.key = self.stack.make_key()

    def stop(self) -> None:
        self.stack.stop()
        self.engine.dispose()
        self.stack.postgres.remove()
        self.disk.remove()

    # Processes

    def run(self, name: str, *, members: tuple[str, ...] = MEMBERS, variables: dict[str, str] | None = None) -> Child:
        """Start a process: `api`, `dispatcher` (or one called so with a number), `cpu`, or else a worker with these members."""
        own = {
            "ADHOP_CHAOS_FOLDER": str(self.marks),
            "ADHOP_CHAOS_PROCESS": name,
            "ADHOP_CHAOS_MUTANT": os.environ.get("ADHOP_CHAOS_MUTANT", ""),
            "PYTHONPATH": os.pathsep.join((str(INJECTED), str(ROOT))),
        }
        if name.startswith("dispatcher"):
            role = processes.Role(name, processes.DISPATCHER.command)
        elif name in ("api", "cpu"):
            role = {"api": processes.API, "cpu": processes.CPU}[name]
        else:
            role = processes.potentials(members, name)
            own["ADHOP_MEMBERS"] = ",".join(members)
        if variables or members != MEMBERS:
            self._disturbed.add(name)
        return self.stack.start(role, {**own, **(variables or {})})

    def arm(self, fault: str, argument: str | float = "", *, process: str | None = None) -> None:
        """Lay a fault in wait, in one process or in whichever comes first."""
        (self.marks / (fault if process is None else f"{fault}@{process}")).write_text(str(argument))

    def disarm(self, fault: str) -> None:
        (self.marks / fault).unlink()

    def kill(self, name: str) -> None:
        """kill -9 of the whole process tree; it is not started again until a test or `heal` does."""
        child = self.stack.forget(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGCONT)
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait(10)
        self._sign_off_the_dead()

    def running(self, name: str) -> bool:
        return name in self.stack.names() and self.stack.child(name).running

    def heal(self) -> None:
        """Every usual role runs undisturbed, everything else is gone, and no job is left."""
        for name in self.stack.names():
            if name not in USUAL or name in self._disturbed or not self.running(name):
                self.kill(name)
        self._disturbed.clear()
        self.disk.empty()
        for pid in (self.stack.valkey.pid, *(self.stack.child(name).process.pid for name in self.stack.names())):
            if pid is not None and stopped(pid):
                os.kill(pid, signal.SIGCONT)
        if not self.stack.postgres.running:
            self.stack.postgres.kill()
            self.stack.postgres.start()
        if not self.stack.valkey.running:
            self.stack.valkey.kill()
            self.stack.valkey.start()
        with redis.Redis.from_url(self.stack.valkey.url) as broker:
            broker.delete("unacked", "unacked_index")  # what a test kept from being acknowledged
        shutil.rmtree(self.marks, ignore_errors=True)
        self.marks.mkdir()
        self.marks.chmod(0o777)
        self._forget_jobs()
        for name in USUAL:
            if not self.running(name):
                self.run(name)
        with patient(self):
            self.until(self._well, "the service's readiness")

    def _well(self) -> bool:
        there = {parent(one.pid) for one in self.fresh_workers()}
        usual = {self.stack.child(name).process.pid for name in ("cpu", "w0", "w1")}
        return usual <= there and self.stack._unready() is None

    def _forget_jobs(self) -> None:
        """Cancelled first, so that workers drop what they hold; a worker that is just writing may be in the way."""
        self.cancel_all()
        self.until(self._emptied, "empty tables", watch=False)

    def _emptied(self) -> bool:
        try:
            with self.opened.begin() as session:
                session.execute(
                    text('TRUNCATE jobs, "references", structures, attempts, chaos_log RESTART IDENTITY CASCADE')
                )
        except OperationalError:
            return False
        self._sign_off_the_dead()
        return True

    def _sign_off_the_dead(self) -> None:
        """What a minute without heartbeats does, at once."""
        with contextlib.suppress(OperationalError), self.opened.begin() as session:
            for worker in session.scalars(select(Worker)):
                if not alive(worker.pid):
                    session.delete(worker)

    def worker_pid(self, name: str) -> int:
        """The child that computes, of the worker of this name; waits for its first heartbeat."""
        supervisor = self.stack.child(name).process.pid

        def found() -> int | None:
            with self.opened() as session:
                pids = session.scalars(select(Worker.pid)).all()
            return next((pid for pid in pids if parent(pid) == supervisor), None)

        return int(self.until(found, f"the first heartbeat of {name}", watch=False))

    def stop_postgres(self) -> None:
        """`pg_ctl stop -m immediate`: no checkpoint, every session cut."""
        pid = self.stack.postgres.pid
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        self.until(lambda: not self.stack.postgres.running, "the end of PostgreSQL", watch=False)

    def wait_until_idle(self) -> None:
        """Until every message was taken and no worker looks for work any more: what comes now needs a message of its own."""
        with redis.Redis.from_url(self.stack.valkey.url) as broker:
            self.until(lambda: not broker.llen("member.toy") and not broker.hlen("unacked"), "the end of every task")

    @contextmanager
    def full_broker(self) -> Iterator[None]:
        """No memory for what a client would store. A worker that takes a message meanwhile dies of it, maybe seconds later, so that
        none is left to the next test."""
        self._disturbed.update(("cpu", "w0", "w1"))
        with redis.Redis.from_url(self.stack.valkey.url) as broker:
            broker.config_set("maxmemory", "1")
            try:
                yield
            finally:
                broker.config_set("maxmemory", "0")

    def memory(self, name: str) -> int:
        """Resident memory of a process, bytes."""
        pages = Path(f"/proc/{self.stack.child(name).process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def said(self, name: str, shift_s: float) -> bool:
        """Whether a process's log carries times that are off by this much."""
        for line in self.stack.child(name).log.read_text().splitlines():
            with contextlib.suppress(ValueError):
                moment = datetime.strptime(line[:19], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - local, as the log is
                if abs((moment - datetime.now()).total_seconds() - shift_s) < 900:  # noqa: DTZ005
                    return True
        return False

    @contextmanager
    def migrated(self) -> Iterator[None]:
        """The tables of another version, by a migration beside running processes."""
        config = configuration(self.stack.postgres.url(self.stack.database))
        ours = Path(migrations.__file__).parent / "versions"
        config.set_main_option("version_locations", os.pathsep.join([str(ours), str(TOMORROW)]))
        command.upgrade(config, "tomorrow")
        try:
            yield
        finally:
            command.downgrade(config, revision.expected())

    # The contract

    def undisturbed(self, **job: Any) -> list[tuple[Any, ...]]:
        """The candidates of this job where nothing goes wrong, and which were chosen. Run once in a lab's life."""
        key = tuple(sorted(job.items()))
        if key not in self._answers:
            job_id = self.submit(**job)
            assert self.wait_for(job_id) == [State.SUCCEEDED]
            self._answers[key] = self.candidates(job_id)
            self._forget_jobs()
        return self._answers[key]

    def check(self, *job_ids: UUID, **job: Any) -> None:
        """The five invariants. The jobs, all submitted with these arguments, have found and chosen what the undisturbed run did."""
        states = self.wait_for(*job_ids)
        assert set(states) <= {State.SUCCEEDED}, [self.job(one).failure_reason for one in job_ids]
        self.check_rules()
        found = [self.candidates(one) for one in job_ids]
        if found:
            expected = self._answers.get(tuple(sorted(job.items())))
            assert expected is not None, "call undisturbed before the fault"
            assert all(one == expected for one in found)

    def check_rules(self) -> None:
        """I1 to I4."""
        with self.opened() as session:
            broken = audit.broken(session, MAX_ATTEMPTS)
        assert not broken, "\n".join(broken)


def name_of(lab: Lab, pid: int) -> str:
    """The worker whose child this is."""
    return next(name for name in lab.stack.names() if lab.stack.child(name).process.pid == parent(pid))
