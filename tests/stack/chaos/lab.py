"""The service under test: real servers and processes, the faults laid over them, and what a test asks of them."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from ase.build import fcc111
from celery import Celery
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

from local import processes
from local.postgres import Postgres
from local.stack import ROOT, Stack
from shared.child import Child
from shared.database import revision
from shared.database.repositories import registry, settling
from shared.database.session import Sessions, connect, sessions
from shared.database.tables import Attempt, Candidate, Job, User, Walker, Worker
from shared.parameters import Hopping, JobParameters, Placement
from shared.queues import CPU_QUEUE, CPU_TASK, MEMBER_TASK, member_queue
from shared.states import OPEN, State
from tests.stack.chaos import audit
from tests.stack.jobs import insert_job, submission

INJECTED = Path(__file__).parent / "injected"
LEASE_S = 6.0
DISPATCH_S = 0.5
MAX_ATTEMPTS = 3
PATIENCE_S = float(os.environ.get("ADHOP_CHAOS_PATIENCE_S", "90"))
"""Longest wait for anything that should happen: generous, for a loaded machine."""

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


class Lab:
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
        shutil.rmtree(self.marks, ignore_errors=True)
        self.marks.mkdir()
        self.marks.chmod(0o777)
        self._forget_jobs()
        for name in USUAL:
            if not self.running(name):
                self.run(name)
        self.until(self._well, "the service's readiness", watch=False)

    def _well(self) -> bool:
        alive = {_parent(one.pid) for one in self.fresh_workers()}
        usual = {self.stack.child(name).process.pid for name in ("cpu", "w0", "w1")}
        return usual <= alive and self.stack._unready() is None

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
        """What a minute's silence does, at once."""
        with contextlib.suppress(OperationalError), self.opened.begin() as session:
            for worker in session.scalars(select(Worker)):
                if not alive(worker.pid):
                    session.delete(worker)

    def worker_pid(self, name: str) -> int:
        """The child that computes, of the worker of this name; waits until it has announced itself."""
        parent = self.stack.child(name).process.pid

        def found() -> int | None:
            with self.opened() as session:
                pids = session.scalars(select(Worker.pid)).all()
            return next((pid for pid in pids if _parent(pid) == parent), None)

        return int(self.until(found, f"the announcement of {name}", watch=False))

    def stop_postgres(self) -> None:
        """`pg_ctl stop -m immediate`: no checkpoint, every session cut."""
        pid = self.stack.postgres.pid
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        self.until(lambda: not self.stack.postgres.running, "the end of PostgreSQL", watch=False)

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
        """The tables of another version, as a migration beside running processes leaves them."""
        with self.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE walkers ADD COLUMN of_tomorrow integer")
            version = connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'tomorrow'")
            assert version.rowcount == 1
        try:
            yield
        finally:
            with self.engine.begin() as connection:
                connection.exec_driver_sql("ALTER TABLE walkers DROP COLUMN of_tomorrow")
                connection.execute(
                    text("UPDATE alembic_version SET version_num = :head"), {"head": revision.expected()}
                )

    # Waiting

    def until(self, true: Callable[[], Any], what: str, timeout_s: float | None = None, *, watch: bool = True) -> Any:
        """The first true answer. watch: the supervisor starts what has died meanwhile."""
        limit = PATIENCE_S if timeout_s is None else timeout_s
        ends = time.monotonic() + limit
        while time.monotonic() < ends:
            if watch:
                self.stack.watch()
            answer = true()
            if answer:
                return answer
            time.sleep(0.1)
        raise AssertionError(f"{what}: not within {limit:.0f} s")

    def marked(self, name: str) -> list[str]:
        """What the injected faults noted under this name."""
        path = self.marks / name
        return path.read_text().split() if path.exists() else []

    # Jobs

    def submit(
        self,
        *,
        hops: int = 2,
        adsorbate: str = "*CO",
        member: str = "toy",
        seed: int = 11,
        user: str = "somebody",
        element: str = "Pt",
        count: int = 3,
        size: tuple[int, int, int] = (2, 2, 3),
    ) -> UUID:
        """A job as the front end stores it, without its doorbell."""
        with self.opened.begin() as session:
            return insert_job(
                session,
                submission(element, adsorbate, size),
                _parameters(hops, seed, count),
                members=[member],
                user=user,
            ).id

    def submit_many(self, n: int, *, user: str, hops: int, count: int) -> None:
        with self.opened.begin() as session:
            for seed in range(n):
                insert_job(
                    session,
                    submission("Pt", "*CO", (2, 2, 3)),
                    _parameters(hops, seed, count),
                    members=["toy"],
                    user=user,
                )

    def cancel_all(self) -> None:
        with self.opened() as session:
            ids = session.scalars(select(Job.id).where(Job.state.in_(OPEN))).all()
        for job_id in ids:
            with self.opened.begin() as session:
                job = settling.locked(session, job_id)
                if job is not None and not State(job.state).ended:
                    settling.end(session, job, State.CANCELLED)

    def count_jobs(self, *states: State, user: str | None = None) -> int:
        with self.opened() as session:
            query = select(func.count()).select_from(Job)
            if states:
                query = query.where(Job.state.in_(states))
            if user is not None:
                query = query.join(User).where(User.name == user)
            return session.scalars(query).one()

    def contents(self) -> dict[str, str | None]:
        """A checksum of every table that holds work or results."""
        tables = (*audit.TABLES, "jobs", "candidates", "minima", "scores", "placements", "attempts")
        with self.opened() as session:
            return {
                table: session.scalar(text(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM \"{table}\" t"))
                for table in tables
            }

    def turns_before(self, job_id: UUID) -> dict[str, int]:
        """By kind of work: claims that took other jobs' rows only, between the moment that this job had something to claim and
        the moment that it was claimed."""
        own = {
            "stages": "SELECT id FROM stages WHERE job_id = :job",
            "references": "SELECT reference_id FROM job_references WHERE job_id = :job",
            "walkers": "SELECT id FROM walkers WHERE job_id = :job",
        }
        with self.opened() as session:
            events = audit.events(session)
            ids = {work: set(session.scalars(text(query), {"job": job_id})) for work, query in own.items()}
            since = float(session.scalar(select(func.extract("epoch", Job.created_at)).where(Job.id == job_id)) or 0)
        turns = {}
        for work in own:
            claims = [one for one in events if one.what == "claim" and one.work == work and one.at > since]
            mine = {one.tx for one in claims if one.row_id in ids[work]}
            first = next(one.at for one in claims if one.tx in mine)
            turns[work] = len({one.tx for one in claims if one.at < first} - mine)
            since = max(
                one.at for one in events if one.what == "finish" and one.work == work and one.row_id in ids[work]
            )
            if work == "stages":
                since = min(
                    one.at for one in events if one.what == "finish" and one.work == work and one.row_id in ids[work]
                )
        return turns

    def post(self, *, key: str | None = None, hops: int = 2, timeout_s: float = 60, **fields: Any) -> httpx.Response:
        """A job through the API."""
        slab = fcc111("Pt", (2, 2, 3), a=3.92, vacuum=8.0, periodic=True)
        body = {
            "input": {
                "kind": "slab",
                "slab": {
                    "format": "arrays",
                    "numbers": slab.numbers.tolist(),
                    "positions": slab.positions.tolist(),
                    "cell": slab.cell.tolist(),
                },
                "adsorbate": "*CO",
            },
            "parameters": _parameters(hops, 11, 3).model_dump(mode="json"),
            **fields,
        }
        headers = {} if key is None else {"Idempotency-Key": key}
        with self.client(timeout_s) as client:
            return client.post("/v1/jobs", json=body, headers=headers)

    def client(self, timeout_s: float = 60) -> httpx.Client:
        return httpx.Client(base_url=self.stack.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=timeout_s)

    def state(self, job_id: UUID) -> State:
        with self.opened() as session:
            return State(session.get_one(Job, job_id).state)

    def job(self, job_id: UUID) -> Job:
        with self.opened() as session:
            return session.get_one(Job, job_id)

    def wait_for(self, *job_ids: UUID, timeout_s: float | None = None) -> list[State]:
        """Until these jobs have ended, with a supervisor at work."""
        with patient(self):
            self.until(lambda: all(self.state(one).ended for one in job_ids), "the end of every job", timeout_s)
        return [self.state(one) for one in job_ids]

    def now(self) -> float:
        """PostgreSQL's clock, seconds since the epoch."""
        with self.opened() as session:
            return float(session.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0)

    def hops(self, job_id: UUID) -> int:
        with self.opened() as session:
            return len(session.scalars(select(Candidate.id).where(Candidate.job_id == job_id)).all())

    def wait_for_hops(self, job_id: UUID, n: int) -> None:
        self.until(lambda: self.hops(job_id) >= n, f"{n} hops", watch=False)

    def held(self, job_id: UUID) -> int:
        """How many of a job's walkers somebody holds."""
        with self.opened() as session:
            query = select(Walker.id).where(Walker.job_id == job_id, Walker.state == State.RUNNING)
            return len(session.scalars(query).all())

    def holder(self, job_id: UUID) -> int | None:
        """The process that holds a walker of this job."""
        with self.opened() as session:
            query = select(Walker.owner).where(Walker.job_id == job_id, Walker.state == State.RUNNING).limit(1)
            owner = session.scalar(query)
        return None if owner is None else int(owner.split(":")[1])

    def longest_lease(self) -> float:
        """What the last lease to end has left, seconds of PostgreSQL's clock."""
        with self.opened() as session:
            left = select(func.extract("epoch", func.max(Walker.lease_until) - func.clock_timestamp()))
            return float(session.scalar(left) or 0)

    def freeze_holder(self, job_id: UUID) -> int:
        """SIGSTOP to a process that holds a walker of this job, and holds it still when it has stopped."""

        def frozen() -> int | None:
            pid = self.holder(job_id)
            if pid is None:
                return None
            os.kill(pid, signal.SIGSTOP)
            self.until(lambda: stopped(pid), "the stop", watch=False)
            if self.holder(job_id) == pid:
                return pid
            os.kill(pid, signal.SIGCONT)
            return None

        return int(self.until(frozen, "a hop in flight", watch=False))

    def attempts(self, job_id: UUID | None = None) -> list[Attempt]:
        with self.opened() as session:
            query = select(Attempt).order_by(Attempt.id)
            return list(session.scalars(query if job_id is None else query.where(Attempt.job_id == job_id)))

    def events(self, what: str | None = None, work: str | None = None) -> list[audit.Event]:
        with self.opened() as session:
            return audit.events(session, what, work)

    def minima(self, job_id: UUID) -> list[tuple[Any, ...]]:
        with self.opened() as session:
            return audit.minima(session, job_id)

    def undisturbed(self, **job: Any) -> list[tuple[Any, ...]]:
        """The minima of this job where nothing goes wrong, run once in a lab's life."""
        key = tuple(sorted(job.items()))
        if key not in self._answers:
            job_id = self.submit(**job)
            assert self.wait_for(job_id) == [State.SUCCEEDED]
            self._answers[key] = self.minima(job_id)
            self._forget_jobs()
        return self._answers[key]

    def check(self, *job_ids: UUID, **job: Any) -> None:
        """The five invariants. The jobs, all submitted with these arguments, have ended in the undisturbed run's minima."""
        states = self.wait_for(*job_ids)
        assert set(states) <= {State.SUCCEEDED}, [self.job(one).failure_reason for one in job_ids]
        self.check_rules()
        found = [self.minima(one) for one in job_ids]
        if found:
            expected = self._answers.get(tuple(sorted(job.items())))
            assert expected is not None, "call undisturbed before the fault"
            assert all(one == expected for one in found)

    def check_rules(self) -> None:
        """I1 to I4."""
        with self.opened() as session:
            broken = audit.broken(session, MAX_ATTEMPTS)
        assert not broken, "\n".join(broken)

    def fresh_workers(self) -> list[Worker]:
        with self.opened() as session:
            return registry.fresh_workers(session)

    def ring(self, member: str = "toy", times: int = 1) -> None:
        """Doorbells, as anybody may send them."""
        with Celery(broker=self.stack.valkey.url) as app:
            for _ in range(times):
                app.send_task(MEMBER_TASK, args=[member], queue=member_queue(member))

    def ring_cpu(self) -> None:
        with Celery(broker=self.stack.valkey.url) as app:
            app.send_task(CPU_TASK, queue=CPU_QUEUE)


