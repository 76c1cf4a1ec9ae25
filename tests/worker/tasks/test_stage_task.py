"""CPU stages in a process of their own: on a real database, with stages that never end, that are too large, and that kill."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.database.session import Sessions, sessions
from shared.database.tables import Attempt, Job, Placement, StageRow, Turn, User
from shared.database.workflow import transitions
from shared.parameters import Hopping, JobParameters
from shared.parameters import Placement as Placing
from shared.settings import Settings
from shared.states import Stage, State
from shared.submissions import BulkSubmission
from tests.stack.jobs import insert_job, submission
from tests.worker.tasks.stage_traps import DEADLY, ENDLESS, HUNGRY
from worker.lifecycle import shutdown
from worker.lifecycle.lease_keeper import LeaseKeeper
from worker.tasks.stage_process import StageProcess
from worker.tasks.stage_task import StageTask


class Silent:
    """A notifier of nobody."""

    def notify_member(self, member: str) -> None: ...

    def notify_cpu(self) -> None: ...


@pytest.fixture
def opened(engine) -> Sessions:
    return sessions(engine)


@pytest.fixture(autouse=True)
def marker(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(shutdown, "requested", (tmp_path / "stop").exists)


def settings(**limits: float) -> Settings:
    return Settings(database_url="postgresql://a:b@localhost:1/c", broker_url="redis://:a@localhost:1/0", **limits)


@pytest.fixture
def worker(opened) -> Iterator[Callable[..., StageTask]]:
    """A CPU worker's task; its process is warm."""
    made: list[tuple[StageProcess, LeaseKeeper]] = []

    def start(**limits: float) -> StageTask:
        configured = settings(**limits)
        process = StageProcess(configured, module="tests.worker.tasks.stage_traps")
        keeper = LeaseKeeper(opened, configured.lease_s)
        keeper.__enter__()
        made.append((process, keeper))
        process.start(wait=True)
        return StageTask(configured, opened, keeper, Silent(), process)

    yield start
    for process, keeper in made:
        keeper.__exit__()
        process.close()


def add(opened: Sessions, seed: int, user: str = "somebody") -> UUID:
    with opened.begin() as session:
        parameters = JobParameters(seed=seed, placement=Placing(count=3), hopping=Hopping(hops=0))
        return insert_job(session, submission(), parameters, ["emt"], user=user).id


def stage(opened: Sessions, job_id: UUID) -> StageRow:
    with opened() as session:
        return session.scalars(select(StageRow).where(StageRow.job_id == job_id)).one()


