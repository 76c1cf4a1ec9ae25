"""What to compute next: of each job that one may read, the chosen minimum that its members disagree on most."""

from uuid import uuid4

import numpy as np
import pytest

from shared.database.tables import Candidate, Group, Job, Membership, ReferenceEnergy, User
from shared.parameters import Choosing
from shared.states import State
from tests.api.conftest import ALPHA, BETA, DIRECT
from tests.shared.database.jobs import SLAB_C, add_candidates, add_job
from tests.shared.database.test_selections import decided

MEMBERS = ("alpha", "beta")


@pytest.fixture
def owner() -> str:
    return f"owner-{uuid4().hex[:6]}"


def chosen(service, owner: str, *pairs: tuple[float, float | None], limit: float = 0.5) -> list[int]:
    """A finished job whose candidates have these energies by the two members, of which it has chosen: the candidates."""
    with service.opened.begin() as session:
        job = add_job(session, user=owner, state=State.RUNNING)
        job.name, job.score_members = f"job of {owner}", list(MEMBERS)
        made = add_candidates(session, job, [dict(zip(MEMBERS, pair, strict=True)) for pair in pairs])
        decided(session, job, Choosing(members=MEMBERS, count=5, window=9.0), limit)
        job.state, job.ended_at = State.SUCCEEDED, job.created_at
        return [one.id for one in made]


def label(service, candidate: int, functional: str = "RPBE") -> None:
    with service.opened.begin() as session:
        session.add(
            ReferenceEnergy(
                candidate_id=candidate, adsorption_energy=-1.0, reference=SLAB_C, functional=functional, code="VASP", provenance=""
            )
        )  # fmt: skip


def asked(client, **params) -> list[dict]:
    answer = client.get("/v1/labels/next", params={"member": MEMBERS, **params})
    assert answer.status_code == 200, answer.text
    return answer.json()["minima"]


def test_of_each_job_the_chosen_minimum_that_members_disagree_on_most_comes_first(service, owner):
    # the third candidate of the first job doesn't pass the filter, and the fourth has one energy alone: not chosen
    first = chosen(service, owner, (-2.0, -2.1), (-1.5, -1.8), (-1.0, 1.0), (-3.0, None))
    second = chosen(service, owner, (-1.0, -1.5), (-0.9, -0.95))
    with service.client(name=owner) as client:
        found = asked(client)
        assert [one["candidate"] for one in found] == [second[0], first[1]]
        assert [one["rank"] for one in found] == [0, 1]
        assert found[0]["std"] == pytest.approx(np.std([-1.0, -1.5], ddof=1))
        assert found[1]["mean"] == pytest.approx(-1.65)
        assert {one["job_name"] for one in found} == {f"job of {owner}"}
        assert [one["candidate"] for one in asked(client, limit=1)] == [second[0]]
        label(service, second[0])
        label(service, first[1], "BEEF-vdW")
        assert [one["candidate"] for one in asked(client)] == [first[1], second[1]]
        assert [one["candidate"] for one in asked(client, functional="BEEF-vdW")] == [second[0], first[0]]
        for one in (*first, *second):
            label(service, one)
        assert asked(client) == []


def test_nothing_is_told_of_anothers_jobs_until_they_are_shared(service, owner):
    made = chosen(service, owner, (-1.0, -1.3))
    with service.client() as stranger:
        assert asked(stranger) == []
        name = stranger.get("/v1/me").json()["name"]
        with service.opened.begin() as session:
            group = Group(name=f"group of {owner}")
            session.add(group)
            session.flush()
            user = session.query(User).filter_by(name=name).one()
            session.add(Membership(group_id=group.id, user_id=user.id))
            session.get_one(Job, session.get_one(Candidate, made[0]).job_id).group_id = group.id
        assert [one["candidate"] for one in asked(stranger)] == made


def test_a_deleted_job_proposes_nothing(service, owner):
    chosen(service, owner, (-1.0, -1.3))
    with service.client(name=owner) as client:
        (one,) = asked(client)
        assert client.delete(f"/v1/jobs/{one['job']}/data").status_code == 204
        assert asked(client) == []


@pytest.mark.parametrize("members", [("alpha", "alpha"), ("alpha", "direct")])
def test_members_without_a_spread_in_common_are_refused(service, owner, members):
    service.register(ALPHA, BETA, DIRECT)
    chosen(service, owner, (-1.0, -1.3))
    with service.client(name=owner) as client:
        answer = client.get("/v1/labels/next", params={"member": members})
    assert (answer.status_code, answer.json()["field"]) == (422, "member")
