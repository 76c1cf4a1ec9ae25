"""Whole jobs of other shapes through real processes: a cheap member searches for a dearer one, and a search whose time is up."""

import numpy as np
import pytest
from sqlalchemy import select

from api.jobs.progress import progress
from local.stack import Stack
from shared.database.repositories.structures import restore
from shared.database.session import Sessions
from shared.database.tables import Candidate, Job, MemberEnergy, Minimum, Walker
from shared.parameters import Ensemble, Hopping, JobParameters, Placement
from shared.states import State
from tests.stack.jobs import insert_job, submission
from worker.potentials import registry

from .conftest import start_workers, wait_for_end

pytestmark = pytest.mark.stack


def run(stack: Stack, opened: Sessions, parameters: JobParameters, *members: str) -> Job:
    start_workers(stack, *members)
    with opened.begin() as session:
        job = insert_job(session, submission(), parameters, ["emt"])
    return wait_for_end(opened, job.id)


@pytest.mark.potentials
def test_minima_of_a_cheap_member_are_relaxed_again_by_the_one_that_scores(stack: Stack, opened: Sessions):
    ensemble = Ensemble(refine_members=("chgnet-0.3.0",), score_members=("chgnet-0.3.0",))
    parameters = JobParameters(seed=3, placement=Placement(count=4), hopping=Hopping(hops=1), ensemble=ensemble)
    job = run(stack, opened, parameters, "emt", "chgnet-0.3.0")
    assert job.state == State.SUCCEEDED, job.failure_reason
    with opened() as session:
        found = session.scalars(select(Candidate).where(Candidate.job_id == job.id)).all()
        refining = {row.id: row.refines for row in session.scalars(select(Walker).where(Walker.refines.is_not(None)))}
        scored = set(session.scalars(select(MemberEnergy.candidate_id).where(MemberEnergy.job_id == job.id)))
        chosen = set(session.scalars(select(Minimum.candidate_id).where(Minimum.job_id == job.id)))
        counted = progress(session, [session.get_one(Job, job.id)])[job.id]
        structures = {row.id: restore(row.structure, row.positions) for row in found}
    coarse = {row.id: row for row in found if row.walker_id not in refining}
    refined = [row for row in found if row.walker_id in refining]
    assert {row.member for row in coarse.values()} == {"emt"}
    assert {row.member for row in refined} == {"chgnet-0.3.0"}
    sound = {row.id for row in coarse.values() if row.converged and not row.anomalies and row.duplicate_of is None}
    assert set(refining.values()) >= sound > set()
    assert scored == {row.id for row in refined if row.converged and not row.anomalies}
    assert chosen <= scored
    assert chosen
    assert counted.hops_done == len(found) <= counted.hops_most
    member = registry.load("chgnet-0.3.0")
    for row in refined:
        start = coarse[refining[row.walker_id] or 0]
        before, after = member.evaluate([structures[start.id], structures[row.id]])
        assert after.energy == row.energy <= before.energy + 1e-4
        assert np.linalg.norm(after.forces[structures[row.id].free], axis=1).max() < parameters.hopping.fmax


def test_a_search_whose_wall_time_is_up_ends_with_what_it_has_and_says_so(stack: Stack, opened: Sessions):
    settings = JobParameters(seed=3, placement=Placement(count=6), hopping=Hopping(hops=500), max_wall_s=0.001)
    job = run(stack, opened, settings, "emt")
    assert job.state == State.SUCCEEDED, job.failure_reason
    with opened() as session:
        reasons = session.scalars(select(Walker.ended_because).where(Walker.job_id == job.id)).all()
        warnings = progress(session, [session.get_one(Job, job.id)])[job.id].warnings
    assert set(reasons) == {"wall time"}
    assert any("wall-time budget" in warning for warning in warnings)
