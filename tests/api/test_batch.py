"""Many jobs in one request: each is told by itself, limits are judged over all, and nothing that is refused is stored."""

import time
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from shared.database.repositories.users import Role
from shared.database.tables import AuditEntry, Job, StageRow, User
from tests.api.structures import BULK_JOB, slab, text

NO_ELEMENT = BULK_JOB | {"input": BULK_JOB["input"] | {"bulk": {"element": "Xx"}}}
MISSPELT = BULK_JOB | {"prioriti": 3}
UNKNOWN_MEMBER = BULK_JOB | {"parameters": {"ensemble": {"search_members": ["nobody"]}}}
STRANGE_GROUP = BULK_JOB | {"group": "not mine"}
TEXT_JOB = {"input": {"kind": "slab", "slab": text(slab()), "adsorbate": "*OH"}}


def batch(client, *jobs: dict[str, Any], status: int = 200, keys: list[str] | None = None) -> dict[str, Any]:
    entries = [{"job": job} | ({"idempotency_key": keys[n]} if keys else {}) for n, job in enumerate(jobs)]
    answer = client.post("/v1/jobs:batch", json={"jobs": entries})
    assert answer.status_code == status, answer.text
    return answer.json()


def stored(service, name: str) -> int:
    with service.opened() as session:
        return session.scalar(select(func.count()).select_from(Job).join(User).where(User.name == name))


@pytest.fixture
def mine(service):
    """A user's client, and that user's name."""
    name = f"batch-{time.time_ns()}"
    with service.client(name=name) as client:
        yield client, name


def test_each_is_queued_or_refused_as_it_would_be_alone(service, mine):
    client, name = mine
    bodies = [BULK_JOB, NO_ELEMENT, TEXT_JOB, MISSPELT, UNKNOWN_MEMBER, STRANGE_GROUP, {}, BULK_JOB | {"name": "last"}]
    answer = batch(client, *bodies)
    assert (answer["accepted"], answer["refused"]) == (3, 5)
    assert [one["id"] is not None for one in answer["jobs"]] == [True, False, True, False, False, False, False, True]
    assert stored(service, name) == 3
    for body, one in zip(bodies, answer["jobs"], strict=True):
        alone = client.post("/v1/jobs", json=body)
        if one["id"] is None:
            assert one["refused"] == {"field": None, "errors": None} | alone.json()
            assert not one["created"]
            continue
        single = client.get(f"/v1/jobs/{one['id']}").json()
        same = (
            "name",
            "adsorbate",
            "surface",
            "warnings",
            "parameters",
            "search_members",
            "score_members",
            "stored_bytes",
        )
        assert {key: single[key] for key in same} == {key: alone.json()[key] for key in same}
        assert {key: one[key] for key in ("name", "state", "stage", "adsorbate", "surface", "warnings")} == {
            key: single[key] for key in ("name", "state", "stage", "adsorbate", "surface", "warnings")
        }
        with service.opened() as session:
            job_id = UUID(one["id"])
            assert session.scalars(select(StageRow.work).where(StageRow.job_id == job_id)).all() == ["placement"]
            acts = select(AuditEntry.action).where(AuditEntry.job_id == job_id)
            assert session.scalars(acts).all() == ["job.submit"]


def test_the_same_keys_give_the_same_jobs(service, mine):
    client, name = mine
    keys = ["a", "b", "a", "a"]
    bodies = [BULK_JOB, TEXT_JOB, BULK_JOB, BULK_JOB | {"name": "another"}]
    first = batch(client, *bodies, keys=keys)["jobs"]
    assert [one["created"] for one in first] == [True, True, False, False]
    assert first[2]["id"] == first[0]["id"]
    assert first[3]["refused"]["status"] == 409
    assert first[0]["id"] in first[3]["refused"]["detail"]
    again = batch(client, *bodies, keys=keys)
    assert [one["id"] for one in again["jobs"]] == [one["id"] for one in first]
    assert not any(one["created"] for one in again["jobs"])
    assert again["accepted"] == 3
    single = client.post("/v1/jobs", json=BULK_JOB, headers={"Idempotency-Key": "a"})
    assert (single.status_code, single.json()["id"]) == (200, first[0]["id"])
    assert stored(service, name) == 2


