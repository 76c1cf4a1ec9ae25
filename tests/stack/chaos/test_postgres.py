"""Rows 9, 10, 21, 22 and 28: PostgreSQL restarts, is away, full, cut off, or of another version."""

import os
import signal
import time

import httpx
import pytest

from shared.states import State
from tests.stack.chaos.lab import LEASE_S, Lab
from tests.stack.chaos.proxy import Proxy

pytestmark = pytest.mark.stack
JOB = {"hops": 1, "count": 2}


@pytest.mark.fault(9, "Postgres restarted (immediate)")
def test_a_restart_is_survived_by_api_and_worker(lab: Lab):
    lab.undisturbed(**JOB)
    lab.arm("slow", 0.1)
    job = lab.submit(**JOB)
    lab.wait_for_hops(job, 1)
    lab.stop_postgres()
    answer = lab.post(hops=1, timeout_s=30)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert httpx.get(f"{lab.stack.url}/healthz", timeout=10).status_code == 200
    lab.stack.postgres.start()
    lab.disarm("slow")
    lab.until(lambda: lab.post(hops=1).status_code == 201, "the API's recovery")
    lab.check(job, **JOB)


@pytest.mark.fault(10, "Postgres away longer than the lease")
def test_work_whose_lease_ended_with_postgres_away_is_done_again(lab: Lab):
    lab.undisturbed(**JOB)
    lab.arm("slow", 0.1)
    job = lab.submit(**JOB)
    lab.wait_for_hops(job, 2)
    owner = lab.freeze_holder(job)  # it will want to write when all is over
    lab.stop_postgres()
    time.sleep(LEASE_S + 1)
    lab.stack.postgres.start()
    lab.disarm("slow")
    lab.wait_for(job)
    os.kill(owner, signal.SIGCONT)
    another = lab.submit(**JOB)
    lab.check(job, another, **JOB)
    assert {one.failure_kind for one in lab.attempts(job)} == {"worker_lost"}


@pytest.mark.fault(21, "disk full under Postgres")
def test_a_full_disk_fails_requests_cleanly_and_recovers(lab: Lab):
    if not lab.disk.mounted:
        pytest.skip("this user may not mount a small disk")
    lab.undisturbed(**JOB)
    lab.disk.fill()
    refused = lab.until(
        lambda: next((one for one in [lab.post(hops=1)] if one.status_code != 201), None), "a refusal", watch=False
    )
    assert refused.status_code == 503, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    assert "Retry-After" in refused.headers
    accepted = lab.count_jobs()
    lab.disk.empty()
    lab.until(lambda: lab.post(hops=1).status_code == 201, "recovery")
    job = lab.submit(**JOB)
    lab.until(lambda: lab.count_jobs(State.SUCCEEDED) == accepted + 2, "the end of every job")
    lab.check(job, **JOB)


@pytest.mark.fault(22, "network cut between worker and Postgres")
@pytest.mark.parametrize("how", [pytest.param("cut", marks=pytest.mark.slow_fault), "hold"])
def test_a_worker_that_is_cut_off_stops_by_itself_and_another_goes_on(lab: Lab, how: str):
    lab.undisturbed(**JOB)
    with Proxy(lab.stack.postgres.port) as proxy:
        url = lab.stack.postgres.url(lab.stack.database).replace(str(lab.stack.postgres.port), str(proxy.port))
        for name in ("w0", "w1"):
            lab.kill(name)
        lab.run("w2", variables={"ADHOP_DATABASE_URL": url})
        lab.worker_pid("w2")
        lab.arm("slow", 0.1)
        job = lab.submit(**JOB)
        lab.wait_for_hops(job, 1)
        lab.until(lambda: lab.held(job), "a hop in flight", watch=False)
        proxy.cut() if how == "cut" else proxy.hold()
        lab.disarm("slow")
        lab.run("w0")
        lab.wait_for(job)
        proxy.heal()
        lab.kill("w0")
        another = lab.submit(**JOB)  # the one that was cut off works again
        lab.check(job, another, **JOB)
        lab.kill("w2")


@pytest.mark.fault(22, "network cut between worker and Postgres")
def test_a_commit_whose_answer_was_lost_is_neither_repeated_nor_a_failure(lab: Lab):
    lab.undisturbed(**JOB)
    lab.arm("answer-lost")
    job = lab.submit(**JOB)
    lab.check(job, **JOB)
    assert lab.marked("answer-lost-struck")
    assert lab.attempts() == []


@pytest.mark.fault(28, "migration with live workers")
def test_old_workers_drain_when_the_tables_change(lab: Lab):
    lab.undisturbed(**JOB)
    lab.arm("slow", 0.1)
    jobs = [lab.submit(**JOB) for _ in range(2)]
    lab.wait_for_hops(jobs[0], 1)
    with lab.migrated():
        lab.disarm("slow")
        lab.until(lambda: not any(map(lab.held, jobs)), "the end of what was in flight")
        reasons = lab.until(
            lambda: (
                {one.reason for one in lab.fresh_workers() if not one.ready}
                if not any(one.ready for one in lab.fresh_workers())
                else None
            ),
            "every worker's refusal",
        )
        assert all("version" in reason for reason in reasons)
        claimed = len(lab.events("claim"))
        lab.notify("toy", 2)
        time.sleep(2)
        assert len(lab.events("claim")) == claimed
        assert State.SUCCEEDED not in map(lab.state, jobs)
    lab.check(*jobs, **JOB)
