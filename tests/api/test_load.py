"""Walkers in a line each, how busy the service is and why a worker rests, and what was labelled: against the rows behind them."""

from uuid import uuid4

import httpx
import numpy as np
import pytest
from sqlalchemy import func, select

from api.overview.idle import Pieces, why_idle
from shared.database.repositories.users import Role
from shared.database.repositories.workers import beat, sign_off
from shared.database.tables import Group, Job, Membership, ReferenceEnergy, User, Walker
from shared.states import State
from tests.shared.database.jobs import SLAB_C, add_candidates, add_job, add_reference

LOOKED_BACK_S = 600


@pytest.fixture
def name() -> str:
    return f"looker-{uuid4().hex[:8]}"


@pytest.fixture
def reader(service, name):
    with service.client(name=name) as client:
        yield client


def test_each_walker_says_where_it_starts_how_far_it_came_and_why_it_stopped(service, reader, name):
    with service.opened.begin() as session:
        job = add_job(session, user=name, walkers=3, state=State.RUNNING)
        first, second, third = session.scalars(select(Walker).where(Walker.job_id == job.id).order_by(Walker.id))
        first.state, first.hop, first.force_calls, first.ended_because = State.SUCCEEDED, 4, 120, "patience"
        second.state, second.failure_kind, second.failure_reason = State.FAILED, "diverged", "forces above 1e3 eV/Å"
        third.member = "other"
        (candidate,) = add_candidates(session, job, [{"emt": -1.0}])
        third.refines = candidate.id
        found, refined = str(job.id), candidate.id
    lines = reader.get(f"/v1/jobs/{found}/walkers").json()["walkers"]
    assert [one["placement"] for one in lines] == [0, 1, 2]
    assert {one["site"] for one in lines} == {"top"}
    assert (lines[0]["hops"], lines[0]["force_calls"], lines[0]["ended_because"]) == (4, 120, "patience")
    assert lines[1]["failure"] == {"kind": "diverged", "reason": "forces above 1e3 eV/Å"}
    assert (lines[2]["state"], lines[2]["member"], lines[2]["refines"]) == ("queued", "other", refined)


def test_walkers_of_others_are_nobodys_business(service, reader):
    with service.opened.begin() as session:
        there = str(add_job(session, user=f"another-{uuid4().hex[:8]}").id)
    assert reader.get(f"/v1/jobs/{there}/walkers").status_code == 404


def test_what_waits_what_is_held_and_how_fast_it_goes(service, reader, name):
    member = f"member-{uuid4().hex[:6]}"
    with service.opened.begin() as session:
        job = add_job(session, user=name, walkers=3, state=State.RUNNING)
        walkers = session.scalars(select(Walker).where(Walker.job_id == job.id)).all()
        for walker in walkers:
            walker.member = member
        walkers[0].state, walkers[0].owner, walkers[0].token = State.RUNNING, "busy@here", 1
        walkers[0].lease_until = func.now()
        add_reference(session, job, member=member)
        made = add_candidates(session, job, [{}, {}, {}, {}])
        for one in made:
            one.member, one.force_calls = member, 45
        made[0].created_at = func.now() - func.make_interval(0, 0, 0, 0, 1)  # an hour ago
        for worker in ("busy@here", "bored@here"):
            kind = {"kind": "potentials", "device": "cpu", "ready": True, "reason": "", "memory_bytes": None}
            beat(session, name=worker, host="here", pid=1, members=[member], **kind)
    load = reader.get("/v1/load").json()
    (mine,) = [one for one in load["members"] if one["member"] == member]
    assert mine["queued"] == {"stages": 0, "references": 1, "walkers": 2, "evaluations": 0}
    assert mine["held"]["walkers"] == 1
    assert load["window_s"] == LOOKED_BACK_S
    assert mine["hops_per_minute"] == pytest.approx(3 * 60 / LOOKED_BACK_S)
    assert mine["force_calls_per_second"] == pytest.approx(3 * 45 / LOOKED_BACK_S)
    by_name = {one["worker"]: one for one in load["workers"]}
    assert by_name["busy@here"]["held"]["walkers"] == 1
    assert by_name["busy@here"]["idle"] is None
    assert by_name["bored@here"]["idle"].startswith(f"walkers of {member} wait for the hops of others")
    with service.opened.begin() as session:
        sign_off(session, "busy@here")
        sign_off(session, "bored@here")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"held": Pieces(walkers=1)}, None),
        ({"ready": False, "reason": "no CUDA device"}, "no CUDA device"),
        ({}, "no open job has work for its members"),
        ({"cpu": True, "members": []}, "no job has placements to find or minima to choose"),
        ({"queued": {"b": Pieces(walkers=3)}}, "no open job has work for its members"),
        (
            {"queued": {"a": Pieces(walkers=3)}, "held_by_member": {"a": Pieces(references=1)}},
            "what waits for a rests on references that other workers compute",
        ),
        (
            {"queued": {"a": Pieces(evaluations=3)}, "held_by_member": {"b": Pieces(references=1)}},
            "work was just queued for a, or rests on another member's",
        ),
    ],
)
def test_why_a_worker_rests(given, words):
    usual = {"cpu": False, "ready": True, "reason": "", "members": ["a"], "held": Pieces(), "queued": {}}
    assert why_idle(**({**usual, "held_by_member": {}} | given)) == words


