"""What a lab shares, from the command line: calibrations, references that failed, selections, and what was fed back."""

import re

import pytest
from adhop import terminal
from sqlalchemy import func

from shared.database.repositories import calibrations
from shared.database.repositories.calibrations import NewCalibration
from shared.database.repositories.users import Role
from shared.database.tables import Reference, ReferenceEnergy, User
from shared.parameters import JobParameters, Spread
from shared.states import Stage, State
from tests.shared.database.jobs import OWN, SLAB_C, add_candidates, add_job, add_reference
from tests.shared.database.test_selections import decided

MEMBERS = ("alpha", "beta")


@pytest.fixture
def run(service, adhop, monkeypatch):
    """Runs a command as a user; what it says, with runs of spaces made one."""
    monkeypatch.setattr(terminal.console, "width", 200)

    def as_user(name: str, *words: object, role: Role = Role.SUBMIT) -> str:
        monkeypatch.setenv("ADHOP_KEY", service.key(role, name))
        code, output, errors = adhop(*words)
        assert (code == 0) == (errors == ""), errors
        return re.sub(r"\s+", " ", output or errors)

    return as_user


@pytest.fixture
def finished(service, run):
    """A finished job of `author`, its first candidate, and a calibration that `author` proposed."""
    with service.opened.begin() as session:
        job = add_job(session, user="author", state=State.RUNNING)
        job.score_members, job.stage = list(MEMBERS), Stage.DONE
        made = add_candidates(session, job, [{"alpha": -2.0, "beta": -1.3}, {"alpha": -1.2, "beta": -1.2}])
        decided(session, job, JobParameters().choosing(MEMBERS), 0.3)
        job.state, job.ended_at = State.SUCCEEDED, job.created_at
        author = session.query(User).filter_by(name="author").one().id
        new = NewCalibration(MEMBERS, "RPBE", Spread.STD, 0.6, {"count": 40, "systems": 20}, [1, 2], scale=OWN)
        proposed, _ = calibrations.propose(session, new, author, most=99)
        session.flush()
        return str(job.id), made[0].id, proposed.id


def test_calibrations_are_listed_used_published_and_withdrawn(run, finished):
    job, _, number = finished
    assert f"{number} proposed alpha, beta" in run("author", "calibrations")
    assert "40 candidates of 20 systems, 2 deleted since" in run("author", "calibrations", "--state", "proposed")
    assert "std at most 0.600 eV" in run("author", "select", job, "--calibration", number)
    assert "give --limit in eV or --calibration" in run(
        "author", "select", job, "--calibration", number, "--limit", "1"
    )
    refused = run("author", "calibrations", "publish", number)
    assert "only administrators (keys with the role admin) publish" in refused
    said = run("chief", "calibrations", "publish", number, role=Role.ADMIN)
    assert said == f"calibration {number} is in force: alpha, beta (std, against RPBE), limit 0.600 eV"
    assert "published" in run("other", "calibrations", "--state", "published")
    assert "std at most 0.600 eV" in run("author", "select", job, "--limit", "calibrated")
    said = run("chief", "calibrations", "withdraw", number, role=Role.ADMIN)
    assert said.startswith(f"calibration {number} is withdrawn: none is in force for alpha, beta")
    assert "was published and stays" in run("author", "calibrations", "delete", number)


def test_selections_are_listed_and_deleted(run, finished):
    job, _, _ = finished
    run("author", "select", job, "--limit", "0.9")
    assert "1 alpha, beta std 0.900 - 2 of 2" in run("author", "selections", job)
    assert run("author", "selections", job, "--delete", 1) == "deleted selection 1"
    assert "has no selection 1" in run("author", "selections", job, "--delete", 1)
    assert "stays with it" in run("author", "selections", job, "--delete", 0)


def test_what_was_fed_back_is_listed_and_deleted(service, run, finished):
    _, candidate, _ = finished
    with service.opened.begin() as session:
        row = ReferenceEnergy(
            candidate_id=candidate, adsorption_energy=-1.25, reference=SLAB_C, functional="RPBE", code="VASP 6",
            provenance="run [7]", user_id=session.query(User).filter_by(name="author").one().id,
        )  # fmt: skip
        session.add(row)
        session.flush()
        number = row.id
    assert f"{number} -1.250 RPBE VASP 6 author" in run("author", "fed", candidate)
    assert run("author", "fed", candidate, "--delete", number) == f"deleted reference energy {number}"
    assert "there is no candidate" in run("other", "fed", candidate)


def test_a_reference_that_failed_is_listed_and_tried_again(service, run):
    with service.opened.begin() as session:
        row = add_reference(session, add_job(session, user="unlucky"), state=State.FAILED)
        row.kind, row.label = "gas", "CO"
        session.flush()
        number = row.id
    assert f"{number} gas CO emt failed 1 no_minimum: too steep; you may" in run(
        "unlucky", "references", "--state", "failed"
    )
    assert "that a job of yours rests on" in run("other", "references", "retry", number)
    assert run("unlucky", "references", "retry", number) == f"reference {number}, gas CO with member emt: queued"
    with service.opened.begin() as session:
        row = session.get_one(Reference, number)
        row.state, row.failure_kind, row.failure_reason = State.FAILED, "poison", "gone"
        row.retried_at = func.now()
    assert "tried again less than 10 min ago" in run("unlucky", "references", "retry", number)
    assert "queued" in run("chief", "references", "retry", number, role=Role.ADMIN)
