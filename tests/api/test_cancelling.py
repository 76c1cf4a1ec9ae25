"""Many jobs cancelled by one request."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select

from shared.database.tables import AuditEntry, Job, Lane, User, Walker
from shared.states import State
from tests.api.conftest import Service
from tests.shared.database.jobs import add_job


@pytest.fixture
def owned(service: Service):
    """A new user's client, and that user's name."""
    with service.client() as client:
        with service.opened() as session:
            name = session.query(User).order_by(User.id.desc()).first().name
        yield client, name


def jobs_of(service, name: str, n: int) -> list[str]:
    with service.opened.begin() as session:
        return [str(add_job(session, user=name, walkers=2).id) for _ in range(n)]


def states(service, ids: list[str]) -> set[str]:
    with service.opened() as session:
        return set(session.scalars(select(Job.state).where(Job.id.in_(map(UUID, ids)))))


def test_the_named_jobs_end_with_all_their_work_and_others_stay(service, owned):
    client, name = owned
    ids = jobs_of(service, name, 60)  # more than one transaction
    stays, ended = ids[0], ids[1]
    assert client.delete(f"/v1/jobs/{ended}").status_code == 200
    answer = client.post("/v1/jobs:cancel", json={"jobs": ids[1:]})
    assert answer.status_code == 200
    assert sorted(answer.json()["cancelled"]) == sorted(ids[2:])
    assert answer.json()["ended"] == [ended]
    assert states(service, ids[1:]) == {State.CANCELLED}
    assert states(service, [stays]) == {State.QUEUED}
    with service.opened() as session:
        rows = session.scalars(select(Walker.state).where(Walker.job_id.in_(map(UUID, ids[1:]))).distinct()).all()
        lanes = session.scalar(select(func.count()).select_from(Lane).where(Lane.job_id.in_(map(UUID, ids[1:]))))
        acts = session.scalar(
            select(func.count()).select_from(AuditEntry).where(AuditEntry.job_id.in_(map(UUID, ids[2:])))
        )
    assert (rows, lanes, acts) == ([State.CANCELLED], 0, 58)


def test_all_of_ones_own_open_jobs(service, owned):
    client, name = owned
    mine, others = jobs_of(service, name, 3), jobs_of(service, "somebody with jobs of their own", 1)
    assert sorted(client.post("/v1/jobs:cancel", json={"all": True}).json()["cancelled"]) == sorted(mine)
    assert states(service, others) == {State.QUEUED}


def test_nothing_is_cancelled_where_one_of_them_is_not_ones_own(service, owned):
    client, name = owned
    mine, others = jobs_of(service, name, 2), jobs_of(service, "somebody with jobs of their own", 1)
    for strange in (others[0], str(uuid4())):
        assert client.post("/v1/jobs:cancel", json={"jobs": [*mine, strange]}).status_code == 404
    assert states(service, [*mine, *others]) == {State.QUEUED}


@pytest.mark.parametrize(
    "body", [{}, {"jobs": []}, {"jobs": [str(uuid4())], "all": True}, {"jobs": [str(uuid4())] * 1001}]
)
def test_a_request_names_jobs_or_asks_for_all(owned, body):
    client, _ = owned
    assert client.post("/v1/jobs:cancel", json=body).status_code == 422
