"""Rows 1 to 4: workers that are killed or stopped."""

import os
import signal
import time
from pathlib import Path

import pytest

from local import processes
from tests.stack.chaos.lab import DISPATCH_S, LEASE_S, Lab, name_of
from tests.stack.chaos.machine import children

pytestmark = pytest.mark.stack
JOB = {"hops": 1, "count": 2}
LONG = {"hops": 3, "count": 2}


@pytest.mark.fault(1, "kill -9 of the worker's child inside a hop")
def test_a_killed_child_costs_the_hop_in_flight_and_one_attempt(lab: Lab):
    lab.undisturbed(**JOB)
    lab.arm("slow", 0.1)
    job = lab.submit(**JOB)
    lab.wait_for_hops(job, 2)
    pid = lab.until(lambda: lab.holder(job), "a hop in flight", watch=False)
    os.kill(pid, signal.SIGKILL)
    lab.disarm("slow")
    lab.check(job, **JOB)
    lost = lab.attempts(job)
    assert lost
    assert {(one.failure_kind, one.number) for one in lost} == {("worker_lost", 1)}
    again = {one.row_id for one in lab.events("claim", "walkers") if one.attempts == 2}
    assert again == {int(one.work_id) for one in lost if one.work == "walker"}


@pytest.mark.fault(1, "kill -9 of the worker's child inside a hop")
def test_a_killed_process_of_stages_costs_one_attempt_of_its_stage(lab: Lab):
    lab.undisturbed(**JOB)
    pid = lab.until(lambda: stages_process(lab), "a process of stages")
    os.kill(pid, signal.SIGSTOP)  # at work for as long as it takes
    before = len(lab.events("claim", "stages"))
    job = lab.submit(**JOB)
    lab.until(lambda: len(lab.events("claim", "stages")) > before, "a stage in hand", watch=False)
    os.kill(pid, signal.SIGKILL)
    lab.check(job, **JOB)
    assert [(one.work, one.failure_kind, one.number) for one in lab.attempts(job)] == [("placement", "worker_lost", 1)]


def stages_process(lab: Lab) -> int | None:
    """The child of the CPU worker's child that computes stages."""
    for worker in children(lab.stack.child(processes.CPU.name).process.pid):
        for pid in children(worker):
            if b"adhop-stages" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    return None


@pytest.mark.fault(2, "kill -9 of the whole worker")
def test_a_killed_workers_rows_are_claimed_again_when_its_lease_has_ended(lab: Lab):
    lab.undisturbed(**JOB)
    lab.arm("slow", 0.1)
    job = lab.submit(**JOB)
    lab.wait_for_hops(job, 2)
    pid = lab.until(lambda: lab.holder(job), "a hop in flight", watch=False)
    lab.kill(name_of(lab, pid))
    killed_at = lab.now()
    lab.disarm("slow")
    lab.check(job, **JOB)
    again = [one for one in lab.events("claim") if one.attempts == 2]
    assert again
    assert not any(owner.endswith(f":{pid}") for owner in (one.owner for one in again))
    # By PostgreSQL's clock; a renewal may have come just before the kill, and a loaded machine adds some.
    assert all(one.at - killed_at < LEASE_S + DISPATCH_S + 15 for one in again)


@pytest.mark.fault(3, "SIGTERM at a random moment")
@pytest.mark.parametrize("moment_s", [pytest.param(0.0, marks=pytest.mark.slow_fault), 0.7])
def test_a_worker_that_is_asked_to_stop_costs_no_attempt(lab: Lab, moment_s: float):
    lab.undisturbed(**LONG)
    lab.arm("slow", 0.1)
    job = lab.submit(**LONG)
    lab.wait_for_hops(job, 1)
    pid = lab.until(lambda: lab.holder(job), "a hop in flight", watch=False)
    time.sleep(moment_s)  # wherever that is
    child = lab.stack.forget(name_of(lab, pid))
    began = time.monotonic()
    child.process.send_signal(signal.SIGTERM)
    assert child.process.wait(30) == 0, child.tail()
    assert time.monotonic() - began < 20
    assert not lab.state(job).ended  # it didn't just wait for the job
    lab.disarm("slow")
    lab.check(job, **LONG)
    assert lab.attempts() == []
    assert not [one for one in lab.events("claim") if one.attempts > 1]


@pytest.mark.fault(4, "SIGKILL right before and right after COMMIT")
@pytest.mark.parametrize(("fault", "repeated"), [("kill-before-commit", True), ("kill-after-commit", False)])
def test_a_result_is_applied_once(lab: Lab, fault: str, repeated: bool):
    lab.undisturbed(**JOB)
    lab.arm(fault)
    job = lab.submit(**JOB)
    lab.until(lambda: lab.marked(f"{fault}-struck"), "the kill")
    lab.check(job, **JOB)
    hops = [one for one in lab.events("finish", "walkers")]
    assert len(hops) == 4  # two walkers, a relaxation and a hop each: every one applied once
    lost = [one for one in lab.attempts(job) if one.work == "walker"]
    assert bool(lost) or not repeated


@pytest.mark.fault(23, "worker stopped (SIGSTOP) past its lease, then continued")
@pytest.mark.parametrize("fault", ["freeze-before-store", "freeze-in-transaction"])
def test_a_worker_that_slept_past_its_lease_writes_nothing(lab: Lab, fault: str):
    lab.undisturbed(**JOB)
    lab.arm(fault)
    job = lab.submit(**JOB)
    pid = int(lab.until(lambda: lab.marked(f"{fault}-struck"), "the freeze")[0])
    lab.wait_for(job)  # the other worker takes over while this one sleeps
    os.kill(pid, signal.SIGCONT)
    if fault == "freeze-before-store":
        lab.until(lambda: lab.marked("late-write"), "the late write")
        assert lab.marked("late-write") == ["LostLease"]
    another = lab.submit(**JOB)
    lab.check(job, another, **JOB)
