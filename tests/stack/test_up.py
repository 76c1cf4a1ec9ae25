"""`python -m worker up` as a real process, on the CPU and on devices that a stand-in reports."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from local.processes import CPU, DISPATCHER, Role
from local.stack import Stack
from shared.database.session import Sessions
from shared.database.tables import Worker
from shared.states import State

from .conftest import wait_for_end, wait_until
from .test_member_cache import FAULTY, ROOT, submit
from .test_workers import running_in

pytestmark = pytest.mark.stack

UP = Role("up", ("python", "-m", "worker", "up"))
ONE, TWO = "GPU-aaaaaaaa-0000-1111-2222-333333333333", "GPU-bbbbbbbb-0000-1111-2222-333333333333"


@pytest.fixture
def begun(stack: Stack) -> Iterator[list[int]]:
    """Process groups that must be gone at the end."""
    groups: list[int] = []
    yield groups
    wait_until(lambda: not running_in(groups), 60, "the last process's end")


def workers(opened: Sessions) -> dict[int, Worker]:
    """The potentials workers that beat, by process."""
    with opened() as session:
        return {row.pid: row for row in session.scalars(select(Worker).where(Worker.kind == "potentials"))}


def groups_below(pid: int) -> list[int]:
    """Process groups of a process's children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children]


def test_cpu_workers_are_kept_up_and_stopped_in_order(stack: Stack, opened: Sessions, begun: list[int]):
    child = stack.start(UP, {"ADHOP_MEMBERS": "emt", "ADHOP_CPU_WORKERS": "2", "CUDA_VISIBLE_DEVICES": ""})
    before = wait_until(lambda: len(found := workers(opened)) == 2 and found, 90, "two workers")
    begun += groups_below(child.process.pid)
    assert len(begun) == 2
    os.killpg(begun[0], signal.SIGKILL)
    after = wait_until(lambda: set(found := workers(opened)) - set(before) and found, 60, "the one started again")
    assert len(after) == 3  # the lost one is still on the list
    begun += groups_below(child.process.pid)
    log = child.log.read_text()
    assert "ended with status -9; starts again in 1 s" in log
    stack.stop_role("up", grace_s=60)
    assert child.process.returncode == 0
    left = workers(opened)
    assert len(left) == 1  # the two that were stopped signed off
    assert len(set(left) & set(before)) == 1


def test_one_worker_a_device_by_its_uuid_and_none_on_a_full_one(
    stack: Stack, opened: Sessions, begun: list[int], tmp_path
):
    devices = tmp_path / "devices.json"
    devices.write_text(json.dumps([{"uuid": ONE, "free_gib": 70}, {"uuid": TWO, "free_gib": 2}]))
    stack.start(DISPATCHER)
    stack.start(CPU)
    variables = {"ADHOP_MEMBERS": "emt", "ADHOP_MIN_FREE_GIB": "4", "NVML_DEVICES": str(devices)}
    environment = {"PYTHONPATH": f"{FAULTY}:{ROOT}", **variables}
    child = stack.start(UP, environment)
    (pid, worker), *others = wait_until(lambda: list(workers(opened).items()), 90, "a worker")
    begun += groups_below(child.process.pid)
    assert not others
    assert worker.device == f"Stand-in ({ONE})"
    seen = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    assert f"CUDA_VISIBLE_DEVICES={ONE}".encode() in seen
    job = submit(opened, ["emt"], hops=0)
    assert wait_for_end(opened, job.id).state == State.SUCCEEDED
    log = child.log.read_text()
    assert f"device 1 (Stand-in, {TWO}) has 2.0 GiB free, less than 4 GiB" in log
    stack.stop_role("up", grace_s=60)


def test_settings_that_fit_nothing_end_it_with_one_message(stack: Stack):
    child = stack.start(UP, {"ADHOP_MEMBERS": "emt", "ADHOP_DEVICES": "7", "CUDA_VISIBLE_DEVICES": ""})
    assert child.process.wait(60) == 2
    assert child.tail(1).startswith("adhop: ADHOP_DEVICES asks for 7, which isn't visible here")
