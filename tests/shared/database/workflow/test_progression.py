"""How jobs move on: by what is left of their work, however often one looks."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from shared.database.session import sessions
from shared.database.tables import Candidate, Job, MemberEnergy, StageRow, Walker
from shared.database.workflow import progression, transitions
from shared.states import OPEN, Stage, State, Work
from tests.shared.database.jobs import STRUCTURE, add_job, add_reference


def end_walkers(session, job: Job, state: State = State.SUCCEEDED, **values: object) -> None:
    for walker in session.scalars(select(Walker).where(Walker.job_id == job.id)):
        walker.state = state
        for name, value in values.items():
            setattr(walker, name, value)
    session.flush()


def add_candidate(session, job: Job, *, energy: float = -1.0, converged: bool = True, anomalies=()) -> Candidate:
    walker = session.scalars(select(Walker).where(Walker.job_id == job.id)).first()
    candidate = Candidate(
        job_id=job.id,
        walker_id=walker.id,
        hop=session.scalar(select(func.count()).where(Candidate.walker_id == walker.id)),
        member="emt",
        structure_id=walker.placement.structure_id,
        positions=STRUCTURE.positions,
        energy=energy,
        fmax=0.01,
        converged=converged,
        anomalies=list(anomalies),
        site="top",
        accepted=True,
        force_calls=1,
    )
    session.add(candidate)
    session.flush()
    return candidate


def stages(session, job: Job) -> list[str]:
    return list(session.scalars(select(StageRow.work).where(StageRow.job_id == job.id)))


def test_a_job_is_chosen_from_once_when_nothing_is_left_to_do(session):
    job = add_job(session)
    candidate = add_candidate(session, job)
    energy = MemberEnergy(job_id=job.id, candidate_id=candidate.id, member="emt")
    session.add(energy)
    assert not progression.move_on(session, job.id)  # its walker is open
    end_walkers(session, job)
    assert not progression.move_on(session, job.id)  # its energy is
    energy.state, energy.energy, energy.adsorption_energy = State.SUCCEEDED, -1.0, -1.0
    session.flush()
    assert progression.move_on(session, job.id)
    assert progression.move_on(session, job.id)  # nobody took it yet: notify again
    assert (job.stage, stages(session, job)) == (Stage.SELECTING, [Work.SELECTION])


def test_a_job_whose_walkers_all_failed_fails_with_the_commonest_reason(session):
    job = add_job(session, walkers=3)
    end_walkers(session, job, State.FAILED, failure_kind="diverged", failure_reason="forces of 1e9 eV/Å")
    assert not progression.move_on(session, job.id)
    assert (job.state, job.failure_kind) == (State.FAILED, "diverged")
    assert job.failure_reason == "no candidate was found; of the walkers: forces of 1e9 eV/Å"
    assert job.ended_at is not None


def test_members_whose_references_fail_take_their_own_work_with_them(session):
    job = add_job(session)
    add_reference(session, job, state=State.FAILED)
    progression.move_on(session, job.id)
    walker = session.scalars(select(Walker)).one()
    session.refresh(walker)
    assert (walker.state, walker.failure_kind) == (State.FAILED, progression.REFERENCE_FAILED)
    assert "too steep" in job.failure_reason


def test_where_nothing_is_sound_the_lowest_is_scored_all_the_same(session):
    job = add_job(session)
    add_candidate(session, job, energy=-3.0, anomalies=["desorbed"])
    sound_but_open = add_candidate(session, job, energy=-2.0, converged=False)
    best = add_candidate(session, job, energy=-1.0, anomalies=["desorbed"])
    add_candidate(session, job, energy=-0.5, anomalies=["dissociated", "desorbed"])
    end_walkers(session, job)
    assert not progression.move_on(session, job.id)
    asked = session.scalars(select(MemberEnergy.candidate_id)).all()
    assert asked == [best.id - 2]  # converged before unconverged, then fewer anomalies, then lower
    assert sound_but_open.id not in asked


def test_ending_a_job_ends_its_work(session):
    job = add_job(session, walkers=2)
    transitions.end_job(session, job, State.CANCELLED)
    session.expire_all()
    assert set(session.scalars(select(Walker.state))) == {State.CANCELLED}
    assert not progression.move_on(session, job.id)
    assert job.state == State.CANCELLED


def test_a_stage_that_was_given_up_takes_its_job_with_it(session):
    job = add_job(session, stage=Stage.PLACING, walkers=0)
    session.add(
        StageRow(job_id=job.id, work=Work.PLACEMENT, state=State.FAILED, failure_kind="poison", failure_reason="gone")
    )
    session.flush()
    progression.move_on(session, job.id)
    assert (job.state, job.failure_kind, job.failure_reason) == (State.FAILED, "poison", "gone")


def test_only_jobs_that_can_move_on_are_looked_at(session):
    add_job(session)  # its walker is open
    waiting = add_job(session, stage=Stage.PLACING, walkers=0)
    session.add(StageRow(job_id=waiting.id, work=Work.PLACEMENT))
    assert progression.due(session) == []
    searched = add_job(session)
    end_walkers(session, searched)
    without_reference = add_job(session)
    add_reference(session, without_reference, state=State.FAILED)
    given_up = add_job(session, stage=Stage.SELECTING)
    row = StageRow(job_id=given_up.id, work=Work.SELECTION, state=State.FAILED, failure_kind="poison")
    session.add(row)
    session.flush()
    assert set(progression.due(session)) == {searched.id, without_reference.id, given_up.id}
    for job_id in progression.due(session):
        progression.move_on(session, job_id)
    session.flush()
    assert progression.due(session) == []


@pytest.mark.parametrize("state", [State.QUEUED, State.SUCCEEDED])
def test_what_a_hop_adds_while_its_job_is_ended_is_cancelled_with_it(engine, state):
    opened = sessions(engine)
    with opened.begin() as session:
        job_id = add_job(session, walkers=2).id
    with ThreadPoolExecutor(1) as beside, opened() as storing:
        job = storing.get_one(Job, job_id)
        candidate = add_candidate(storing, job)
        storing.add(MemberEnergy(job_id=job_id, candidate_id=candidate.id, member="emt"))
        walker = storing.get_one(Walker, candidate.walker_id)
        storing.add(
            Walker(job_id=job_id, placement_id=walker.placement_id, member="refiner", refines=candidate.id),
        )
        walker.state, walker.hop = state, 1
        storing.flush()
        cancelled = beside.submit(_cancel, opened, job_id)
        with pytest.raises(TimeoutError):
            cancelled.result(0.5)  # it waits for the hop
        storing.commit()
        cancelled.result(10)
    with opened() as session:
        for table in (Walker, MemberEnergy):
            assert not session.scalars(select(table).where(table.state.in_(OPEN))).all()


def _cancel(opened, job_id) -> None:
    with opened.begin() as session:
        transitions.end_job(session, transitions.lock_job(session, job_id), State.CANCELLED)
