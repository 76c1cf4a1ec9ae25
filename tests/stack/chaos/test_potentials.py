"""Rows 14 to 19: potentials that crash, hang, run out of memory, break their device, or take their time."""

import os
import signal
import time

import pytest

from shared.states import State
from tests.stack.chaos.lab import LEASE_S, MAX_ATTEMPTS, Lab
from tests.stack.chaos.machine import alive

pytestmark = pytest.mark.stack
JOB = {"hops": 1, "count": 2}
POISON = {"adsorbate": "*N", "hops": 1, "count": 2}


@pytest.mark.fault(14, "a structure that segfaults the potential")
def test_poison_is_given_up_and_harms_no_innocent(lab: Lab):
    good = {**JOB, "hops": 6, "member": "toy-segfault"}  # hops enough to outlast the guilty one's references
    lab.undisturbed(**good)
    lab.kill("w1")  # both jobs are in one worker, and
    lab.arm("slow", 0.3)  # the innocent one is still at work when the guilty one comes
    innocent = lab.submit(**good)
    lab.until(lambda: lab.held(innocent), "the innocent one's walkers")
    guilty = lab.submit(**POISON, member="toy-segfault")
    lab.until(lambda: lab.attempts(guilty), "the first worker lost")
    assert lab.attempts(innocent)  # it was in the guilty one's company, and would be again
    assert lab.wait_for(guilty, timeout_s=240) == [State.FAILED]
    assert not lab.state(innocent).ended
    lab.disarm("slow")
    job = lab.job(guilty)
    assert job.failure_kind == "poison", job.failure_reason
    assert f"{MAX_ATTEMPTS} attempts" in job.failure_reason
    lab.check(innocent, **good)
    numbers = {(one.work, one.work_id): 0 for one in lab.attempts(guilty)}
    for one in lab.attempts(guilty):
        numbers[one.work, one.work_id] += 1
    assert max(numbers.values()) == MAX_ATTEMPTS


@pytest.mark.fault(14, "a structure that segfaults the potential")
def test_a_last_attempt_has_its_turn_beside_work_without_end(lab: Lab):
    suspected = {**JOB, "member": "toy-segfault"}
    lab.undisturbed(**suspected)
    lab.kill("w1")
    lab.arm("slow", 0.02)
    endless = [lab.submit(hops=200, seed=seed, user=f"user {seed}") for seed in range(6)]  # more than a worker holds
    for one in endless:
        lab.wait_for_hops(one, 1)
    lab.arm("slow", 0.15)  # a hop takes longer than the pause between two looks for more
    job = lab.submit(**suspected, user="somebody else")
    lab.until(lambda: lab.suspect(job, MAX_ATTEMPTS - 1), "walkers that wait")
    lab.until(
        lambda: any(one.attempts == MAX_ATTEMPTS for one in lab.events("claim", "walkers")), "the last attempt", 30
    )
    for one in endless:
        assert not lab.state(one).ended
        lab.cancel(one)
    lab.disarm("slow")
    lab.check(job, **suspected)


@pytest.mark.slow_fault
@pytest.mark.fault(15, "a potential that hangs")
def test_the_hard_limit_ends_a_hanging_call_and_the_next_job_runs(lab: Lab):
    good = {**JOB, "member": "toy"}
    lab.undisturbed(**good)
    for name in ("w0", "w1"):
        lab.kill(name)
    limits = {"ADHOP_TASK_TIME_LIMIT_S": "8", "ADHOP_TASK_SLICE_S": "4", "ADHOP_MAX_ATTEMPTS": "1"}
    lab.kill("dispatcher")
    lab.run("dispatcher", variables=limits)
    lab.run("w2", members=("toy", "toy-hang"), variables=limits)
    hanging = lab.submit(**{**POISON, "count": 1}, member="toy-hang")
    lab.until(lambda: lab.marked("hangs"), "the hang")
    following = lab.submit(**good)
    assert lab.wait_for(hanging, timeout_s=240) == [State.FAILED]
    assert lab.job(hanging).failure_kind == "poison"
    lab.check(following, **good)


