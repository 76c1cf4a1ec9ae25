"""What is asked for is removed while the request is on its way: refused in a plain sentence, and nothing is left half done.

Each request is stopped where it needs a row that another session holds; that session removes what the request is about, and lets go.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import httpx
import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from shared.database.repositories import calibrations
from shared.database.repositories.calibrations import NewCalibration
from shared.database.repositories.users import Role
from shared.database.tables import Calibration, Candidate, Group, Job, Membership, ReferenceEnergy, Selection, User
from shared.parameters import Spread
from tests.api.structures import BULK_JOB
from tests.api.test_selections import finished, path  # noqa: F401
from tests.shared.database.jobs import OWN
from tests.shared.database.test_selections import MEMBERS
from worker.retention.removing import remove_piece

LABEL = {"functional": "PBE", "code": "VASP", "adsorption_energy": -1.0}


def while_it_waits(service, ask: Callable[[], httpx.Response], hold: Callable[[Session], object],
                   remove: Callable[[Session], object]) -> httpx.Response:  # fmt: skip
    """The answer of a request that waited for what the session held, and went on when it had removed something."""
    with ThreadPoolExecutor(1) as pool:
        with service.opened.begin() as session:
            hold(session)
            asked = pool.submit(ask)
            wait_for_waiter(service)
            remove(session)
        return asked.result(timeout=60)


def wait_for_waiter(service) -> None:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with service.opened() as session:
            if session.scalar(waiting):
                return
        time.sleep(0.02)
    raise AssertionError("the request waits for nobody")


def user_of(job: str) -> Callable[[Session], object]:
    return lambda session: session.execute(
        select(User.id)
        .where(User.id == select(Job.user_id).where(Job.id == UUID(job)).scalar_subquery())
        .with_for_update(key_share=True)
    ).one()


def held(job: str) -> Callable[[Session], object]:
    return lambda session: session.execute(select(Job.id).where(Job.id == UUID(job)).with_for_update()).one()


def mark_deleted(job: str) -> Callable[[Session], object]:
    return lambda session: session.execute(update(Job).where(Job.id == UUID(job)).values(deleted_at=func.now()))


def drop_candidates(job: str) -> Callable[[Session], object]:
    def drop(session: Session) -> None:
        session.execute(update(Job).where(Job.id == UUID(job)).values(candidates_dropped_at=func.now()))
        session.execute(delete(Candidate).where(Candidate.job_id == UUID(job)))

    return drop


def remove_all(job: str) -> Callable[[Session], object]:
    def remove(session: Session) -> None:
        mark_deleted(job)(session)
        while not remove_piece(session, UUID(job)):
            pass

    return remove


@pytest.mark.parametrize(
    ("remove", "status", "why"),
    [
        (mark_deleted, 404, "there is no job"),
        (remove_all, 404, "there is no job"),
        (drop_candidates, 409, "were dropped"),
    ],
)
def test_choosing_again(service, finished, remove, status, why):  # noqa: F811
    client, job, _ = finished
    answer = while_it_waits(service, lambda: client.post(path(job), json={"limit": 0.5}), user_of(job), remove(job))
    assert (answer.status_code, why in answer.json()["detail"]) == (status, True), answer.text
    with service.opened() as session:
        asked = select(func.count()).where(Selection.job_id == UUID(job), Selection.number > 0)
        assert session.scalar(asked) == 0


def test_deleting_a_selection(service, finished):  # noqa: F811
    client, job, _ = finished
    assert client.post(path(job), json={"limit": 0.5}).status_code == 201
    answer = while_it_waits(service, lambda: client.delete(f"{path(job)}/1"), held(job), remove_all(job))
    assert answer.status_code == 404, answer.text


@pytest.mark.parametrize("remove", [mark_deleted, remove_all, drop_candidates])
def test_feeding_back(service, finished, remove):  # noqa: F811
    client, job, (candidate, *_) = finished
    address = f"/v1/candidates/{candidate}/reference-energies"
    answer = while_it_waits(service, lambda: client.post(address, json=LABEL), user_of(job), remove(job))
    assert answer.status_code == 404, answer.text
    assert "there is no candidate" in answer.json()["detail"]


def test_deleting_what_is_just_fed_back_for_a_job_counts_it(service, finished):  # noqa: F811
    """A label that comes while its job is deleted is either seen by the deletion or refused."""
    client, job, (candidate, *_) = finished
    address = f"/v1/candidates/{candidate}/reference-energies"
    answer = while_it_waits(
        service,
        lambda: client.delete(f"/v1/jobs/{job}/data"),
        held(job),
        lambda session: session.add(
            ReferenceEnergy(
                candidate_id=candidate,
                adsorption_energy=-1.0,
                reference="x",
                functional="PBE",
                code="VASP",
                provenance="",
            )
        ),
    )
    assert answer.status_code == 409, answer.text
    assert client.get(address).status_code == 200


@pytest.mark.parametrize("ask", ["cancel", "share", "delete"])
def test_what_is_done_to_a_job(service, finished, ask):  # noqa: F811
    client, job, _ = finished
    asks: dict[str, Callable[[], httpx.Response]] = {
        "cancel": lambda: client.delete(f"/v1/jobs/{job}"),
        "share": lambda: client.patch(f"/v1/jobs/{job}", json={"group": None}),
        "delete": lambda: client.delete(f"/v1/jobs/{job}/data"),
    }
    answer = while_it_waits(service, asks[ask], held(job), remove_all(job))
    assert answer.status_code == 404, answer.text


def test_reading_sees_one_state_of_the_database(service, finished):  # noqa: F811
    client, job, _ = finished
    locked = text("LOCK TABLE member_energies IN ACCESS EXCLUSIVE MODE")
    answer = while_it_waits(
        service, lambda: client.get(f"/v1/jobs/{job}/minima"), lambda session: session.execute(locked), remove_all(job)
    )
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["minima"]) == 2
    assert client.get(f"/v1/jobs/{job}/minima").status_code == 404


def proposal(service, job: str, members: tuple[str, ...]) -> int:
    with service.opened.begin() as session:
        owner = session.get_one(Job, UUID(job)).user_id
        new = NewCalibration(members, "RPBE", Spread.STD, 0.4, {}, scale=OWN)
        return calibrations.propose(session, new, owner, most=50)[0].id


def forget(number: int) -> Callable[[Session], object]:
    return lambda session: session.execute(delete(Calibration).where(Calibration.id == number))


def test_choosing_by_a_calibration_that_is_deleted(service, finished):  # noqa: F811
    client, job, _ = finished
    number = proposal(service, job, MEMBERS)
    answer = while_it_waits(
        service, lambda: client.post(path(job), json={"calibration": number}), forget(number), lambda session: None
    )
    assert answer.status_code == 422, answer.text
    assert f"there is no calibration {number}" in answer.json()["detail"]


@pytest.fixture
def group(service) -> tuple[int, str]:
    with service.opened.begin() as session:
        made = Group(name=f"group {time.monotonic_ns()}")
        session.add(made)
        session.flush()
        number, name = made.id, made.name
    return number, name


def end(number: int) -> Callable[[Session], object]:
    return lambda session: session.execute(delete(Group).where(Group.id == number))


def test_sharing_with_a_group_that_is_ended(service, finished, group):  # noqa: F811
    client, job, _ = finished
    number, name = group
    with service.opened.begin() as session:
        session.add(Membership(group_id=number, user_id=session.get_one(Job, UUID(job)).user_id))
    answer = while_it_waits(
        service, lambda: client.patch(f"/v1/jobs/{job}", json={"group": name}), end(number), lambda session: None
    )
    assert answer.status_code == 422, answer.text
    assert "the owner is in no group yet" in answer.json()["detail"]


def test_joining_a_group_that_is_ended(service, finished, group):  # noqa: F811
    _, job, _ = finished
    number, _ = group
    with service.opened() as session:
        user = session.get_one(Job, UUID(job)).user_id
    with service.client(Role.ADMIN) as admin:
        answer = while_it_waits(
            service,
            lambda: admin.put(f"/v1/groups/{number}/members/{user}"),
            end(number),
            lambda session: None,
        )
    assert answer.status_code == 404, answer.text


def test_submitting_under_a_calibration_that_is_deleted(service, finished):  # noqa: F811
    """Deleted between the look at the request and the storing of the job."""
    client, job, _ = finished
    number = proposal(service, job, ("alpha", "beta"))
    body = BULK_JOB | {"parameters": {"ensemble": {"limit": "calibrated", "calibration": number}}}
    answer = while_it_waits(service, lambda: client.post("/v1/jobs", json=body), user_of(job), forget(number))
    assert answer.status_code == 409, answer.text
    assert f"calibration {number} was just deleted" in answer.json()["detail"]
