"""Calibrations over HTTP and through the client: one's own until an administrator publishes them, and never what a job fails for."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import pytest
from adhop import Client, RequestRefused
from sqlalchemy import select, update

from shared.database.repositories import calibrations
from shared.database.repositories.calibrations import NewCalibration
from shared.database.repositories.users import Role, create_key
from shared.database.tables import AuditEntry, Selection, User
from shared.parameters import JobParameters, Spread
from shared.states import Stage, State
from tests.api.conftest import Service
from tests.api.structures import BULK_JOB
from tests.shared.database.jobs import OWN, add_candidates, add_job
from tests.shared.database.test_selections import decided

MEMBERS = ("alpha", "beta")
CALIBRATED = BULK_JOB | {"parameters": {"ensemble": {"limit": "calibrated"}}}


class Person(Client):
    """A user's client, and who they are."""

    def __init__(self, service: Service, name: str, role: Role) -> None:
        self.name = f"{name}-{uuid4()}"
        with service.opened.begin() as session:
            key = create_key(session, self.name, role)
            self.user_id = session.scalars(select(User.id).where(User.name == self.name)).one()
        super().__init__(service.url, key)


@pytest.fixture
def people(service) -> Iterator[dict[str, Person]]:
    """An administrator, an author, somebody else, and one who may only read."""
    roles = {"chief": Role.ADMIN, "author": Role.SUBMIT, "other": Role.SUBMIT, "reader": Role.READ}
    made = {name: Person(service, name, role) for name, role in roles.items()}
    yield made
    for client in made.values():
        client.close()


@pytest.fixture(autouse=True)
def nothing_in_force(service) -> Iterator[None]:
    yield
    with service.opened.begin() as session:
        found = calibrations.in_force(session, MEMBERS, "RPBE", Spread.STD, OWN)
        if found is not None:
            calibrations.withdraw(session, found.id, found.publisher_id or 1)


def proposal(service, author: Person, limit: float | None = 0.2) -> int:
    """As `POST /v1/calibrations` would store it from labels."""
    with service.opened.begin() as session:
        new = NewCalibration(
            MEMBERS, "RPBE", Spread.STD, limit, {"count": 40, "systems": 20}, [1, 2], {"users": {"x": 2}}, scale=OWN
        )
        return calibrations.propose(session, new, author.user_id, most=99)[0].id


def submit(client: Client, body: dict) -> dict:
    return client.request("POST", "/v1/jobs", json=body)


@contextmanager
def refused(status: int, why: str) -> Iterator[None]:
    with pytest.raises(RequestRefused, match=why) as found:
        yield
    assert found.value.status == status


def test_administrators_publish_and_withdraw_and_others_are_told_who_may(service, people):
    number = proposal(service, people["author"])
    with refused(403, r"only administrators \(keys with the role admin\) publish and withdraw calibrations"):
        people["author"].publish_calibration(number)
    for name in ("other", "reader"):
        with refused(404, f"there is no calibration {number}"):
            people[name].publish_calibration(number)
        assert number not in [one["number"] for one in people[name].calibrations()]
    assert number in [one["number"] for one in people["author"].calibrations(state="proposed")]
    published = people["chief"].publish_calibration(number)
    assert (published["state"], published["limit"]) == ("published", 0.2)
    assert published["author"].startswith("author-")
    assert published["publisher"].startswith("chief-")
    assert published["learned_from"] == {
        "candidates": 40, "systems": 20, "codes": {}, "users": {"x": 2}, "deleted_since": 2,
    }  # fmt: skip
    (seen,) = people["other"].calibrations(state="published")
    assert (seen["number"], seen["learned_from"]["users"]) == (
        number,
        None,
    )  # who fed what is the author's and the chief's
    for name in ("author", "other"):
        with refused(403, "only administrators"):
            people[name].withdraw_calibration(number)
    assert people["chief"].withdraw_calibration(number)["withdrawn_by"].startswith("chief-")
    with service.opened() as session:
        acts = [
            one.action for one in session.query(AuditEntry).filter(AuditEntry.subject.like(f"calibration {number} %"))
        ]
    assert acts == ["calibration.publish", "calibration.withdraw"]


