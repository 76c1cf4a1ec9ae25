"""References that failed, over HTTP: who sees them, who may have one tried again, and what stays on record."""

from uuid import uuid4

import pytest
from sqlalchemy import func

from shared.database.repositories.users import Role
from shared.database.tables import AuditEntry, Reference
from shared.database.workflow import retrying
from shared.states import State
from tests.api.test_access import problem
from tests.shared.database.jobs import add_job, add_reference


@pytest.fixture
def failed(service):
    """A user's name, and the number of a reference of theirs that failed."""
    name = f"owner-{uuid4()}"
    with service.opened.begin() as session:
        row = add_reference(session, add_job(session, user=name), state=State.FAILED)
        row.kind, row.label, row.attempts = "gas", "CO", 3
        session.flush()
        return name, row.id


def test_the_owner_of_a_job_on_it_sees_it_and_may(service, failed):
    name, number = failed
    with service.client(name=name) as owner, service.client() as stranger, service.client(Role.READ, name) as reader:
        (seen,) = owner.get("/v1/references", params={"state": "failed"}).json()["references"]
        assert (seen["id"], seen["kind"], seen["label"], seen["member"], seen["jobs"]) == (
            number,
            "gas",
            "CO",
            "emt",
            1,
        )
        assert seen["failure"] == {"kind": "no_minimum", "reason": "too steep"}
        assert seen["retry"] == "you may have it tried again now"
        assert stranger.get("/v1/references").json() == {"references": [], "next": None}
        problem(stranger.get(f"/v1/references/{number}"), 404)
        assert "that a job of yours rests on" in problem(stranger.post(f"/v1/references/{number}/retry"), 404)["detail"]
        problem(reader.post(f"/v1/references/{number}/retry"), 403)
        again = owner.post(f"/v1/references/{number}/retry")
        assert (again.status_code, again.json()["state"], again.json()["retries"]) == (200, "queued", 1)
        assert (again.json()["failure"], again.json()["retry"]) == (None, None)
        assert owner.post(f"/v1/references/{number}/retry").json()["retries"] == 1  # it hasn't failed: nothing to do
        assert owner.get("/v1/references", params={"state": "failed"}).json()["references"] == []
    with service.opened() as session:
        row = session.get_one(Reference, number)
        assert (row.attempts, row.failure_kind) == (0, None)
        (act,) = session.query(AuditEntry).filter_by(action="reference.retry", user_name=name)
        assert (act.subject, act.detail) == ("gas CO with member emt", {"reference": number, "retries": 1})


def test_a_wait_and_a_count_hold_users_and_not_administrators(service, failed):
    name, number = failed
    with service.opened.begin() as session:
        session.get_one(Reference, number).retried_at = func.now()
    with service.client(name=name) as owner, service.client(Role.ADMIN) as chief:
        said = problem(owner.post(f"/v1/references/{number}/retry"), 409)["detail"]
        assert "tried again less than 10 min ago: wait for" in said
        assert (
            owner.get(f"/v1/references/{number}").json()["retry"].startswith("gas CO with member emt was tried again")
        )
        with service.opened.begin() as session:
            row = session.get_one(Reference, number)
            row.retries, row.retried_at = retrying.MOST, None
        assert (
            "an administrator may have it tried" in problem(owner.post(f"/v1/references/{number}/retry"), 409)["detail"]
        )
        assert chief.post(f"/v1/references/{number}/retry").json()["retries"] == 0
        assert number in [one["id"] for one in chief.get("/v1/references").json()["references"]]


def test_pages_and_what_is_asked_for_wrongly(service):
    with service.opened.begin() as session:
        for n in range(3):
            add_reference(session, add_job(session, user="pages"), member=f"member {n}")
    with service.client(name="pages") as client:
        first = client.get("/v1/references", params={"limit": 2}).json()
        second = client.get("/v1/references", params={"limit": 2, "cursor": first["next"]}).json()
        members = [one["member"] for page in (first, second) for one in page["references"]]
        assert (members, second["next"]) == (["member 2", "member 1", "member 0"], None)
        assert len(client.get("/v1/references", params={"member": "member 1"}).json()["references"]) == 1
        problem(client.get("/v1/references", params={"state": "lost"}), 422)
        problem(client.get("/v1/references/0"), 422)