def test_limits_are_judged_over_all_and_what_was_made_before_is_still_told(service, mine):
    client, name = mine
    with service.opened.begin() as session:
        session.execute(update(User).where(User.name == name).values(max_open_jobs=60))
    made = batch(client, BULK_JOB, keys=["known"])["jobs"][0]
    keys = [f"k{n}" for n in range(119)] + ["known"]
    answer = batch(client, *[BULK_JOB] * 120, keys=keys)
    assert (answer["accepted"], answer["refused"]) == (60, 60)
    assert answer["jobs"][-1]["id"] == made["id"]
    refused = answer["jobs"][59]["refused"]
    assert refused["status"] == 429
    assert "60 of your jobs are open and 60 are allowed" in refused["detail"]
    assert stored(service, name) == 60


@pytest.mark.parametrize("limit", ["max_open_force_calls", "max_bytes"])
def test_force_calls_and_bytes_add_up_within_a_request(service, mine, limit):
    client, name = mine
    one = client.post("/v1/jobs", json=BULK_JOB).json()
    each = one["estimated_force_calls"] if limit == "max_open_force_calls" else one["stored_bytes"]
    with service.opened.begin() as session:
        session.execute(update(User).where(User.name == name).values({limit: 4 * each}))
    answer = batch(client, *[BULK_JOB] * 6)
    assert [job["id"] is not None for job in answer["jobs"]] == [True] * 3 + [False] * 3
    assert {job["refused"]["status"] for job in answer["jobs"][3:]} == {429}


def test_a_value_that_cannot_be_stored_refuses_its_own_job_alone(service, mine):
    client, name = mine
    huge = BULK_JOB | {"parameters": {"seed": 3, "max_force_calls": 2**62}}
    alone = client.post("/v1/jobs", json=huge)
    before = stored(service, name)
    answer = batch(client, BULK_JOB, huge, BULK_JOB)
    assert [one["id"] is not None for one in answer["jobs"]] == [True, alone.status_code == 201, True]
    assert stored(service, name) == before + answer["accepted"]


def test_ten_thousand_are_sent_back_and_a_thousand_half_of_them_bad_are_sorted_out(service, mine):
    client, name = mine
    entries = [{"job": BULK_JOB if n % 2 else NO_ELEMENT} for n in range(10_000)]
    answer = client.post("/v1/jobs:batch", json={"jobs": entries})
    assert answer.status_code == 422
    assert stored(service, name) == 0
    small = [{"job": {"input": 1}}] * 1001
    answer = client.post("/v1/jobs:batch", json={"jobs": small})
    assert answer.status_code == 422
    assert "1000" in answer.json()["detail"]
    with service.opened.begin() as session:
        session.execute(update(User).where(User.name == name).values(max_open_jobs=100))
    sorted_out = client.post("/v1/jobs:batch", json={"jobs": entries[:1000]}).json()
    assert (sorted_out["accepted"], sorted_out["refused"]) == (100, 900)
    assert {one["refused"]["status"] for one in sorted_out["jobs"] if one["refused"]} == {422, 429}
    assert all(one["refused"]["status"] == 422 for one in sorted_out["jobs"][:200:2])
    assert stored(service, name) == 100


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "jobs"),
        ({"jobs": []}, "jobs"),
        ({"jobs": [1]}, "jobs.0"),
        ({"jobs": [{"jop": {}}]}, "jobs.0.job"),
        ({"jobs": [{"job": {}, "idempotency_key": "ä"}]}, "jobs.0.idempotency_key"),
        ({"jobs": [], "more": 1}, "jobs"),
    ],
)
def test_a_request_that_is_no_list_of_jobs_is_refused_whole(client, body, field):
    answer = client.post("/v1/jobs:batch", json=body)
    assert answer.status_code == 422
    assert answer.json()["field"] == field


def test_only_those_who_may_submit(service):
    with service.client(Role.READ) as reader:
        assert reader.post("/v1/jobs:batch", json={"jobs": [{"job": BULK_JOB}]}).status_code == 403