ENERGIES = [{"alpha": -1.1, "beta": -1.3}, {"alpha": -0.4, "beta": -0.9}, {"alpha": -2.0, "beta": None}]


def labelled(service, owner: str, *, shared: bool = False) -> tuple[str, list[int], str]:
    """A job whose candidates all have a label of a functional of its own: its number, theirs, and the functional."""
    functional = f"F{uuid4().hex[:6]}"
    with service.opened.begin() as session:
        job = add_job(session, user=owner, state=State.RUNNING)
        job.score_members = ["alpha", "beta"]
        made = add_candidates(session, job, ENERGIES)
        for energy, one in zip((-1.0, -0.8, -2.2), made, strict=True):
            session.add(
                ReferenceEnergy(
                    candidate_id=one.id, adsorption_energy=energy, reference=SLAB_C, functional=functional, code="VASP",
                    provenance="",
                )
            )  # fmt: skip
        if shared:
            group = Group(name=f"group of {owner}")
            session.add(group)
            session.flush()
            job.group_id = group.id
        return str(job.id), [one.id for one in made], functional


def asked(client: httpx.Client, functional: str, *members: str) -> httpx.Response:
    return client.get("/v1/labels", params={"member": members or ("alpha", "beta"), "functional": functional})


def test_labels_stand_beside_the_members_mean_and_spread(service, reader, name):
    job, candidates, functional = labelled(service, name)
    found = asked(reader, functional).json()
    assert [one["candidate"] for one in found["points"]] == candidates[:2]  # of the third, one member has no energy
    means = np.array([[-1.1, -1.3], [-0.4, -0.9]])
    assert [one["mean"] for one in found["points"]] == pytest.approx(means.mean(axis=1))
    assert [one["std"] for one in found["points"]] == pytest.approx(means.std(axis=1, ddof=1))
    assert [one["label"] for one in found["points"]] == [-1.0, -0.8]
    assert {one["job"] for one in found["points"]} == {job}
    assert (found["n"], found["systems"]) == (2, 1)
    assert found["mean_error"] == pytest.approx(np.abs(means.mean(axis=1) - [-1.0, -0.8]).mean())


def test_labels_of_others_are_counted_and_not_shown(service, reader, name):
    owner = f"owner-{uuid4().hex[:6]}"
    job, _, functional = labelled(service, owner, shared=True)
    found = asked(reader, functional).json()
    assert (found["points"], found["n"], found["systems"]) == ([], 2, 1)
    with service.client(Role.ADMIN) as chief:
        assert len(asked(chief, functional).json()["points"]) == 2
    with service.opened.begin() as session:  # a member of the job's group reads it
        group = session.scalars(select(Job.group_id).where(Job.id == job)).one()
        user = session.scalars(select(User.id).where(User.name == name)).one()
        session.add(Membership(group_id=group, user_id=user))
    assert len(asked(reader, functional).json()["points"]) == 2


@pytest.mark.parametrize("members", [("alpha", "alpha"), ("alpha", "direct")])
def test_labels_need_members_whose_energies_can_be_averaged(reader, members):
    answer = asked(reader, "RPBE", *members)
    assert answer.status_code == 422
    assert answer.json()["field"] == "member"
