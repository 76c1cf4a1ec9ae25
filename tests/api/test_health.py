"""What the API says of itself and of what it needs: health, readiness, members, and a database that is away."""

from pathlib import Path

import httpx
import pytest
import redis

from local.valkey import Valkey
from shared.database.repositories.workers import beat
from tests.api.conftest import ALPHA, BETA, DIRECT, Service, closed_port, serving
from tests.api.structures import BULK_JOB

NO_BROKER = f"redis://127.0.0.1:{closed_port()}/0"


@pytest.fixture
def broker(tmp_path: Path):
    """A real broker."""
    server = Valkey(tmp_path)
    server.start()
    yield server
    server.stop()


def readiness(service: Service) -> tuple[int, dict[str, str]]:
    """The status, and the reasons of the checks that failed."""
    answer = httpx.get(f"{service.url}/readyz")
    found = answer.json()
    assert found["ready"] == all(check["ok"] for check in found["checks"])
    assert len({check["name"] for check in found["checks"]}) == len(found["checks"])
    return answer.status_code, {check["name"]: check["reason"] for check in found["checks"] if not check["ok"]}


def report(service: Service, name: str, *members: str, kind: str = "potentials", reason: str = "") -> None:
    """A worker's heartbeat; one with a reason isn't ready."""
    with service.opened.begin() as session:
        beat(
            session,
            name=name,
            host="here",
            pid=1,
            kind=kind,
            device="cpu",
            members=members,
            ready=not reason,
            reason=reason,
            memory_bytes=None,
        )


def test_it_is_ready_when_all_that_a_job_needs_is_there(make_database, broker):
    with serving(make_database(), broker.url) as service:
        report(service, "cpu-1", kind="cpu")
        report(service, "gpu-1", "alpha", reason="0.4 of 2 GB are free")
        status, reasons = readiness(service)
        assert status == 503
        assert reasons == {
            "alpha": "the worker with alpha is not ready: 0.4 of 2 GB are free",
            "beta": "no worker hosts beta",
        }
        report(service, "gpu-1", "alpha", "beta")
        assert readiness(service) == (200, {})


def test_a_broker_without_memory_is_named_and_jobs_are_stored_all_the_same(make_database, broker):
    with serving(make_database(), broker.url) as service, service.client() as client:
        service.register(ALPHA, BETA)
        administrator = redis.Redis.from_url(broker.url)
        administrator.config_set("maxmemory", "1")
        assert "memory" in readiness(service)[1]["broker"]
        assert client.post("/v1/jobs", json=BULK_JOB).status_code == 201
        administrator.config_set("maxmemory", "0")
        assert "broker" not in readiness(service)[1]
        administrator.close()


def test_a_broker_that_is_away_is_named(service):
    status, reasons = readiness(service)
    assert status == 503
    assert "refused" in reasons["broker"]
    assert reasons["cpu worker"] == "no CPU worker ready"


def test_a_database_that_is_away_is_no_fault_of_the_request(service):
    key = service.key()
    with serving(f"postgresql://nobody:secret@127.0.0.1:{closed_port()}/nothing", NO_BROKER) as cut_off:
        headers = {"Authorization": f"Bearer {key}"}
        for answer in (
            httpx.post(f"{cut_off.url}/v1/jobs", json=BULK_JOB, headers=headers),
            httpx.get(f"{cut_off.url}/v1/jobs", headers=headers),
            httpx.get(f"{cut_off.url}/v1/models", headers=headers),
        ):
            assert answer.status_code == 503
            assert answer.headers["content-type"] == "application/problem+json"
            assert int(answer.headers["Retry-After"]) > 0
            assert "database" in answer.json()["detail"]
            assert "nobody" not in answer.text
        assert httpx.get(f"{cut_off.url}/healthz").json() == {"status": "alive"}
        status, reasons = readiness(cut_off)
        assert status == 503
        assert "refused" in reasons["postgres"]
        assert "secret" not in str(reasons)


def test_a_database_without_tables_is_named(postgres):
    url = postgres.create_database("bare")
    with serving(url, NO_BROKER) as service:
        assert readiness(service)[1]["postgres"] == "reachable, but never migrated"
        answer = httpx.get(f"{service.url}/v1/jobs", headers={"Authorization": "Bearer adhop_0_0"})
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    postgres.drop_database("bare")


def test_models_are_listed_with_what_they_cover_and_who_hosts_them(make_database):
    with serving(make_database(), NO_BROKER) as service, service.client() as client:
        assert client.get("/v1/models").json() == {"models": []}
        service.register(DIRECT, BETA, ALPHA)
        report(service, "gpu-1", "alpha", "beta")
        report(service, "gpu-2", "alpha")
        report(service, "gpu-3", "alpha", reason="loading")
        alpha, beta, direct = client.get("/v1/models").json()["models"]
    assert alpha == {
        "name": "alpha",
        "family": "toy",
        "version": "1",
        "sha256": "0" * 64,
        "energy_kind": "total",
        "elements": ["H", "C", "N", "O", "Cu", "Pt"],
        "cutoff": 6.0,
        "trained_on": "nothing",
        "license": "MIT",
        "scale": {"kind": "own gas", "label": "", "energies": {}, "source": "", "fit": None},
        "cautions": [],
        "workers": 2,
        "default_search": True,
        "default_score": True,
        "hosts": [],  # these workers report no states of members
    }
    assert [(one["name"], one["workers"], one["default_search"], one["default_score"]) for one in (beta, direct)] == [
        ("beta", 1, False, True),
        ("direct", 0, False, False),
    ]
    assert (direct["energy_kind"], direct["scale"]["kind"]) == ("adsorption", "predicted")
    assert len(direct["elements"]) == 83
