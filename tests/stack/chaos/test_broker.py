"""Rows 5 to 8, 12 and 13: the broker dies, forgets, freezes or is full; messages come often or late."""

import os
import shutil
import signal
import time

import httpx
import pytest
import redis

from shared.states import State
from tests.stack.chaos.lab import Lab

pytestmark = pytest.mark.stack
JOB = {"hops": 1, "count": 2}


@pytest.mark.fault(5, "broker kill -9 and restart, with and without AOF")
@pytest.mark.parametrize("kept", [pytest.param(True, marks=pytest.mark.slow_fault), False], ids=["AOF", "no AOF"])
def test_running_work_goes_on_and_new_jobs_start_again(lab: Lab, kept: bool):
    lab.undisturbed(**JOB)
    lab.arm("slow", 0.1)
    running = lab.submit(**JOB)
    lab.wait_for_hops(running, 1)
    lab.stack.valkey.kill()
    before = lab.hops(running)
    lab.until(lambda: lab.hops(running) > before, "a hop without a broker", watch=False)
    meanwhile = lab.submit(**JOB)
    if not kept:
        shutil.rmtree(lab.stack.valkey.folder / "appendonlydir")
    lab.stack.valkey.start()
    lab.disarm("slow")
    began = time.monotonic()
    lab.until(lambda: lab.state(meanwhile) is not State.QUEUED, "the start of the new job", watch=False)
    assert time.monotonic() - began < 60
    lab.check(running, meanwhile, **JOB)
    assert lab.attempts() == []


@pytest.mark.fault(6, "FLUSHALL with queued jobs")
def test_forgotten_messages_lose_no_job(lab: Lab):
    lab.undisturbed(**JOB)
    for name in ("cpu", "w0", "w1"):
        os.kill(lab.stack.child(name).process.pid, signal.SIGSTOP)  # nobody listens
    jobs = [lab.submit(**JOB) for _ in range(3)]
    with redis.Redis.from_url(lab.stack.valkey.url) as broker:
        lab.until(lambda: broker.llen("cpu"), "the wake-up message", watch=False)
        broker.flushall()
    for name in ("cpu", "w0", "w1"):
        os.kill(lab.stack.child(name).process.pid, signal.SIGCONT)
    lab.check(*jobs, **JOB)


@pytest.mark.fault(7, "broker frozen 60 s")
@pytest.mark.parametrize("frozen_s", [12, pytest.param(60, marks=pytest.mark.slow_fault)], ids=["12 s", "60 s"])
def test_jobs_are_accepted_while_the_broker_is_frozen(lab: Lab, frozen_s: int):
    lab.undisturbed(**JOB)
    broker = lab.stack.valkey.pid
    os.kill(broker, signal.SIGSTOP)
    try:
        until = time.monotonic() + frozen_s
        began = time.monotonic()
        answer = lab.post(hops=1, timeout_s=15)
        assert answer.status_code == 201, answer.text
        assert time.monotonic() - began < 15
        inserted = lab.submit(**JOB)
        lab.until(lambda: time.monotonic() > until, "the end of the freeze", frozen_s + 5, watch=False)
    finally:
        os.kill(broker, signal.SIGCONT)
    assert lab.wait_for(answer.json()["id"]) == [State.SUCCEEDED]
    lab.check(inserted, **JOB)


@pytest.mark.fault(7, "broker frozen 60 s")
def test_a_worker_goes_on_after_a_broker_frozen_just_as_a_task_ends(lab: Lab):
    lab.undisturbed(**JOB)
    lab.kill("w1")
    worker = lab.stack.child("w0").process.pid
    lab.arm("slow", 0.1)
    job = lab.submit(**JOB)
    lab.wait_for_hops(job, 1)
    broker = lab.stack.valkey.pid
    os.kill(broker, signal.SIGSTOP)
    try:
        lab.disarm("slow")
        said = lab.stack.child("w0").log
        lab.until(lambda: "Couldn't ack" in said.read_text(), "an acknowledgement that fails", watch=False)
    finally:
        os.kill(broker, signal.SIGCONT)
    lab.check(job, lab.submit(**JOB), **JOB)
    assert lab.stack.child("w0").process.pid == worker


@pytest.mark.fault(7, "broker frozen 60 s")
def test_a_worker_that_takes_no_message_is_started_again(lab: Lab):
    lab.undisturbed(**JOB)
    for name in ("w0", "w1"):
        lab.kill(name)
    lab.run("w2", members=("toy",), variables={"ADHOP_WATCHDOG_S": "3"})
    lab.worker_pid("w2")
    before = lab.stack.child("w2").process.pid
    lab.arm("place-taken", process="w2")
    lab.notify("toy", 1)
    lab.until(lambda: lab.marked("place-taken-struck"), "a message that keeps its place")
    lab.check(lab.submit(**JOB), **JOB)
    assert lab.stack.child("w2").process.pid != before


@pytest.mark.fault(8, "broker out of memory")
def test_jobs_are_accepted_while_the_broker_is_full_and_readiness_says_so(lab: Lab):
    lab.undisturbed(**JOB)
    with lab.full_broker():
        answer = lab.post(hops=1)
        assert answer.status_code == 201, answer.text
        ready = httpx.get(f"{lab.stack.url}/readyz", timeout=30)
        assert ready.status_code == 503
        reasons = {check["name"]: check["reason"] for check in ready.json()["checks"] if not check["ok"]}
        assert "broker" in reasons, reasons  # and members whose worker the full broker has just ended
        assert "memory" in reasons["broker"]
        inserted = lab.submit(**JOB)
    assert lab.wait_for(answer.json()["id"]) == [State.SUCCEEDED]
    lab.check(inserted, **JOB)


@pytest.mark.fault(8, "broker out of memory")
def test_a_worker_that_a_full_broker_ends_is_started_again(lab: Lab):
    lab.undisturbed(**JOB)
    lab.kill("w1")
    worker, said = lab.stack.child("w0").process.pid, lab.stack.child("w0").log
    os.kill(worker, signal.SIGSTOP)  # so that it takes the message when the broker is full already
    lab.notify("toy")
    with lab.full_broker():
        os.kill(worker, signal.SIGCONT)
        lab.until(lambda: "OutOfMemoryError" in said.read_text(), "the broker's refusal", watch=False)
    lab.check(lab.submit(**JOB), **JOB)


@pytest.mark.fault(12, "the same message ten times, to several workers")
def test_one_claim_wins_and_the_other_messages_do_nothing(lab: Lab):
    lab.undisturbed(**JOB)
    lab.arm("slow", 0.01)
    job = lab.submit(**JOB)
    lab.wait_for_hops(job, 1)
    lab.notify("toy", 10)
    lab.disarm("slow")
    lab.check(job, **JOB)
    lab.notify("toy", 10)
    claimed, finished = lab.events("claim"), lab.events("finish")
    assert len({one.token for one in claimed}) == len({(one.work, one.row_id, one.token) for one in claimed})
    assert len(claimed) == len(finished)  # nothing was claimed twice for one result
    assert lab.attempts() == []


@pytest.mark.fault(13, "an old message after the job ended")
def test_a_message_after_the_end_changes_nothing(lab: Lab):
    lab.undisturbed(**JOB)
    job = lab.submit(**JOB)
    lab.check(job, **JOB)
    lab.until(lambda: lab.measured(job), "the dispatcher's look at what the job stores")
    before = lab.contents()
    lab.notify("toy", 3)
    lab.wait_until_idle()
    assert lab.contents() == before
