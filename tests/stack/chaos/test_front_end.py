"""Rows 11, 24, 26 and 27: the API dies, jobs are cancelled, one user floods, another sends poison."""

import gzip
import time
from uuid import UUID

import httpx
import pytest

from shared.states import State
from tests.stack.chaos.lab import Lab
from tests.stack.chaos.machine import thaw_in

pytestmark = pytest.mark.stack
JOB = {"hops": 1, "count": 2}


@pytest.mark.fault(11, "API killed between commit and notification")
def test_a_job_that_nobody_answered_for_runs_and_is_found_by_its_key(lab: Lab):
    lab.arm("die-before-notification")
    with pytest.raises(httpx.HTTPError):
        lab.post(key="once", hops=1)
    assert lab.marked("die-before-notification-struck")
    lab.kill("api")
    lab.run("api")
    lab.until(lambda: lab.stack._unready() is None, "the API")
    again = lab.post(key="once", hops=1)
    assert again.status_code == 200, again.text
    third = lab.post(key="once", hops=1)
    assert third.json()["id"] == again.json()["id"]
    assert lab.count_jobs() == 1
    assert lab.wait_for(UUID(again.json()["id"])) == [State.SUCCEEDED]
    lab.check_rules()


@pytest.mark.fault(24, "cancel while queued, running, committing")
@pytest.mark.parametrize("moment", [pytest.param("queued", marks=pytest.mark.slow_fault), "running", "committing"])
def test_a_cancelled_job_ends_and_frees_its_worker(lab: Lab, moment: str):
    lab.undisturbed(**JOB)
    if moment == "committing":
        lab.arm("freeze-in-transaction")
    lab.arm("slow", 0.03)
    job = lab.submit(hops=40, count=3, seed=4)
    frozen = None
    if moment == "running":
        lab.wait_for_hops(job, 3)
        lab.until(lambda: lab.held(job), "a hop in flight", watch=False)
    if moment == "committing":
        frozen = int(lab.until(lambda: lab.marked("freeze-in-transaction-struck"), "a commit")[0])
    with lab.client() as client:
        if frozen is not None:
            thaw_in(0.5, frozen)
        answer = client.delete(f"/v1/jobs/{job}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "cancelled"
    began = time.monotonic()
    lab.disarm("slow")
    following = lab.submit(**JOB)
    lab.until(lambda: lab.hops(following), "the next job's first result", watch=False)
    assert time.monotonic() - began < 30
    lab.check(following, **JOB)
    assert lab.state(job) is State.CANCELLED
    assert lab.held(job) == 0
    after = lab.hops(job)
    assert lab.attempts(job) == []
    time.sleep(1)
    assert lab.hops(job) == after


@pytest.mark.fault(26, "one user submits 500 jobs, then another one")
def test_the_other_users_job_starts_within_one_turn(lab: Lab):
    small = {"hops": 0, "count": 1, "element": "Pd"}
    lab.undisturbed(**small)
    lab.submit_many(500, user="first", hops=0, count=1)
    lab.until(lambda: len(lab.events("finish", "member_energies")) > 4, "the first user's work under way")
    other = lab.submit(**small, user="second")
    lab.wait_for(other)
    # Two workers may each be in the midst of a claim when the row appears.
    assert max(lab.turns_before(other).values()) <= 2
    assert lab.count_jobs(State.SUCCEEDED, user="first") < 100
    lab.check(other, **small)
    lab.cancel_all()
    lab.check_rules()


HOSTILE = {
    "a POSCAR of 4e8 atoms": ("poscar", "Pt\n1.0\n5 0 0\n0 5 0\n0 0 20\nPt\n400000000\nDirect\n0 0 0\n"),
    "an array shape of 15 GiB": (
        "ase-json",
        '{"numbers": [78], "cell": [[5,0,0],[0,5,0],[0,0,20]], "positions": {"__ndarray__": [[2000000000], "float64", []]}}',
    ),
    "NaN": ("ase-json", '{"numbers": [NaN]}'),
    "name@index": ("poscar", "POSCAR@0"),
    "standard input": ("extxyz", "-"),
    "a database": ("ase-json", "postgresql://postgres@127.0.0.1/postgres"),
    "deep JSON": ("ase-json", "[" * 2_000_000),
}


@pytest.mark.fault(27, "hostile upload")
def test_hostile_uploads_are_refused_while_a_job_runs_on(lab: Lab):
    lab.undisturbed(**JOB)
    lab.arm("slow", 0.01)
    job = lab.submit(**JOB)
    lab.wait_for_hops(job, 1)
    before = lab.memory("api")
    with lab.client() as client:
        for what, (form, hostile) in HOSTILE.items():
            began = time.monotonic()
            body = {"input": {"kind": "slab", "slab": {"format": form, "text": hostile}, "adsorbate": "*CO"}}
            answer = client.post("/v1/jobs", json=body)
            assert answer.status_code == 422, (what, answer.text)
            assert answer.json()["field"] == "input.slab", what
            assert time.monotonic() - began < 5, what
        packed = gzip.compress(bytes(90_000_000))
        answer = client.post("/v1/jobs", content=packed, headers={"Content-Encoding": "gzip"})
        assert answer.status_code == 415
    assert lab.memory("api") - before < 200e6
    lab.disarm("slow")
    lab.check(job, **JOB)
