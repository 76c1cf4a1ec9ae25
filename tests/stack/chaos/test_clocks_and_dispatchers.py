"""Rows 20 and 25: a worker's clock that is wrong; no dispatcher, or two."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.stack.chaos.lab import LEASE_S, Lab

pytestmark = pytest.mark.stack
JOB = {"hops": 1, "count": 2}
SHIM = Path(__file__).parent / "clock_shift.c"


@pytest.fixture(scope="session")
def clock_shift(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared object that shifts a process's wall clock by ADHOP_CHAOS_SHIFT_S."""
    made = tmp_path_factory.mktemp("shim") / "clock_shift.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(made), str(SHIM), "-ldl"], check=True)
    return made


@pytest.mark.fault(20, "worker clock off by an hour")
@pytest.mark.parametrize("shift_s", [3600, pytest.param(-3600, marks=pytest.mark.slow_fault)])
def test_only_postgres_clock_counts(lab: Lab, clock_shift: Path, shift_s: int):
    lab.undisturbed(**JOB)
    lab.wait_until_idle()  # a worker killed in a task would leave its message unacknowledged
    for name in ("w0", "w1"):
        lab.kill(name)
    lab.run("w2", variables={"LD_PRELOAD": str(clock_shift), "ADHOP_CHAOS_SHIFT_S": str(shift_s)})
    lab.worker_pid("w2")
    job = lab.submit(**JOB)
    lab.arm("slow", 0.4)  # what is in hand takes longer than a lease
    lab.until(lambda: lab.held(job), "a walker in hand", watch=False)
    assert lab.longest_lease() <= LEASE_S
    time.sleep(LEASE_S + 2)
    lab.disarm("slow")
    lab.wait_for(job)
    lab.wait_until_idle()
    later = lab.submit(**JOB)  # for a worker that must be woken
    lab.check(job, later, **JOB)
    assert lab.attempts() == []
    assert lab.said("w2", shift_s)  # its own log carries the wrong time


@pytest.mark.fault(25, "two dispatchers, or one killed")
def test_dispatchers_may_be_two_or_none(lab: Lab):
    lab.undisturbed(**JOB)
    lab.run("dispatcher-2")
    both = lab.submit(**JOB)
    lab.until(lambda: lab.hops(both), "work under two dispatchers")
    lab.kill("dispatcher")
    one = lab.submit(**JOB)
    lab.until(lambda: lab.hops(one), "work under the one left")
    lab.kill("dispatcher-2")
    lab.wait_for(both, one)
    alone = lab.submit(**JOB)
    lab.notify_cpu()
    lab.wait_for(alone)  # messages of the workers themselves carry it
    lab.check(both, one, alone, **JOB)
    assert lab.attempts() == []
