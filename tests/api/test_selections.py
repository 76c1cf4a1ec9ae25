"""Choosing again from a finished job, over HTTP."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import func, select

from shared.database.repositories.users import Role
from shared.database.tables import AuditEntry, Job, Score, Selection
from shared.states import Stage, State
from tests.api.conftest import closed_port, serving
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
        ({"limit": "calibrated"}, "limit", "there is no calibration in force for a, b, c"),
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


def test_what_was_asked_for_is_deleted_with_its_scores_and_its_number_is_not_given_again(service, finished):
    client, job, _ = finished
    numbers = [client.post(path(job), json={"limit": limit}).json()["number"] for limit in (0.4, 0.5)]
    assert numbers == [1, 2]
    with service.client() as stranger, service.client(Role.READ, name=client_name(client)) as reader:
        assert stranger.delete(f"{path(job)}/2").status_code == 404
        assert reader.delete(f"{path(job)}/2").status_code == 403
    assert client.delete(f"{path(job)}/2").status_code == 204
    assert client.delete(f"{path(job)}/2").status_code == 404
    assert client.get(f"{path(job)}/2").status_code == 404
    own = client.delete(f"{path(job)}/0")
    assert (own.status_code, "the answer of job" in own.json()["detail"]) == (409, True)
    assert client.post(path(job), json={"limit": 0.6}).json()["number"] == 3  # 2 was something else
    assert [one["number"] for one in client.get(path(job)).json()["selections"]] == [0, 1, 3]
    with service.opened() as session:
        of_job = select(Selection.id).where(Selection.job_id == UUID(job))
        assert session.scalar(select(func.count()).where(Score.selection_id.in_(of_job))) == 3 * 3
        acts = session.scalars(
            select(AuditEntry.subject).where(AuditEntry.job_id == UUID(job), AuditEntry.action == "selection.delete")
        )
        assert list(acts) == ["selection 2"]
    with service.client(Role.ADMIN) as chief:
        assert chief.delete(f"{path(job)}/1").status_code == 204


def test_there_is_a_limit_to_the_selections_of_a_job_also_when_many_are_asked_for_at_once(service, finished):
    client, job, _ = finished
    limits = {"max_selections_per_job": 3, "max_selections_per_user": 5000}
    with serving(service.database_url, f"redis://127.0.0.1:{closed_port()}/0", **limits) as small:
        url, key = small.url + path(job), client.headers["Authorization"]

        def ask(_: int) -> int:
            return httpx.post(url, json={}, headers={"Authorization": key}, timeout=60).status_code

        with ThreadPoolExecutor(8) as beside:
            statuses = sorted(beside.map(ask, range(8)))
        assert statuses == [201] * 3 + [409] * 5
        said = httpx.post(url, json={}, headers={"Authorization": key}).json()["detail"]
        assert "has 3 selections beside its own, and 3 are allowed: delete some first" in said
        assert (
            client.delete(f"{path(job)}/{client.get(path(job)).json()['selections'][1]['number']}").status_code == 204
        )
        assert ask(0) == 201


def test_there_is_a_limit_to_the_selections_of_a_user(service, finished):
    client, job, _ = finished
    limits = {"max_selections_per_user": 1}
    with serving(service.database_url, f"redis://127.0.0.1:{closed_port()}/0", **limits) as small:
        key = {"Authorization": client.headers["Authorization"]}
        answers = [httpx.post(small.url + path(job), json={}, headers=key) for _ in range(2)]
    assert [one.status_code for one in answers] == [201, 409]
    assert "you have 1 selections, and 1 are allowed" in answers[1].json()["detail"]


def client_name(client: httpx.Client) -> str:
    """Of the user behind a client."""
    return str(client.get("/v1/jobs").json()["jobs"][0]["user"])


def test_a_job_that_stores_more_or_less_is_measured_again(service, finished):
    client, job, (candidate, *_) = finished
    label = {"functional": "PBE", "code": "VASP", "adsorption_energy": -1.0}
    fed = f"/v1/candidates/{candidate}/reference-energies"
    numbers: dict[str, int] = {}

    def feed() -> httpx.Response:
        answer = client.post(fed, json=label)
        numbers["label"] = answer.json()["id"]
        return answer

    for ask in (
        lambda: client.post(path(job), json={"limit": 0.5}),
        lambda: client.delete(f"{path(job)}/1"),
        feed,
        lambda: client.delete(f"{fed}/{numbers['label']}"),
    ):
        with service.opened.begin() as session:
            session.get_one(Job, UUID(job)).measured_at = func.now()
        assert ask().is_success
        with service.opened() as session:
            assert session.get_one(Job, UUID(job)).measured_at is None
