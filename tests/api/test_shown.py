"""What is shown of jobs, held to a count of the same rows by hand; lists and single answers; answers that the caller has already."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import select, update

from shared.database.repositories.workers import beat
from shared.database.tables import (
    Candidate,
    Group,
    Job,
    JobReference,
    MemberEnergy,
    Minimum,
    Reference,
    Score,
    Selection,
    User,
    Walker,
)
from shared.states import OPEN, Stage, State
from tests.api.structures import BULK_JOB
from tests.shared.database.jobs import add_candidates, add_job, add_reference

MEMBERS = ("emt", "other", "third")
_ROWS = [State.QUEUED, State.RUNNING, State.SUCCEEDED, State.FAILED, State.CANCELLED]


@pytest.fixture
def mine(service):
    """A user's client, and that user's name."""
    name = f"shown-{np.random.default_rng().integers(2**60)}"
    with service.client(name=name) as client:
        yield client, name


def put(row: Any, state: State, rng: np.random.Generator) -> None:
    """A row of work into a state, as a worker would have left it."""
    held = state is State.RUNNING
    row.state, row.owner, row.lease_until = state, "here:1" if held else None, datetime.now(UTC) if held else None
    row.failure_kind = str(rng.choice(["diverged", "poison"])) if state is State.FAILED else None
    row.failure_reason = str(rng.choice(["far", "lost"])) if state is State.FAILED else None


def scatter(session, name: str, rng: np.random.Generator) -> Job:
    """A job with rows in all states."""
    job = add_job(session, user=name, walkers=int(rng.integers(1, 6)))
    for number in range(int(rng.integers(0, 3))):
        reference = add_reference(session, job, member=MEMBERS[number])
        reference.energy = -1.0
        put(reference, _ROWS[int(rng.integers(0, 4))], rng)
    for walker in session.scalars(select(Walker).where(Walker.job_id == job.id)):
        put(walker, _ROWS[int(rng.integers(0, 5))], rng)
        walker.hop, walker.force_calls = int(rng.integers(0, 5)), int(rng.integers(0, 99))
    table = [
        {member: None if rng.random() < 0.3 else float(rng.normal(-1, 0.2)) for member in MEMBERS}
        for _ in range(int(rng.integers(0, 7)))
    ]
    found = add_candidates(session, job, table)
    for one in found[1:]:
        one.duplicate_of = found[0].id if rng.random() < 0.3 else None
        one.converged = bool(rng.random() < 0.9)
    for energy in session.scalars(select(MemberEnergy).where(MemberEnergy.job_id == job.id)):
        if energy.energy is None:
            put(energy, _ROWS[int(rng.choice([0, 1, 3]))], rng)
    session.flush()
    return job


def best_by_hand(session, job: Job) -> tuple[float, int] | None:
    """Mean and number of members of the lowest that passes."""
    limit = job.read_parameters().ensemble.limit
    lowest = None
    for candidate in session.scalars(select(Candidate).where(Candidate.job_id == job.id)):
        of_it = select(MemberEnergy).where(
            MemberEnergy.candidate_id == candidate.id, MemberEnergy.state == State.SUCCEEDED
        )
        values = [row.adsorption_energy for row in session.scalars(of_it)]
        passes = len(values) == 1 or (len(values) > 1 and np.std(values, ddof=1) <= limit)
        if candidate.duplicate_of is None and candidate.converged and not candidate.anomalies and passes:
            lowest = min(filter(None, [lowest, (float(np.mean(values)), len(values))]))
    return lowest


def check(session, job: Job, shown: dict[str, Any]) -> None:
    """All counts of an answer, from the rows one by one."""
    walkers = session.scalars(select(Walker).where(Walker.job_id == job.id)).all()
    states = Counter(walker.state for walker in walkers)
    energies = session.scalars(select(MemberEnergy).where(MemberEnergy.job_id == job.id)).all()
    scored = Counter(energy.state for energy in energies)
    resting = select(Reference).join(JobReference).where(JobReference.job_id == job.id)
    references = session.scalars(resting).all()
    candidates = session.scalars(select(Candidate).where(Candidate.job_id == job.id)).all()
    progress = shown["progress"]
    assert progress["references"] == {
        "done": sum(one.state == State.SUCCEEDED for one in references),
        "total": len(references),
    }
    assert progress["walkers"] == {
        "total": len(walkers),
        **{state: states[state] for state in ("running", "succeeded", "failed")},
    }
    assert progress["hops"]["done"] == sum(walker.hop for walker in walkers)
    assert progress["force_calls"] == sum(walker.force_calls for walker in walkers)
    assert progress["candidates"] == {
        "total": len(candidates),
        "distinct": sum(one.duplicate_of is None for one in candidates),
    }
    assert progress["evaluations"] == {"done": scored["succeeded"], "failed": scored["failed"], "total": len(energies)}
    best = best_by_hand(session, job)
    assert (progress["best"] is None) == (best is None)
    if best is not None:
        assert (progress["best"]["adsorption_energy"], progress["best"]["n_members"]) == (
            pytest.approx(best[0]),
            best[1],
        )
    works = (("walker", walkers), ("evaluation", energies), ("reference", references))
    troubles = Counter(
        (work, one.failure_kind, one.failure_reason)
        for work, rows in works
        for one in rows
        if one.state == State.FAILED
    )
    assert {(one["work"], one["kind"], one["reason"]): one["count"] for one in shown["failures"]} == troubles
    assert [one["count"] for one in shown["failures"]] == sorted(troubles.values(), reverse=True)
    check_waiting(session, job, shown, [row for _, rows in works for row in rows])


def check_waiting(session, job: Job, shown: dict[str, Any], rows: list[Any]) -> None:
    """Why it waits: the members that nobody hosts, else how many open jobs are older."""
    queued = sorted({row.member for row in rows if row.state == State.QUEUED})
    away = [f"no worker hosts {member}" for member in queued if member != "emt"]
    every = session.execute(select(Job.created_at, Job.id).where(Job.state.in_(OPEN))).all()
    ahead = sum(tuple(one) < (job.created_at, job.id) for one in every)
    behind = f", behind {ahead} older job{'s' if ahead > 1 else ''}" if ahead else ""
    if away:
        assert shown["waiting_for"] == "; ".join(away)
    elif not queued or any(row.state == State.RUNNING for row in rows):
        assert shown["waiting_for"] is None
    else:
        assert shown["waiting_for"] == f"for its turn at emt{behind}"


def test_every_count_is_that_of_the_rows_and_the_same_in_a_list(service, mine):
    client, name = mine
    rng = np.random.default_rng(7)
    with service.opened.begin() as session:
        common = {"host": "here", "device": "cpu", "ready": True, "reason": "", "memory_bytes": None}
        beat(session, name="shown:1", pid=1, kind="potentials", members=["emt"], **common)
        jobs = [scatter(session, name, rng).id for _ in range(25)]
    listed = {job["id"]: job for job in client.get("/v1/jobs", params={"limit": 200}).json()["jobs"]}
    assert len(listed) == len(jobs)
    with service.opened() as session:
        for job_id in jobs:
            alone = client.get(f"/v1/jobs/{job_id}").json()
            assert alone == listed[str(job_id)]
            check(session, session.get_one(Job, job_id), alone)


@pytest.mark.parametrize(
    ("states", "reason"),
    [
        ([["absent", "absent"]], "for {a}, {b} to be loaded"),
        ([["resident", "absent"]], "for its turn at {a} and for {b} to be loaded"),
        ([["absent", "resident"], ["resident", "absent"]], "for its turn at {a}, {b}"),
        ([["absent"], ["unfit", "resident"]], "for its turn at {b} and for {a} to be loaded"),
    ],
    ids=["neither", "one", "each elsewhere", "one of them can't"],
)
def test_a_job_says_that_its_members_are_loading(service, mine, states, reason):
    client, name = mine
    names = [f"{name}-a", f"{name}-b"]
    common = {"host": "here", "pid": 1, "kind": "potentials", "device": "cpu", "ready": True, "reason": ""}
    with service.opened.begin() as session:
        for number, told in enumerate(states):
            rows = [{"member": one, "state": state, "reason": ""} for one, state in zip(names, told, strict=False)]
            hosted = names[: len(told)]
            beat(session, name=f"{name}:{number}", members=hosted, member_states=rows, memory_bytes=None, **common)
        job = add_job(session, user=name, walkers=2)
        walkers = session.scalars(select(Walker).where(Walker.job_id == job.id)).all()
        for walker, member in zip(walkers, names, strict=True):
            walker.member = member
        job_id = job.id
    waiting = client.get(f"/v1/jobs/{job_id}").json()["waiting_for"]
    assert waiting.partition(", behind")[0] == reason.format(a=names[0], b=names[1])


def ended(session, name: str) -> Job:
    """A job that chose its second candidate."""
    job = add_job(session, user=name, walkers=1)
    reference = add_reference(session, job, state=State.SUCCEEDED)
    found = add_candidates(session, job, [{"emt": -1.0, "other": -1.1}, {"emt": -2.0, "other": -1.9}])
    selection = Selection(
        job_id=job.id, number=0, rules={}, reference="r", n_candidates=2, n_passing=2, low_confidence=True
    )
    session.add(selection)
    session.flush()
    common = {"selection_id": selection.id, "candidate_id": found[0].id}
    session.add(Score(**common, mean=-1.05, std=0.07, range=0.1, n=2, passes=True, reason="", verdict="chosen"))
    session.add(Minimum(**common, job_id=job.id, rank=0, low_confidence=True, reason="the lowest all the same"))
    session.execute(
        update(Walker).where(Walker.job_id == job.id).values(state=State.SUCCEEDED, ended_because="wall time")
    )
    session.execute(update(Reference).where(Reference.id == reference.id).values(energy=-1.0))
    job.state, job.stage, job.ended_at = State.SUCCEEDED, Stage.DONE, job.created_at
    session.flush()
    return job


def test_what_was_chosen_comes_before_what_is_lowest(service, mine):
    client, name = mine
    with service.opened.begin() as session:
        job_id = ended(session, name).id
    for _ in range(2):  # counted, and kept
        job = client.get(f"/v1/jobs/{job_id}").json()
        assert job["progress"]["best"]["adsorption_energy"] == pytest.approx(-1.05)
        assert job["progress"]["best"]["member"] == "mean"
        assert job["warnings"][0] == "the lowest all the same"
        assert "wall-time budget" in job["warnings"][1]
        assert job["waiting_for"] is None
        assert client.get("/v1/jobs").json()["jobs"] == [job]


def test_an_ended_job_is_told_anew_when_its_row_changes(service, mine):
    client, name = mine
    with service.opened.begin() as session:
        job_id = ended(session, name).id
        group = Group(name=f"group of {name}")
        session.add(group)
        session.flush()
        group_id = group.id
    path = f"/v1/jobs/{job_id}"
    assert client.get(path).json()["group"] is None

    def change(**values: Any) -> dict[str, Any]:
        with service.opened.begin() as session:
            session.execute(update(Job).where(Job.id == job_id).values(**values))
        return client.get(path).json()

    assert change(group_id=group_id)["group"] == f"group of {name}"
    assert change(stored_bytes=12_345)["stored_bytes"] == 12_345
    with service.opened.begin() as session:
        session.execute(update(User).where(User.name == name).values(name=f"{name}-2"))
    assert client.get(path).json()["user"] == f"{name}-2"
    with service.opened.begin() as session:
        rests = select(JobReference.reference_id).where(JobReference.job_id == job_id)
        session.execute(update(Reference).where(Reference.id.in_(rests)).values(state=State.QUEUED))
    assert client.get(path).json()["progress"]["references"] == {"done": 0, "total": 1}
    dropped = change(candidates_dropped_at=client.get(path).json()["ended_at"])
    assert "dropped" in dropped["warnings"][-1]
    with service.opened.begin() as session:
        session.execute(update(MemberEnergy).where(MemberEnergy.job_id == job_id).values(state=State.CANCELLED))
    assert client.get(path).json()["progress"]["evaluations"]["done"] == 0
    with service.opened.begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(deleted_at=Job.created_at))
    assert client.get(path).status_code == 404


def test_a_kept_answer_is_for_those_who_may_read_it(service, mine):
    client, name = mine
    with service.opened.begin() as session:
        job_id = ended(session, name).id
    assert client.get(f"/v1/jobs/{job_id}").status_code == 200
    with service.client() as other:
        assert other.get(f"/v1/jobs/{job_id}").status_code == 404
        tag = client.get(f"/v1/jobs/{job_id}").headers["ETag"]
        assert other.get(f"/v1/jobs/{job_id}", headers={"If-None-Match": tag}).status_code == 404


@pytest.mark.parametrize("path", ["/v1/jobs/{}", "/v1/jobs"])
def test_an_answer_that_the_caller_has_is_not_sent_again(service, client, path):
    job_id = client.post("/v1/jobs", json=BULK_JOB).json()["id"]
    path = path.format(job_id)
    first = client.get(path)
    tag = first.headers["ETag"]
    again = client.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert client.get(path, headers={"If-None-Match": f'"other", W/{tag}'}).status_code == 304
    assert client.get(path, headers={"If-None-Match": '"other"'}).json() == first.json()
    with service.opened.begin() as session:
        session.execute(update(Job).where(Job.id == UUID(job_id)).values(priority=5))
    changed = client.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag
