"""A search that has ended never fails for a rule of choosing: what was found is kept, and the job says what was left out."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from shared.database.repositories import calibrations
from shared.database.repositories.calibrations import NewCalibration
from shared.database.session import sessions
from shared.database.tables import Candidate, Job, MemberEnergy, Minimum, Selection, StageRow
from shared.parameters import JobParameters, Spread
from shared.settings import Settings
from shared.states import Stage, State, Work
from tests.shared.database.jobs import OWN, add_candidates, add_job
from tests.worker.tasks.comparison_traps import DEADLY, ENDLESS
from worker.lifecycle import shutdown
from worker.lifecycle.lease_keeper import LeaseKeeper
from worker.queue import claims
from worker.tasks.stage_process import StageProcess
from worker.tasks.stage_task import StageTask
from worker.tasks.stages import choose_minima, load_found

MEMBERS = ("a", "b", "c")
ENERGIES = [{"a": -2.0, "b": -1.0, "c": -1.6}, {"a": -1.2, "b": -1.2, "c": -1.3}]
"""The lowest has a spread of 0.5 eV, the other one of 0.06 eV."""


def searched(session, energies=ENERGIES, **ensemble: object) -> Job:
    """A job whose search has ended."""
    job = add_job(session, stage=Stage.SELECTING)
    job.state, job.score_members = State.RUNNING, list(MEMBERS)
    job.parameters = JobParameters.model_validate({"ensemble": ensemble}).model_dump(mode="json")
    add_candidates(session, job, energies)
    return job


def choose(session, job: Job) -> None:
    """As a CPU worker does when it has claimed the stage."""
    row = StageRow(
        job_id=job.id, work=Work.SELECTION, state=State.RUNNING, owner="me", token=1, claimed_for=job.user_id,
        lease_until=datetime.now(UTC) + timedelta(minutes=5),
    )  # fmt: skip
    session.add(row)
    session.flush()
    found = load_found(session, job)
    choose_minima(session, claims.lease_of(row), job, found, found.comparing.answer())
    session.flush()


def chosen(session, job: Job) -> list[int]:
    """The minima as places in the list of energies, by rank."""
    first = session.scalar(select(MemberEnergy.candidate_id).where(MemberEnergy.job_id == job.id).limit(1))
    ranked = select(Minimum.candidate_id).where(Minimum.job_id == job.id).order_by(Minimum.rank)
    return [key - first for key in session.scalars(ranked)]


def own(session, job: Job) -> Selection:
    return session.scalars(select(Selection).where(Selection.job_id == job.id)).one()


def calibration(session, job: Job, limit: float | None) -> int:
    new = NewCalibration(MEMBERS, "RPBE", Spread.STD, limit, {}, scale=OWN)
    return calibrations.propose(session, new, job.user_id, most=9)[0].id


@pytest.mark.parametrize("withdrawn", [False, True])
def test_the_calibration_of_the_submission_is_used_whatever_came_of_it(session, withdrawn):
    job = searched(session, limit="calibrated")
    job.calibration_id = calibration(session, job, 0.1)
    calibrations.publish(session, job.calibration_id, job.user_id)
    if withdrawn:
        calibrations.withdraw(session, job.calibration_id, job.user_id)
    else:
        calibrations.publish(session, calibration(session, job, 5.0), job.user_id)
    choose(session, job)
    assert (job.state, job.warnings) == (State.SUCCEEDED, [])
    assert chosen(session, job) == [1]  # 0.5 eV is wide for 0.1, and would not be for 5
    assert (own(session, job).limit, own(session, job).calibration_id) == (0.1, job.calibration_id)


def test_a_calibration_that_is_withdrawn_while_a_job_chooses_changes_nothing(engine):
    opened = sessions(engine)
    with opened.begin() as session:
        job = searched(session, limit="calibrated")
        job.calibration_id = calibration(session, job, 0.1)
        calibrations.publish(session, job.calibration_id, job.user_id)
    with opened() as choosing:
        mine = choosing.get_one(Job, job.id)
        choose(choosing, mine)
        with opened.begin() as beside:  # waits for nothing: neither holds up the other
            calibrations.withdraw(beside, mine.calibration_id, mine.user_id)
        choosing.commit()
        assert (mine.state, chosen(choosing, mine)) == (State.SUCCEEDED, [1])


def test_a_limit_that_can_not_be_had_costs_the_filter_and_not_the_search(session):
    job = searched(session, limit="calibrated")
    choose(session, job)
    assert (job.state, job.failure_kind) == (State.SUCCEEDED, None)
    assert chosen(session, job) == [0, 1]  # by the mean alone
    assert own(session, job).limit is None
    (warning,) = job.warnings
    assert "no calibrated limit could be had: the minima were ranked by their mean energy" in warning
    assert "choose again with a limit in eV" in warning


def test_a_weight_of_a_member_that_does_not_score_is_left_out(session):
    job = searched(session, limit=5.0, weights={"gone": 3.0, "a": 1000.0})
    choose(session, job)
    assert (job.state, chosen(session, job)) == (State.SUCCEEDED, [0, 1])
    assert own(session, job).rules["weights"] == {}
    assert job.warnings == [
        "weights for gone, but the members are a, b, c: the minima were ranked by the plain mean of their energies"
    ]


def test_energies_with_another_reference_are_left_out(session):
    job = searched(session, limit=5.0)
    add_candidates(session, job, [dict.fromkeys(MEMBERS, -900.0)], reference="something else")
    choose(session, job)
    assert (job.state, chosen(session, job)) == (State.SUCCEEDED, [0, 1])
    assert "those relative to something else, by each member's own molecules were left out" in job.warnings[0]


@pytest.mark.parametrize("missing", [("c",), ("b", "c")])
def test_members_without_energies_cost_their_energies_alone(session, missing):
    energies = [one | dict.fromkeys(missing) for one in ENERGIES]
    job = searched(session, energies, weights={"c": 2.0})
    choose(session, job)
    assert (job.state, chosen(session, job)[0]) == (State.SUCCEEDED, 1 if missing == ("c",) else 0)


def test_a_job_of_which_no_candidate_has_an_energy_fails_with_the_reason(session):
    job = searched(session, [dict.fromkeys(MEMBERS)])
    choose(session, job)
    assert (job.state, job.failure_kind) == (State.FAILED, "no_energies")
    assert job.failure_reason == "no candidate could be scored by any member; of the evaluations: ran away"


class Silent:
    """A notifier of nobody."""

    def notify_member(self, member: str) -> None: ...

    def notify_cpu(self) -> None: ...


@pytest.mark.parametrize(
    ("distance", "why"),
    [(ENDLESS, "takes longer than the 1 s that a stage may take here"), (DEADLY, "ended with status 9"), (0.2, None)],
    ids=["too long", "kills its process", "as it should"],
)
def test_minima_that_can_not_be_compared_are_chosen_from_all_the_same(engine, monkeypatch, distance, why):
    monkeypatch.setattr(shutdown, "requested", lambda: False)
    opened = sessions(engine)
    with opened.begin() as session:
        job = searched(session, [*ENERGIES, ENERGIES[1]], limit=0.3)
        parameters = job.read_parameters()
        similarity = parameters.similarity.model_copy(update={"distance": distance})
        job.parameters = parameters.model_copy(update={"similarity": similarity}).model_dump(mode="json")
        first, *_, last = session.scalars(select(Candidate).order_by(Candidate.id))
        last.positions = session.scalars(select(Candidate).where(Candidate.id == first.id + 1)).one().positions
        session.add(StageRow(job_id=job.id, work=Work.SELECTION))
        job_id = job.id
    configured = Settings(
        database_url="postgresql://a:b@localhost:1/c", broker_url="redis://:a@localhost:1/0", stage_limit_s=1.0,
        max_attempts=2,
    )  # fmt: skip
    process = StageProcess(configured, module="tests.worker.tasks.comparison_traps")
    process.start(wait=True)
    with LeaseKeeper(opened, configured.lease_s) as keeper:
        StageTask(configured, opened, keeper, Silent(), process).run()
    process.close()
    with opened() as session:
        job = session.get_one(Job, job_id)
        assert job.state == State.SUCCEEDED
        assert chosen(session, job) == ([1] if why is None else [1, 2])  # the same one twice, where nobody compared
        if why is None:
            assert job.warnings == []
        else:
            assert "minima that different walkers found alike stand side by side" in job.warnings[0]
            assert why in job.warnings[0]