def until(condition: Callable[[], bool], seconds: float) -> float:
    """Seconds until it held."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds
        time.sleep(0.02)
    return time.monotonic() - began


def test_placements_are_found_in_the_process_and_stored(opened, worker):
    job = add(opened, seed=1)
    worker().run()
    with opened() as session:
        assert stage(opened, job).state == State.SUCCEEDED
        assert session.get_one(Job, job).stage == Stage.SEARCHING
        assert len(session.scalars(select(Placement).where(Placement.job_id == job)).all()) == 3


def test_a_stage_that_would_run_for_ever_ends_with_its_job_and_the_next_one_runs(opened, worker):
    task = worker()
    endless = add(opened, seed=ENDLESS, user="first")
    running = threading.Thread(target=task.run)
    running.start()
    until(lambda: stage(opened, endless).state == State.RUNNING, 60)
    other = add(opened, seed=1, user="second")
    time.sleep(0.5)
    assert stage(opened, other).state == State.QUEUED
    with opened.begin() as session:
        transitions.end_job(session, transitions.lock_job(session, endless), State.CANCELLED)
    until(lambda: stage(opened, other).state != State.QUEUED, 30)  # the process was ended: it would run for ten minutes
    running.join(60)
    assert stage(opened, other).state == State.SUCCEEDED
    assert stage(opened, endless).state == State.CANCELLED
    with opened() as session:
        assert not session.scalars(select(Attempt)).all()
        [used] = session.scalars(
            select(Turn.device_s).join(User, User.id == Turn.user_id).where(User.name == "first")
        ).all()
        assert used > 0.5  # what was computed for nothing is the user's, who else would be next again and again


def test_a_stop_releases_the_stage_and_costs_no_attempt(opened, worker, tmp_path):
    task = worker()
    job = add(opened, seed=ENDLESS)
    running = threading.Thread(target=task.run)
    running.start()
    until(lambda: stage(opened, job).state == State.RUNNING, 60)
    (tmp_path / "stop").touch()
    running.join(30)
    assert not running.is_alive()
    row = stage(opened, job)
    assert (row.state, row.attempts) == (State.QUEUED, 0)


@pytest.mark.parametrize(
    ("seed", "limits", "said"),
    [
        (ENDLESS, {"stage_limit_s": 1.0}, "longer than the 1 s that a stage may take here: ask for fewer placements"),
        (HUNGRY, {"stage_memory_gib": 0.5}, "more than the 0.5 GiB that a stage may take here: ask for fewer"),
    ],
)
def test_a_stage_beyond_its_limits_fails_its_job_once_and_says_what_to_change(opened, worker, seed, limits, said):
    job, other = add(opened, seed=seed), add(opened, seed=1)
    worker(**limits).run()
    with opened() as session:
        failed = session.get_one(Job, job)
        assert (failed.state, failed.failure_kind) == (State.FAILED, "too_costly")
        assert said in failed.failure_reason
        assert session.get_one(Job, other).stage == Stage.SEARCHING
        assert not session.scalars(select(Attempt)).all()


def test_a_stage_that_kills_its_process_is_tried_again_and_given_up(opened, worker):
    job, other = add(opened, seed=DEADLY), add(opened, seed=1)
    worker(max_attempts=2).run()
    row = stage(opened, job)
    assert (row.state, row.failure_kind) == (State.FAILED, "worker_lost")
    assert "ended with status 9" in row.failure_reason
    with opened() as session:
        assert len(session.scalars(select(Attempt).where(Attempt.job_id == job)).all()) == 2
        assert session.get_one(Job, other).stage == Stage.SEARCHING


def test_a_stage_whose_process_is_killed_at_work_is_tried_again_and_ends_as_undisturbed(opened, worker):
    undisturbed, job = add(opened, seed=7), add(opened, seed=7)
    task = worker()
    with opened.begin() as session:  # not this one yet
        session.get_one(Job, job).stage = Stage.SEARCHING
    task.run()
    with opened.begin() as session:
        session.get_one(Job, job).stage = Stage.PLACING
    pid = stages_process()
    assert not secrets_of(pid)
    os.kill(pid, signal.SIGSTOP)  # at work for as long as it takes
    running = threading.Thread(target=task.run)
    running.start()
    until(lambda: stage(opened, job).state == State.RUNNING, 60)
    os.kill(pid, signal.SIGKILL)
    running.join(60)
    assert stage(opened, job).state == State.SUCCEEDED
    assert stages_process() != pid
    with opened() as session:
        [lost] = session.scalars(select(Attempt).where(Attempt.job_id == job))
        assert (lost.failure_kind, lost.number) == ("worker_lost", 1)
        assert placements(session, job) == placements(session, undisturbed)


def stages_process() -> int:
    """The one child of this process that computes stages."""
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    [pid] = [
        int(pid)
        for file in children
        for pid in file.read_text().split()
        if b"adhop-stages" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return pid


def secrets_of(pid: int) -> list[bytes]:
    """Variables of a process that tell it where database and broker are."""
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return [one for one in environment if one.startswith(b"ADHOP_") or b"://" in one]


def placements(session: Session, job_id: UUID) -> list[tuple[int, str, bytes]]:
    rows = session.scalars(select(Placement).where(Placement.job_id == job_id).order_by(Placement.index))
    found = [(row.index, row.site, np.asarray(row.positions).tobytes()) for row in rows]
    assert len(found) == 3
    return found


def test_a_cut_of_a_thousand_atoms_is_refused_at_once_by_the_worker_too(opened, worker):
    metals = submission("Pt")
    crystal = BulkSubmission(
        numbers=(78,) * 27,
        positions=[(x, y, z) for x in (0, 2.9, 6.1) for y in (0, 3.1, 5.9) for z in (0, 3.2, 6.2)],
        cell=[(9.2, 0, 0), (0, 9.4, 0), (0, 0, 9.6)],
        miller=(8, 7, 5),
        conventional=False,
        adsorbate=metals.adsorbate,
    )
    with opened.begin() as session:
        job = insert_job(session, crystal, JobParameters(), ["emt"]).id
    task = worker()
    began = time.monotonic()
    task.run()
    assert time.monotonic() - began < 30  # the cut itself took minutes
    with opened() as session:
        failed = session.get_one(Job, job)
        assert failed.failure_kind == "invalid_input"
        assert "atoms, and at most 398 are allowed" in failed.failure_reason
