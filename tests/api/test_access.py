"""Who may do what, how much of it, and that every refusal is a problem document."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from shared.database.repositories.users import Role, revoke
from tests.api.conftest import ALPHA, BETA, closed_port, serving
from tests.api.structures import BULK_JOB

SOME_JOB = "00000000-0000-4000-8000-000000000000"
PROTECTED = [
    ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs"),
    ("POST", "/v1/jobs:batch"),
    ("POST", "/v1/jobs:cancel"),
    ("GET", f"/v1/jobs/{SOME_JOB}"),
    ("DELETE", f"/v1/jobs/{SOME_JOB}"),
    ("PATCH", f"/v1/jobs/{SOME_JOB}"),
    ("DELETE", f"/v1/jobs/{SOME_JOB}/data"),
    ("GET", f"/v1/jobs/{SOME_JOB}/attempts"),
    ("GET", f"/v1/jobs/{SOME_JOB}/candidates"),
    ("GET", f"/v1/jobs/{SOME_JOB}/minima"),
    ("GET", f"/v1/jobs/{SOME_JOB}/system"),
    ("POST", "/v1/systems"),
    ("POST", f"/v1/jobs/{SOME_JOB}/selections"),
    ("GET", f"/v1/jobs/{SOME_JOB}/selections"),
    ("GET", f"/v1/jobs/{SOME_JOB}/selections/0"),
    ("GET", f"/v1/jobs/{SOME_JOB}/dft-inputs"),
    ("POST", "/v1/candidates/1/reference-energies"),
    ("GET", "/v1/candidates/1/reference-energies"),
    ("POST", "/v1/calibrations"),
    ("GET", "/v1/calibrations"),
    ("GET", "/v1/calibrations/0"),
    ("POST", "/v1/calibrations/0/publish"),
    ("POST", "/v1/calibrations/0/withdraw"),
    ("DELETE", "/v1/calibrations/0"),
    ("GET", "/v1/references"),
    ("GET", "/v1/references/0"),
    ("POST", "/v1/references/0/retry"),
    ("DELETE", f"/v1/jobs/{SOME_JOB}/selections/0"),
    ("DELETE", "/v1/candidates/1/reference-energies/0"),
    ("GET", "/v1/me"),
    ("POST", "/v1/me/sign-in-link"),
    ("POST", "/v1/session"),
    ("DELETE", "/v1/session"),
    ("GET", "/v1/events"),
    ("GET", "/v1/adsorbates"),
    ("GET", "/v1/adsorbates/smiles"),
    ("GET", f"/v1/jobs/{SOME_JOB}/overview"),
    ("GET", f"/v1/jobs/{SOME_JOB}/walkers"),
    ("GET", "/v1/load"),
    ("GET", "/v1/labels"),
    ("GET", "/v1/labels/next"),
    ("GET", f"/v1/jobs/{SOME_JOB}/candidates/1"),
    ("POST", f"/v1/jobs/{SOME_JOB}/selections:preview"),
    ("GET", "/v1/me/keys"),
    ("POST", "/v1/me/keys/abc/rotate"),
    ("DELETE", "/v1/me/keys/abc"),
    ("GET", "/v1/users"),
    ("POST", "/v1/users"),
    ("GET", "/v1/users/1"),
    ("PATCH", "/v1/users/1"),
    ("GET", "/v1/users/1/keys"),
    ("POST", "/v1/users/1/keys"),
    ("PATCH", "/v1/users/1/keys/abc"),
    ("POST", "/v1/users/1/keys/abc/rotate"),
    ("DELETE", "/v1/users/1/keys/abc"),
    ("GET", "/v1/groups"),
    ("POST", "/v1/groups"),
    ("DELETE", "/v1/groups/1"),
    ("PUT", "/v1/groups/1/members/1"),
    ("DELETE", "/v1/groups/1/members/1"),
    ("GET", "/v1/usage"),
    ("GET", "/v1/audit"),
    ("GET", "/v1/models"),
    ("GET", "/v1/workers"),
    ("GET", "/metrics"),
]


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document of a refusal with this status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert found["type"] == "about:blank"
    assert found["title"]
    assert found["detail"]
    return found


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_every_route_needs_a_key(service, method, path):
    answer = httpx.request(method, service.url + path, json=BULK_JOB if method == "POST" else None)
    assert "Authorization: Bearer" in problem(answer, 401)["detail"]
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_no_route_but_the_health_is_left_out_above(service):
    paths = httpx.get(f"{service.url}/openapi.json").json()["paths"]
    filled = {"job_id": SOME_JOB, "number": 0, "candidate_id": 1, "user_id": 1, "group_id": 1, "prefix": "abc"}
    found = {(method.upper(), path.format(**filled)) for path, methods in paths.items() for method in methods}
    assert found == {*PROTECTED, ("GET", "/healthz"), ("GET", "/readyz")}


def test_a_key_must_be_right_to_the_last_character(service):
    key = service.key()
    prefix = key.rpartition("_")[0]
    wrong = [
        key[:-1],
        key + "0",
        key[:-1] + ("0" if key[-1] != "0" else "1"),
        prefix,
        f"{prefix}_",
        key.upper(),
        "adhop",
        "_",
    ]
    details = set()
    for one in wrong:
        answer = httpx.get(f"{service.url}/v1/jobs", headers={"Authorization": f"Bearer {one}"})
        details.add(problem(answer, 401)["detail"])
    assert details == {"the API key is unknown, revoked or expired, or its user is disabled"}
    assert httpx.get(f"{service.url}/v1/jobs", headers={"Authorization": f"Bearer {key}"}).status_code == 200


@pytest.mark.parametrize("scheme", ["Basic", "Token", ""])
def test_a_key_in_another_scheme_is_no_key(service, scheme):
    answer = httpx.get(f"{service.url}/v1/jobs", headers={"Authorization": f"{scheme} {service.key()}".strip()})
    problem(answer, 401)


def test_a_revoked_key_ends_at_once_and_the_users_other_key_stays(service):
    with service.client(name="rotating") as old, service.client(name="rotating") as new:
        made = old.post("/v1/jobs", json=BULK_JOB).json()
        prefix = old.headers["Authorization"].split("_")[1]
        with service.opened.begin() as session:
            assert revoke(session, prefix) == 1
        assert "revoked" in problem(old.get("/v1/jobs"), 401)["detail"]
        assert [job["id"] for job in new.get("/v1/jobs").json()["jobs"]] == [made["id"]]


def test_a_key_that_reads_may_neither_submit_nor_cancel(service):
    with service.client(name="couple") as owner, service.client(Role.READ, name="couple") as reader:
        job = owner.post("/v1/jobs", json=BULK_JOB).json()
        assert problem(reader.post("/v1/jobs", json=BULK_JOB), 403)["detail"] == "this key may only read"
        problem(reader.delete(f"/v1/jobs/{job['id']}"), 403)
        assert reader.get(f"/v1/jobs/{job['id']}").json()["state"] == "queued"
        assert len(reader.get("/v1/jobs").json()["jobs"]) == 1


def test_an_admin_cancels_the_jobs_of_others(service, client):
    job = client.post("/v1/jobs", json=BULK_JOB).json()
    with service.client(Role.ADMIN) as admin:
        assert admin.delete(f"/v1/jobs/{job['id']}").json()["state"] == "cancelled"
    assert client.get(f"/v1/jobs/{job['id']}").json()["state"] == "cancelled"


def test_open_jobs_are_limited_by_user_even_when_they_come_at_once(make_database):
    broker = f"redis://127.0.0.1:{closed_port()}/0"
    with serving(make_database(), broker, max_open_jobs_per_user=3) as limited, limited.client() as client:
        limited.register(ALPHA, BETA)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: client.post("/v1/jobs", json=BULK_JOB), range(8)))
        accepted = [answer for answer in answers if answer.status_code == 201]
        refused = [answer for answer in answers if answer.status_code != 201]
        assert (len(accepted), len(refused)) == (3, 5)
        for answer in refused:
            assert problem(answer, 429)["detail"].startswith("3 of your jobs are open and 3 are allowed")
            assert "Retry-After" not in answer.headers  # waiting a moment mends nothing
        with limited.client() as other:
            assert other.post("/v1/jobs", json=BULK_JOB).status_code == 201
        client.delete(f"/v1/jobs/{accepted[0].json()['id']}")
        assert client.post("/v1/jobs", json=BULK_JOB).status_code == 201


def test_a_repeated_request_is_answered_though_the_limit_is_reached(make_database):
    broker = f"redis://127.0.0.1:{closed_port()}/0"
    with serving(make_database(), broker, max_open_jobs_per_user=1) as limited, limited.client() as client:
        limited.register(ALPHA, BETA)
        first = client.post("/v1/jobs", json=BULK_JOB, headers={"Idempotency-Key": "again"})
        again = client.post("/v1/jobs", json=BULK_JOB, headers={"Idempotency-Key": "again"})
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json()["id"] == first.json()["id"]
        problem(client.post("/v1/jobs", json=BULK_JOB, headers={"Idempotency-Key": "other"}), 429)


def test_a_refused_request_leaves_its_idempotency_key_free(client):
    wrong = BULK_JOB | {"priority": 101}
    problem(client.post("/v1/jobs", json=wrong, headers={"Idempotency-Key": "free"}), 422)
    assert client.post("/v1/jobs", json=BULK_JOB, headers={"Idempotency-Key": "free"}).status_code == 201


def test_requests_that_mean_the_same_share_an_idempotency_key(client):
    spelled_out = {
        "priority": 0,
        "parameters": {"placement": {"mode": "heuristic", "count": 4}},
        "input": BULK_JOB["input"],
    }
    first = client.post("/v1/jobs", json=BULK_JOB, headers={"Idempotency-Key": "same"})
    again = client.post("/v1/jobs", json=spelled_out, headers={"Idempotency-Key": "same"})
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])


@pytest.mark.parametrize("key", ["", "k" * 201])
def test_an_idempotency_key_has_between_1_and_200_characters(client, key):
    answer = client.post("/v1/jobs", json=BULK_JOB, headers={"Idempotency-Key": key})
    assert problem(answer, 422)["field"] == "idempotency-key"
    assert client.post("/v1/jobs", json=BULK_JOB, headers={"Idempotency-Key": "k" * 200}).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing/there", 404),
        ("GET", "/v2/jobs", 404),
        ("GET", f"/v1/jobs/{SOME_JOB}/structures", 404),
        ("GET", f"/v1/jobs/{SOME_JOB}/candidates", 404),
        ("DELETE", f"/v1/jobs/{SOME_JOB}", 404),
        ("GET", "/v1/jobs/not-an-id", 422),
        ("GET", "/v1/jobs?state=finished", 422),
        ("GET", "/v1/jobs?limit=0", 422),
        ("GET", "/v1/jobs?limit=201", 422),
        ("PUT", "/v1/jobs", 405),
        ("POST", "/healthz", 405),
    ],
)
def test_what_is_not_there_is_a_problem_document(client, method, path, status):
    answer = client.request(method, path)
    problem(answer, status)
    assert ("Allow" in answer.headers) == (status == 405)
