"""GET /v1/models and /v1/workers: which members there are, who hosts them, and what they cost."""

from dataclasses import replace

import pytest

from shared.database.repositories.users import Role
from shared.database.repositories.workers import beat

from .conftest import ALPHA, Service

RESIDENT = {
    "member": "alpha",
    "state": "resident",
    "reason": "",
    "load_s": 3.5,
    "memory_bytes": 2_000_000_000,
    "batch_atoms": 4000,
    "loads": 1,
    "hits": 12,
    "evaluations": 3456,
}
UNFIT = RESIDENT | {"member": "beta", "state": "unfit", "reason": "its file is gone", "load_s": None, "loads": 0}


@pytest.fixture
def worker(service: Service) -> str:
    with service.opened.begin() as session:
        beat(
            session,
            name="gpu-host:7",
            host="gpu-host",
            pid=7,
            kind="potentials",
            device="NVIDIA H100 (GPU-abc)",
            members=["alpha", "beta"],
            member_states=[RESIDENT, UNFIT],
            ready=True,
            reason="",
            memory_bytes=5_000_000_000,
        )
    return "gpu-host:7"


def test_models_say_who_hosts_them_and_at_what_cost(service: Service, client, worker: str):
    shown = {one["name"]: one for one in client.get("/v1/models").json()["models"]}
    assert shown["alpha"]["hosts"] == [RESIDENT | {"worker": worker, "device": "NVIDIA H100 (GPU-abc)"}]
    assert shown["alpha"]["workers"] == 1
    assert shown["beta"]["workers"] == 0
    assert shown["beta"]["hosts"][0]["reason"] == "its file is gone"
    assert shown["direct"]["hosts"] == []


def test_a_member_that_no_worker_has_loaded_is_listed(service: Service, client):
    service.register(replace(ALPHA, name="unloaded", version="", cutoff=None))
    shown = {one["name"]: one for one in client.get("/v1/models").json()["models"]}
    assert (shown["unloaded"]["version"], shown["unloaded"]["cutoff"]) == ("", None)


def test_workers_say_what_they_hold(service: Service, worker: str):
    with service.client(Role.READ) as reader:
        (shown,) = reader.get("/v1/workers").json()["workers"]
    assert (shown["name"], shown["device"], shown["ready"]) == (worker, "NVIDIA H100 (GPU-abc)", True)
    assert shown["memory_bytes"] == 5_000_000_000
    assert shown["members"] == [RESIDENT, UNFIT]
    assert shown["heartbeat_at"] >= shown["started_at"]


def test_both_want_a_key(client):
    for route in ("/v1/models", "/v1/workers"):
        assert client.get(route, headers={"Authorization": "Bearer nothing"}).status_code == 401