def test_a_job_gets_what_is_in_force_and_never_somebodys_proposal(service, people):
    other = people["other"]
    proposal(service, people["author"], 9.0)
    with refused(422, r"no calibration in force for alpha, beta .*administrators publish one for all"):
        submit(other, CALIBRATED)
    first = proposal(service, people["author"], 0.2)
    people["chief"].publish_calibration(first)
    before = submit(other, CALIBRATED)
    proposal(service, people["author"], 9.0)
    assert (before["calibration"], submit(other, CALIBRATED)["calibration"]) == (first, first)
    assert submit(other, BULK_JOB)["calibration"] is None
    second = proposal(service, people["author"], 0.5)
    people["chief"].publish_calibration(second)
    assert submit(other, CALIBRATED)["calibration"] == second
    assert other.job(before["id"]).body["calibration"] == first
    people["chief"].withdraw_calibration(second)
    with refused(422, "no calibration in force"):
        submit(other, CALIBRATED)
    with refused(422, "no calibration in force"):
        other.request("POST", "/v1/systems", json=CALIBRATED)


def test_ones_own_is_named_by_its_number(service, people):
    mine = proposal(service, people["author"], 0.4)
    named = BULK_JOB | {"parameters": {"ensemble": {"limit": "calibrated", "calibration": mine}}}
    assert submit(people["author"], named)["calibration"] == mine
    with refused(422, f"no calibration {mine} that you may use"):
        submit(people["other"], named)
    both = BULK_JOB | {"parameters": {"ensemble": {"limit": 0.3, "calibration": mine}}}
    with refused(422, "give that, or a limit in eV without a calibration"):
        submit(people["author"], both)


def finished(service, person: Person, calibration: int | None = None, limit: float | str = "calibrated") -> str:
    """A job that has chosen: the lowest candidate has a spread of 0.5 eV."""
    with service.opened.begin() as session:
        job = add_job(session, user=person.name, state=State.RUNNING)
        job.score_members, job.stage, job.calibration_id = list(MEMBERS), Stage.DONE, calibration
        job.parameters = JobParameters.model_validate({"ensemble": {"limit": limit}}).model_dump(mode="json")
        add_candidates(session, job, [{"alpha": -2.0, "beta": -1.3}, {"alpha": -1.2, "beta": -1.2}])
        decided(session, job, JobParameters().choosing(MEMBERS), 0.1)
        job.state, job.ended_at = State.SUCCEEDED, job.created_at
        session.flush()
        return str(job.id)


def test_choosing_again_keeps_the_jobs_calibration_or_takes_what_is_asked_for(service, people):
    author, chief = people["author"], people["chief"]
    first, mine, third = (proposal(service, author, limit) for limit in (0.1, 0.3, 5.0))
    chief.publish_calibration(first)
    job = author.job(finished(service, author, first))
    chief.publish_calibration(third)  # and so the first is withdrawn
    assert (job.select(count=1)["limit"], job.select(count=1)["calibration"]) == (0.1, first)  # the job's own
    again = job.select(limit="calibrated")
    assert (again["limit"], again["calibration"], again["n_passing"]) == (5.0, third, 2)
    assert (job.select(calibration=mine)["limit"], job.select(limit=1.5)["calibration"]) == (0.3, None)
    with refused(422, f"calibration {first} was withdrawn on"):
        job.select(calibration=first)
    with refused(422, "in force for"):
        job.select(spread="range")  # another spread, another calibration
    with refused(422, "one of them"):
        job.select(calibration=mine, limit=0.3)
    assert job.select(calibration=mine, spread="std")["calibration"] == mine


def test_proposals_are_deleted_by_their_author(service, people):
    number = proposal(service, people["author"])
    with refused(404, "there is no calibration"):
        people["other"].delete_calibration(number)
    people["author"].delete_calibration(number)
    with refused(404, "there is no calibration"):
        people["author"].delete_calibration(number)
    used = proposal(service, people["author"], 0.3)
    people["author"].job(finished(service, people["author"], limit=0.3)).select(calibration=used)
    with refused(409, "is used by jobs or selections"):
        people["chief"].delete_calibration(used)


def test_one_member_has_no_spread(people):
    with refused(422, "one member alone has no spread"):
        people["author"].calibrate(["alpha", "alpha"])


def test_a_limit_that_could_not_be_had_is_shown_as_such(service, people):
    author = people["author"]
    job_id = finished(service, author)
    with service.opened.begin() as session:
        session.execute(update(Selection).where(Selection.job_id == UUID(job_id)).values(limit=None))
    assert [one["limit"] for one in author.job(job_id).selections()] == [None]