class Disk:
    """A small disk of its own for PostgreSQL, where this user may mount one; else a plain folder that is never full."""

    SIZE = "300m"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="adhop-chaos-", dir="/var/tmp"))
        self.folder.chmod(0o755)
        command = ["mount", "-t", "tmpfs", "-o", f"size={self.SIZE},mode=755", "tmpfs", str(self.folder)]
        self.mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        with contextlib.suppress(OSError), self._ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    def empty(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def remove(self) -> None:
        if self.mounted:
            subprocess.run(["umount", str(self.folder)], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def patient(lab: Lab) -> Iterator[None]:
    """Names what the processes last said where a wait fails."""
    try:
        yield
    except AssertionError as error:
        tails = "\n".join(f"--- {name}\n{lab.stack.child(name).tail(12)}" for name in lab.stack.names())
        raise AssertionError(f"{error}\n{tails}") from error


def _parameters(hops: int, seed: int, count: int) -> JobParameters:
    return JobParameters(seed=seed, placement=Placement(count=count), hopping=Hopping(hops=hops))


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def name_of(lab: Lab, pid: int) -> str:
    """The worker whose child this is."""
    return next(name for name in lab.stack.names() if lab.stack.child(name).process.pid == _parent(pid))


def thaw_in(seconds: float, pid: int) -> None:
    """SIGCONT, a little later."""
    threading.Timer(seconds, os.kill, (pid, signal.SIGCONT)).start()


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def stopped(pid: int) -> bool:
    """Whether a process is stopped by a signal."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in ("T", "t")
    except FileNotFoundError:
        return False
