"""Users, keys, groups, limits, usage and the audit trail: what an administrator does, and what everybody else may not."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from shared.database.repositories.users import Role
from shared.database.tables import ApiKey, AuditEntry, Candidate, Job, Usage, User, Walker
from shared.database.workflow import transitions
from shared.states import State
from tests.api.conftest import Service
from tests.api.structures import BULK_JOB
from tests.api.test_access import problem

ACT = ("action", "user", "subject")


@pytest.fixture
def admin(service: Service):
    with service.client(Role.ADMIN) as made:
        yield made


def as_user(service: Service, key: str) -> httpx.Client:
    return httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {key}"})


def created(admin: httpx.Client, name: str, **body: Any) -> dict[str, Any]:
    answer = admin.post("/v1/users", json={"name": name, **body})
    assert answer.status_code == 201, answer.text
    return answer.json()


def submitted(client: httpx.Client, **more: Any) -> str:
    answer = client.post("/v1/jobs", json=BULK_JOB | more)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def test_a_new_user_works_with_the_key_that_is_shown_once(service, admin):
    made = created(admin, "ada", key={"role": "submit", "label": "laptop"}, limits={"max_open_jobs": 2})
    with as_user(service, made["key"]["key"]) as ada:
        me = ada.get("/v1/me").json()
        assert (me["name"], me["role"], me["key"]) == ("ada", "submit", made["key"]["prefix"])
        assert (me["limits"]["open_jobs"], me["limits"]["own"]) == (2, ["open_jobs"])
        (key,) = ada.get("/v1/me/keys").json()["keys"]
        assert "key" not in key
        assert key["label"] == "laptop"
        submitted(ada)
        submitted(ada)
        said = problem(ada.post("/v1/jobs", json=BULK_JOB), 429)["detail"]
        assert said.startswith("2 of your jobs are open and 2 are allowed")
        assert "administrator" in said
        assert ada.get("/v1/me").json()["use"]["open_jobs"] == 2
    problem(admin.post("/v1/users", json={"name": "ada"}), 409)
    problem(admin.post("/v1/users", json={"name": " ada"}), 422)
    problem(admin.post("/v1/users", json={"name": ""}), 422)


def test_accounts_are_for_administrators(service, admin, client):
    victim = created(admin, "victim")
    for method, path in (
        ("GET", "/v1/users"), ("POST", "/v1/users"), ("GET", f"/v1/users/{victim['id']}"), ("PATCH", f"/v1/users/{victim['id']}"),
        ("GET", f"/v1/users/{victim['id']}/keys"), ("POST", f"/v1/users/{victim['id']}/keys"),
        ("DELETE", f"/v1/users/{victim['id']}/keys/{victim['key']['prefix']}"), ("POST", "/v1/groups"),
    ):  # fmt: skip
        problem(client.request(method, path, json={"name": "mallory"} if method == "POST" else None), 403)
    assert problem(client.get("/v1/usage?user=victim"), 403)["detail"] == "what others used is shown to administrators"
    problem(client.delete(f"/v1/me/keys/{victim['key']['prefix']}"), 404)


def test_open_force_calls_are_limited_by_the_estimate(service, admin):
    made = created(admin, "many-calls")
    with as_user(service, made["key"]["key"]) as client:
        estimate = client.get(f"/v1/jobs/{submitted(client)}").json()["estimated_force_calls"]
        assert estimate > 0
        limits = {"limits": {"max_open_force_calls": 2 * estimate}}
        assert admin.patch(f"/v1/users/{made['id']}", json=limits).status_code == 200
        second = submitted(client)
        said = problem(client.post("/v1/jobs", json=BULK_JOB), 429)["detail"]
        assert said.startswith(
            f"this job is estimated at {estimate:,} force calls; your open jobs hold {2 * estimate:,} of the"
        )
        client.delete(f"/v1/jobs/{second}")
        submitted(client)


def test_disk_is_limited_and_deleting_makes_room(service, admin):
    made = created(admin, "full")
    with as_user(service, made["key"]["key"]) as client:
        job = submitted(client)
        stored = client.get(f"/v1/jobs/{job}").json()["stored_bytes"]
        admin.patch(f"/v1/users/{made['id']}", json={"limits": {"max_bytes": stored + stored // 2}})
        assert "delete ended jobs" in problem(client.post("/v1/jobs", json=BULK_JOB), 429)["detail"]
        assert "cancel it first" in problem(client.delete(f"/v1/jobs/{job}/data"), 409)["detail"]
        client.delete(f"/v1/jobs/{job}")
        assert client.delete(f"/v1/jobs/{job}/data").status_code == 204
        submitted(client)
        admin.patch(f"/v1/users/{made['id']}", json={"limits": {"max_bytes": None}})
        assert client.get("/v1/me").json()["limits"]["own"] == []


def test_keys_expire_are_rotated_with_a_grace_and_revoked(service, admin):
    made = created(admin, "keys")
    path, old = f"/v1/users/{made['id']}/keys", made["key"]
    with as_user(service, old["key"]) as client:
        new = client.post(f"/v1/me/keys/{old['prefix']}/rotate", json={"grace_s": 3600}).json()
        assert client.get("/v1/me").status_code == 200  # the old one still works
    with as_user(service, new["key"]) as client:
        newest = client.post(f"/v1/me/keys/{new['prefix']}/rotate").json()
    with service.opened.begin() as session:
        session.execute(update(ApiKey).where(ApiKey.prefix == old["prefix"]).values(expires_at=func.now()))
    assert admin.get("/v1/me").status_code == 200
    admin.patch(f"{path}/{newest['prefix']}", json={"label": "only"})  # whatever an administrator changes holds at once
    for ended in (old, new):
        with as_user(service, ended["key"]) as client:
            problem(client.get("/v1/me"), 401)
    with as_user(service, newest["key"]) as client:
        assert client.get("/v1/me").status_code == 200
        assert admin.delete(f"{path}/{newest['prefix']}").json()["revoked_at"] is not None
        problem(client.get("/v1/me"), 401)
    past = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    problem(admin.post(path, json={"expires_at": past}), 422)
    problem(admin.post(f"{path}/{newest['prefix']}/rotate"), 409)
    problem(admin.patch(f"{path}/{newest['prefix']}", json={"expires_at": None}), 409)
    later = admin.post(path, json={"role": "read", "expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()})
    assert later.json()["expires_at"] is not None


def test_a_key_rotates_none_that_allows_more(service, admin):
    made = created(admin, "ranks")
    reader = admin.post(f"/v1/users/{made['id']}/keys", json={"role": "read"}).json()
    with as_user(service, reader["key"]) as client:
        problem(client.post(f"/v1/me/keys/{made['key']['prefix']}/rotate"), 403)
        problem(client.delete(f"/v1/me/keys/{made['key']['prefix']}"), 403)
        rotated = client.post(f"/v1/me/keys/{reader['prefix']}/rotate").json()
        assert rotated["role"] == "read"


def test_a_rotated_key_ends_when_the_old_one_would_have(service, admin):
    until = (datetime.now(UTC) + timedelta(days=10)).isoformat()
    made = created(admin, "guest", key={"expires_at": until})
    with as_user(service, made["key"]["key"]) as client:
        rotated = client.post(f"/v1/me/keys/{made['key']['prefix']}/rotate").json()
    assert rotated["expires_at"] == made["key"]["expires_at"]


def test_the_use_of_a_key_is_noted(service, admin):
    made = created(admin, "seen")
    with as_user(service, made["key"]["key"]) as client:
        client.get("/v1/jobs")
    (key,) = admin.get(f"/v1/users/{made['id']}/keys").json()["keys"]
    assert datetime.now(UTC) - datetime.fromisoformat(key["last_used_at"]) < timedelta(minutes=2)


def test_disabling_ends_keys_and_jobs_and_what_was_found_stays(service, admin):
    made = created(admin, "leaver")
    with as_user(service, made["key"]["key"]) as client:
        jobs = [submitted(client) for _ in range(3)]
        with service.opened.begin() as session:
            transitions.end_job(session, session.get_one(Job, jobs[0]), State.CANCELLED)
        answer = admin.patch(f"/v1/users/{made['id']}", json={"disabled": True}).json()
        assert (answer["cancelled_jobs"], answer["roles"]) == (2, ["submit"])
        problem(client.get("/v1/jobs"), 401)
        assert "is disabled" in problem(admin.post(f"/v1/users/{made['id']}/keys", json={}), 409)["detail"]
        assert [admin.get(f"/v1/jobs/{job}").json()["state"] for job in jobs] == ["cancelled"] * 3
        admin.patch(f"/v1/users/{made['id']}", json={"disabled": False})
        assert client.get(f"/v1/jobs/{jobs[1]}").json()["state"] == "cancelled"


def test_nobody_ends_the_last_administrator(make_database):
    from tests.api.conftest import closed_port, serving

    with serving(make_database(), f"redis://127.0.0.1:{closed_port()}/0") as alone, alone.client(Role.ADMIN) as admin:
        me = admin.get("/v1/me").json()
        for answer in (
            admin.patch(f"/v1/users/{me['id']}", json={"disabled": True}),
            admin.delete(f"/v1/me/keys/{me['key']}"),
            admin.delete(f"/v1/users/{me['id']}/keys/{me['key']}"),
        ):
            assert "without an administrator" in problem(answer, 409)["detail"]
        assert admin.get("/v1/me").json()["disabled_at"] is None
        second = created(admin, "second", key={"role": "admin"})
        assert admin.delete(f"/v1/me/keys/{me['key']}").status_code == 200
        with as_user(alone, second["key"]["key"]) as other:
            assert [user["name"] for user in other.get("/v1/users").json()["users"]] == [me["name"], "second"]


def test_a_group_reads_what_is_shared_with_it_and_changes_nothing(service, admin):
    owner, member, other = (created(admin, name) for name in ("owner", "member", "other"))
    group = admin.post("/v1/groups", json={"name": "catalysis"}).json()
    problem(admin.post("/v1/groups", json={"name": "catalysis"}), 409)
    for user in (owner, member):
        assert admin.put(f"/v1/groups/{group['id']}/members/{user['id']}").status_code == 200
    clients = [as_user(service, user["key"]["key"]) for user in (owner, member, other)]
    theirs, mate, stranger = clients
    said = problem(stranger.post("/v1/jobs", json=BULK_JOB | {"group": "catalysis"}), 422)
    assert said["field"] == "group"
    job, private = submitted(theirs, group="catalysis"), submitted(theirs)
    reads = ["", "/attempts", "/candidates", "/minima", "/system", "/selections"]
    for path in reads:
        assert mate.get(f"/v1/jobs/{job}{path}").status_code == 200, path
        problem(mate.get(f"/v1/jobs/{private}{path}"), 404)
        problem(stranger.get(f"/v1/jobs/{job}{path}"), 404)
    for answer in (
        mate.delete(f"/v1/jobs/{job}"), mate.delete(f"/v1/jobs/{job}/data"), mate.patch(f"/v1/jobs/{job}", json={"group": None}),
        mate.post(f"/v1/jobs/{job}/selections", json={"limit": 0.1}),
    ):  # fmt: skip
        assert "shared with you to be read" in problem(answer, 403)["detail"]
    candidate = found(service, job)
    assert mate.get(f"/v1/candidates/{candidate}/reference-energies").status_code == 200
    label = {"adsorption_energy": -1.0, "functional": "RPBE", "code": "VASP"}
    problem(mate.post(f"/v1/candidates/{candidate}/reference-energies", json=label), 403)
    problem(stranger.get(f"/v1/candidates/{candidate}/reference-energies"), 404)
    assert mate.get("/v1/jobs").json()["jobs"] == []
    assert [one["id"] for one in mate.get("/v1/jobs?shared=true").json()["jobs"]] == [job]
    assert theirs.get("/v1/jobs?shared=true").json()["jobs"] == []
    assert theirs.patch(f"/v1/jobs/{job}", json={"group": None}).json()["group"] is None
    problem(mate.get(f"/v1/jobs/{job}"), 404)
    assert theirs.patch(f"/v1/jobs/{job}", json={"group": "catalysis"}).json()["group"] == "catalysis"
    assert mate.get(f"/v1/jobs/{job}").status_code == 200
    admin.delete(f"/v1/groups/{group['id']}/members/{member['id']}")
    problem(mate.get(f"/v1/jobs/{job}"), 404)
    assert admin.delete(f"/v1/groups/{group['id']}").status_code == 204
    assert theirs.get(f"/v1/jobs/{job}").json()["group"] is None
    for one in clients:
        one.close()


def found(service: Service, job: str) -> int:
    """A candidate of a job, as a worker would store it."""
    from shared.database.repositories.structures import keep
    from shared.database.tables import Placement
    from tests.shared.database.jobs import STRUCTURE

    with service.opened.begin() as session:
        placement = Placement(job_id=job, index=0, structure_id=keep(session, STRUCTURE), positions=STRUCTURE.positions, site="top",
                              method="test")  # fmt: skip
        session.add(placement)
        session.flush()
        walker = Walker(job_id=job, placement_id=placement.id, member="alpha")
        session.add(walker)
        session.flush()
        candidate = Candidate(job_id=job, walker_id=walker.id, hop=0, member="alpha", structure_id=placement.structure_id,
                              positions=STRUCTURE.positions, energy=-1.0, fmax=0.01, converged=True, anomalies=[], site="top",
                              accepted=True, force_calls=20)  # fmt: skip
        session.add(candidate)
        session.flush()
        return candidate.id


def test_a_deleted_job_is_gone_for_everybody_and_its_idempotency_key_is_free(service, admin, client):
    sent = {"json": BULK_JOB, "headers": {"Idempotency-Key": "mine"}}
    job = client.post("/v1/jobs", **sent).json()["id"]
    candidate = found(service, job)
    client.delete(f"/v1/jobs/{job}")
    with service.client() as stranger:
        problem(stranger.delete(f"/v1/jobs/{job}/data"), 404)
    assert client.delete(f"/v1/jobs/{job}/data").status_code == 204
    for path in ("", "/attempts", "/candidates", "/minima", "/system", "/selections", "/dft-inputs"):
        for caller in (client, admin):
            assert problem(caller.get(f"/v1/jobs/{job}{path}"), 404)["detail"] == f"there is no job {job}"
    problem(client.get(f"/v1/candidates/{candidate}/reference-energies"), 404)
    problem(client.delete(f"/v1/jobs/{job}"), 404)
    problem(client.delete(f"/v1/jobs/{job}/data"), 404)
    assert client.get("/v1/jobs").json()["jobs"] == []
    again = client.post("/v1/jobs", **sent)
    assert (again.status_code, again.json()["id"] != job) == (201, True)


def test_a_job_with_reference_energies_is_deleted_only_on_a_further_word(service, client):
    job = submitted(client)
    candidate = found(service, job)
    label = {"adsorption_energy": -1.0, "functional": "RPBE", "code": "VASP"}
    assert client.post(f"/v1/candidates/{candidate}/reference-energies", json=label).status_code == 201
    client.delete(f"/v1/jobs/{job}")
    assert "1 reference energies" in problem(client.delete(f"/v1/jobs/{job}/data"), 409)["detail"]
    assert client.delete(f"/v1/jobs/{job}/data?with_labels=true").status_code == 204


def test_a_job_whose_candidates_were_dropped_says_so(service, client):
    job = submitted(client)
    with service.opened.begin() as session:
        session.execute(update(Job).where(Job.id == job).values(candidates_dropped_at=datetime(2026, 3, 1, tzinfo=UTC)))
    body = client.get(f"/v1/jobs/{job}").json()
    assert any("dropped on 1 March 2026" in warning for warning in body["warnings"])
    for path in ("candidates", "minima"):
        assert client.get(f"/v1/jobs/{job}/{path}").json()["candidates_dropped_at"] == "2026-03-01T00:00:00Z"


def test_usage_is_summed_by_user_and_month(service, admin):
    made = created(admin, "user-of-devices")
    with service.opened.begin() as session:
        for month, stripe, seconds in (
            (date(2026, 2, 1), 0, 10.0),
            (date(2026, 2, 1), 1, 20.5),
            (date(2026, 3, 1), 0, 1.0),
        ):
            session.add(
                Usage(user_id=made["id"], month=month, stripe=stripe, device_s=seconds, force_calls=100, jobs=1)
            )
    with as_user(service, made["key"]["key"]) as client:
        mine = client.get("/v1/usage").json()["usage"]
        assert [(one["month"], one["device_s"], one["force_calls"], one["jobs"]) for one in mine] == [
            ("2026-03", 1.0, 100, 1),
            ("2026-02", 30.5, 200, 2),
        ]
        problem(client.get("/v1/usage?month=2026-13"), 422)
    (one,) = admin.get("/v1/usage?month=2026-02&user=user-of-devices").json()["usage"]
    assert one["device_s"] == 30.5


def test_the_audit_trail_says_who_did_what_from_where(service, admin):
    made, group = created(admin, "tracked"), admin.post("/v1/groups", json={"name": "tracked-group"}).json()
    with as_user(service, made["key"]["key"]) as client:
        admin.put(f"/v1/groups/{group['id']}/members/{made['id']}")
        job = client.post("/v1/jobs", json=BULK_JOB | {"name": "tracked job"}, headers={"X-Request-ID": "r-1"}).json()[
            "id"
        ]
        client.patch(f"/v1/jobs/{job}", json={"group": "tracked-group"})
        admin.delete(f"/v1/jobs/{job}")
        client.delete(f"/v1/jobs/{job}/data")
        boss = admin.get("/v1/me").json()["name"]
        entries = client.get("/v1/audit").json()["entries"]
        assert [tuple(entry[name] for name in ACT) for entry in entries] == [
            ("job.delete", "tracked", "tracked job"),
            ("job.cancel", boss, "tracked job"),
            ("job.share", "tracked", "tracked job"),
            ("job.submit", "tracked", "tracked job"),
            ("group.join", boss, "tracked-group"),
            ("key.create", boss, "tracked"),
            ("user.create", boss, "tracked"),
        ]
        submit = entries[3]
        assert (submit["request_id"], submit["address"], submit["key"], submit["job"]) == (
            "r-1", "127.0.0.1", made["key"]["prefix"], job,
        )  # fmt: skip
        assert made["key"]["key"] not in str(entries)
        first = client.get("/v1/audit?action=job&limit=3").json()
        rest = client.get(f"/v1/audit?action=job&limit=3&cursor={first['next']}").json()
        assert [one["action"] for one in first["entries"] + rest["entries"]] == [one["action"] for one in entries[:4]]
    with service.client() as stranger:
        assert stranger.get(f"/v1/audit?job={job}").json()["entries"] == []
    assert len(admin.get(f"/v1/audit?job={job}").json()["entries"]) == 4


def test_what_is_refused_leaves_no_trace(service, admin):
    with service.opened() as session:
        before = session.scalars(select(func.max(AuditEntry.id))).one()
    problem(admin.post("/v1/users", json={"name": admin.get("/v1/me").json()["name"]}), 409)
    with service.opened() as session:
        assert session.scalars(select(func.max(AuditEntry.id))).one() == before


def test_a_user_who_is_disabled_while_they_submit_submits_nothing(service, admin):
    from api.jobs import repository as jobs
    from shared.database.repositories.audit import SERVER
    from shared.errors import Unauthorised
    from shared.settings import Settings

    made = created(admin, "racing")
    with service.opened.begin() as session:
        session.execute(update(User).where(User.id == made["id"]).values(disabled_at=func.now()))
    new = jobs.NewJob("n", "C", "Pt", {}, {}, [], [], [], estimated_force_calls=1, stored_bytes=1)
    settings = Settings(database_url="postgresql://a@b/c", broker_url="redis://127.0.0.1:1/0")
    with service.opened.begin() as session, pytest.raises(Unauthorised):
        jobs.submit(session, SERVER, made["id"], new, settings)
