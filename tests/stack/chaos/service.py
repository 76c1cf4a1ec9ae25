"""The service as a test sees it: jobs put in, and what the tables say of them."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
from ase.build import fcc111
from celery import Celery
from sqlalchemy import func, select, text, update

from local.stack import Stack
from shared.database.repositories import workers
from shared.database.session import Sessions
from shared.database.tables import Attempt, Candidate, Job, User, Walker, Worker
from shared.database.workflow import transitions
from shared.parameters import Hopping, JobParameters, Placement
from shared.queues import CPU_QUEUE, CPU_TASK, MEMBER_TASK, member_queue
from shared.states import OPEN, State
from tests.stack.chaos import audit
from tests.stack.chaos.machine import stopped
from tests.stack.jobs import insert_job, submission

PATIENCE_S = float(os.environ.get("ADHOP_CHAOS_PATIENCE_S", "90"))
"""Longest wait for anything that should happen: generous, for a loaded machine."""


class Service:
    """A stack, its database, and a key to its front end."""

    stack: Stack
    opened: Sessions
    key: str

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
        """A job as the front end stores it, without a wake-up message."""
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
            self.cancel(job_id)

    def cancel(self, job_id: UUID) -> None:
        with self.opened.begin() as session:
            job = transitions.lock_job(session, job_id)
            if job is not None and not State(job.state).ended:
                transitions.end_job(session, job, State.CANCELLED)

    def suspect(self, job_id: UUID, attempts: int) -> int:
        """Have a job's queued walkers lost so many workers already. Returns how many."""
        with self.opened.begin() as session:
            queued = (Walker.job_id == job_id, Walker.state == State.QUEUED)
            return len(
                session.scalars(update(Walker).where(*queued).values(attempts=attempts).returning(Walker.id)).all()
            )

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

    def measured(self, job_id: UUID) -> bool:
        """Whether what an ended job stores was measured, the last that is written of it."""
        with self.opened() as session:
            return session.get_one(Job, job_id).measured_at is not None

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

    def candidates(self, job_id: UUID) -> list[tuple[Any, ...]]:
        with self.opened() as session:
            return audit.candidates(session, job_id)

    def fresh_workers(self) -> list[Worker]:
        with self.opened() as session:
            return workers.fresh_workers(session)

    def notify(self, member: str = "toy", times: int = 1) -> None:
        """Wake-up messages, as anybody may send them."""
        with Celery(broker=self.stack.valkey.url) as app:
            for _ in range(times):
                app.send_task(MEMBER_TASK, args=[member], queue=member_queue(member))

    def notify_cpu(self) -> None:
        with Celery(broker=self.stack.valkey.url) as app:
            app.send_task(CPU_TASK, queue=CPU_QUEUE)


@contextmanager
def patient(service: Service) -> Iterator[None]:
    """Names what the processes last said where a wait fails."""
    try:
        yield
    except AssertionError as error:
        tails = "\n".join(f"--- {name}\n{service.stack.child(name).tail(12)}" for name in service.stack.names())
        raise AssertionError(f"{error}\n{tails}") from error


def _parameters(hops: int, seed: int, count: int) -> JobParameters:
    hopping = Hopping(hops=hops, patience=1000)  # a job goes on for as long as it was asked to
    return JobParameters(seed=seed, placement=Placement(count=count), hopping=hopping)