@pytest.mark.fault(16, "out of memory")
def test_a_batch_is_halved_and_what_never_fits_fails_as_out_of_memory(lab: Lab):
    good = {"hops": 1, "count": 4, "member": "toy-small"}
    lab.undisturbed(**good)
    jobs = lab.submit(**good), lab.submit(**good)
    too_large = lab.submit(**POISON, member="toy-small")
    assert lab.wait_for(too_large) == [State.FAILED]
    assert lab.job(too_large).failure_kind == "out_of_memory"
    lab.check(*jobs, **good)
    sizes = {int(size) for size in lab.marked("batches")}
    assert max(sizes) > 2
    assert {1, 2} & sizes
    assert {one.failure_kind for one in lab.attempts()} == {"out_of_memory"}
    assert {one.number for one in lab.attempts()} == {1}


@pytest.mark.fault(17, "sticky CUDA error")
def test_a_process_with_a_broken_device_exits_and_its_successor_asks_the_canary_first(lab: Lab):
    job = {**JOB, "member": "toy-sticky"}
    lab.undisturbed(**job)
    lab.arm("sticky")
    broken = lab.submit(**job)
    pid = lab.until(lambda: lab.marked("sticky-struck"), "the fault")[0]
    lab.until(lambda: not alive(int(pid)), "the end of the process")
    lab.check(broken, **job)
    calls = [tuple(map(int, call.split(":"))) for call in lab.marked("sticky-calls")]
    firsts = {caller: atoms for caller, atoms in reversed(calls)}
    canary = 13  # atoms; the job's structures have others
    assert {caller: atoms for caller, atoms in firsts.items() if atoms != canary} == {}
    assert {(one.failure_kind, one.number) for one in lab.attempts()} == {("device_fault", 1)}


@pytest.mark.fault(18, "no device, or one taken by others (free memory under the limit)")
@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        pytest.param({"ADHOP_MIN_FREE_GIB": "10000"}, "is free, others use it", marks=pytest.mark.slow_fault),
        ({"ADHOP_DEVICE": "cuda", "CUDA_VISIBLE_DEVICES": ""}, "CUDA device"),
    ],
    ids=["taken", "none"],
)
def test_a_worker_without_a_device_claims_nothing_and_says_why(lab: Lab, settings: dict[str, str], reason: str):
    lab.undisturbed(**JOB)
    for name in ("w0", "w1"):
        lab.kill(name)
    lab.run("w2", members=("toy",), variables=settings)
    pid = lab.worker_pid("w2")
    job = lab.submit(**JOB)
    said = lab.until(
        lambda: next((one.reason for one in lab.fresh_workers() if one.pid == pid and not one.ready), None),
        "its reason",
    )
    assert reason in said
    lab.until(lambda: lab.job(job).stage == "searching", "work for the member")
    lab.notify("toy", 2)
    time.sleep(2)
    assert not lab.events("claim", "references")
    with lab.client() as client:
        # once the heartbeats of the killed ones are old
        lab.until(lambda: reason in client.get(f"/v1/jobs/{job}").json()["waiting_for"], "the job to say so")
    lab.run("w0")
    lab.check(job, **JOB)


@pytest.mark.fault(19, "models that take 60 s to load, child killed")
@pytest.mark.slow_fault
@pytest.mark.parametrize("loading_s", [10, 60])
def test_a_child_that_loads_for_long_is_left_to_it(lab: Lab, loading_s: int):
    job = {**JOB, "member": "toy-loading"}
    lab.arm("loading", 0)
    lab.run("w2", members=("toy-loading",))
    lab.undisturbed(**job)
    for mark in ("loads", "loaded"):
        (lab.marks / mark).unlink(missing_ok=True)
    lab.arm("loading", loading_s)
    os.kill(lab.worker_pid("w2"), signal.SIGKILL)
    waiting = lab.submit(**job)
    lab.until(lambda: lab.marked("loaded"), "the new child's members", loading_s + 60)
    lab.check(waiting, **job)
    assert len(lab.marked("loads")) == 1  # nobody killed it while it loaded
    assert loading_s > LEASE_S
