"""Choosing again from a finished job, over HTTP."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import httpx
import pytest

from shared.database.repositories.users import Role
from shared.database.tables import Job
from shared.states import Stage, State
from tests.shared.database.jobs import add_candidates, add_job
from tests.shared.database.test_selections import MEMBERS, decided

ENERGIES = [
    {"a": -2.0, "b": -1.4, "c": -1.4},
    {"a": -1.2, "b": -1.3, "c": -1.4},
    {"a": -1.0, "b": None, "c": -1.0},
]


@pytest.fixture
def finished(service) -> Iterator[tuple[httpx.Client, str, list[int]]]:
    """A client, its finished job, and the ids of the job's three candidates."""
    name = f"chooser-{uuid4()}"
    with service.client(name=name) as client:
        with service.opened.begin() as session:
            job = add_job(session, user=name, state=State.RUNNING)
            job.score_members, job.stage = list(MEMBERS), Stage.DONE
            made = [one.id for one in add_candidates(session, job, ENERGIES)]
            decided(session, job)
            job.state, job.ended_at = State.SUCCEEDED, job.created_at
            session.flush()
            job_id = str(job.id)
        yield client, job_id, made


def path(job: str) -> str:
    return f"/v1/jobs/{job}/selections"


def ids(minima: dict) -> list[int]:
    return [one["id"] for one in minima["minima"]]


def test_another_limit_another_answer_and_the_first_stays(finished):
    client, job, (unsure, sure, third) = finished
    assert ids(client.get(f"/v1/jobs/{job}/minima").json()) == [sure, third]
    answer = client.post(path(job), json={"limit": 0.5, "count": 2})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["number"], body["limit"], body["n_passing"]) == (1, 0.5, 3)
    assert ids(body["minima"]) == [unsure, sure]
    assert body["minima"]["minima"][0]["score"]["verdict"].startswith("chosen: the lowest of 3")
    assert ids(client.get(f"/v1/jobs/{job}/minima").json()) == [sure, third]
    assert ids(client.get(f"/v1/jobs/{job}/minima", params={"selection": 1}).json()) == [unsure, sure]
    assert ids(client.get(f"{path(job)}/1").json()["minima"]) == [unsure, sure]
    assert [one["number"] for one in client.get(path(job)).json()["selections"]] == [0, 1]
    judged = client.get(f"/v1/jobs/{job}/candidates", params={"selection": 1}).json()["candidates"]
    assert judged[2]["score"]["verdict"] == "rank 2, 0.60 eV above the lowest; the 2 lowest are chosen"
    assert judged[2]["score"]["missing"] == ["b"]
    own = client.get(f"/v1/jobs/{job}/candidates").json()["candidates"]
    assert own[0]["score"]["verdict"] == "std 0.35 eV exceeds the limit of 0.30 eV"


def test_other_members_and_weights(finished):
    client, job, (unsure, sure, _) = finished
    body = client.post(path(job), json={"members": ["b", "c"]}).json()
    assert ids(body["minima"]) == [unsure, sure]  # these two agree on it
    assert body["minima"]["minima"][0]["score"]["mean"] == pytest.approx(-1.4)
    without = client.post(path(job), json={"members": ["a", "c"]}).json()
    judged = client.get(f"/v1/jobs/{job}/candidates", params={"selection": without["number"]}).json()["candidates"]
    assert judged[2]["score"]["missing"] == []  # b failed there, and nobody asked it
    heavy = client.post(path(job), json={"weights": {"a": 10.0}, "limit": 1.0, "spread": "range"}).json()
    assert heavy["minima"]["minima"][0]["score"]["mean"] == pytest.approx(-22.8 / 12)
    assert heavy["rules"]["spread"] == "range"


@pytest.mark.parametrize(
    ("asked", "field", "why"),
    [
        ({"members": ["a", "x"]}, "members", "x did not score this job; a, b, c did"),
        ({"weights": {"x": 1.0}}, "weights", "weights for x"),
        ({"limit": "calibrated"}, "limit", "there is no calibration for a, b, c"),
        ({"limit": -1}, "limit", "greater than 0"),
        ({"colour": "red"}, "colour", "no field of this name"),
    ],
)
def test_refusals(finished, asked, field, why):
    client, job, _ = finished
    answer = client.post(path(job), json=asked)
    assert answer.status_code == 422
    assert field in answer.json()["field"]
    assert why in answer.text


def test_an_open_job_is_not_chosen_from_and_others_jobs_are_not_seen(service, finished):
    client, job, _ = finished
    with service.opened.begin() as session:
        session.get_one(Job, UUID(job)).state = State.RUNNING
        session.get_one(Job, UUID(job)).ended_at = None
    assert client.post(path(job), json={}).status_code == 409
    with service.client() as stranger:
        assert stranger.get(path(job)).status_code == 404
        assert stranger.post(path(job), json={}).status_code == 404
    with service.client(Role.READ) as reader:
        assert reader.post(path(job), json={}).status_code == 403
    assert client.get(f"{path(job)}/9").status_code == 404
    assert client.get(f"/v1/jobs/{job}/minima", params={"selection": 9}).status_code == 404
