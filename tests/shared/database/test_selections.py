"""Choices kept side by side, and the database's own aggregates against the formulas of the ensemble."""

import numpy as np
import pytest
from sqlalchemy import select

from api.jobs.counted import means as means_of
from api.jobs.progress import progress
from api.results import queries
from services.scoring.ensemble import summarise
from services.scoring.selection import choose
from shared.database.repositories import calibrations, selections
from shared.database.tables import MemberEnergy, Minimum, Score, StageRow
from shared.errors import NotFound
from shared.parameters import Choosing, JobParameters, Spread
from shared.states import Stage, State, Work
from tests.shared.database.jobs import OWN, add_candidates, add_job
from worker.queue import claims, eligible
from worker.tasks.stages import choose_minima, load_found

MEMBERS = ("a", "b", "c")
RULES = Choosing(members=MEMBERS)


def decided(session, job, rules=RULES, limit=0.3, number=0):
    pool = selections.pool(session, job.id, rules.members)
    return selections.store(
        session, job.id, rules, selections.SpreadLimit(limit, None), pool, choose(pool, rules, limit), number=number
    )


def test_the_pool_has_what_succeeded_and_nothing_in_place_of_the_rest(session):
    job = add_job(session)
    first, second, third = add_candidates(
        session, job, [{"a": -1.0, "b": -1.1, "c": -1.2}, {"a": None, "b": -2.0}, {"other": -9.0}]
    )
    third.duplicate_of, third.anomalies = first.id, ["desorbed", "reconstructed"]
    session.flush()
    pool = selections.pool(session, job.id, MEMBERS)
    assert pool.keys.tolist() == [first.id, second.id, third.id]
    np.testing.assert_array_equal(pool.energies, [[-1, -1.1, -1.2], [np.nan, -2, np.nan], [np.nan] * 3])
    assert list(pool.anomalies) == ["", "", "desorbed, reconstructed"]
    assert pool.first.tolist() == [first.id, second.id, first.id]
    assert len(pool.references) == 1
    # any order of members is that of the columns
    np.testing.assert_array_equal(selections.pool(session, job.id, ("c", "a")).energies[0], [-1.2, -1.0])


def test_who_stands_for_a_minimum_is_kept(session):
    job = add_job(session)
    failing, duplicate, other = add_candidates(
        session, job, [{"a": -2.0, "b": -1.0}, {"a": -1.5, "b": -1.5}, {"a": -1.0, "b": -1.0}]
    )
    duplicate.duplicate_of = failing.id
    session.flush()
    decided(session, job)
    stands = {row.candidate_id: row.same_as for row in session.scalars(select(Score))}
    assert stands == {failing.id: duplicate.id, duplicate.id: None, other.id: None}


def test_both_answers_are_kept(session):
    job = add_job(session)
    sure, unsure = add_candidates(session, job, [{"a": -1.0, "b": -1.0, "c": -1.0}, {"a": -2.0, "b": -1.5, "c": -1.2}])
    strict, lenient = decided(session, job), decided(session, job, limit=1.0, number=1)
    assert [one.number for one in selections.of_job(session, job.id)] == [0, 1]
    assert [one.finding.candidate.id for one in queries.minima(session, strict)] == [sure.id]
    assert [one.finding.candidate.id for one in queries.minima(session, lenient)] == [unsure.id, sure.id]
    assert (strict.n_candidates, strict.n_passing, lenient.n_passing) == (2, 1, 2)
    verdicts = {
        row.selection_id: row.verdict for row in session.scalars(select(Score).where(Score.candidate_id == unsure.id))
    }
    assert verdicts[strict.id] == "std 0.40 eV exceeds the limit of 0.30 eV"
    assert verdicts[lenient.id].startswith("chosen: the lowest of 2")
    found = selections.find(session, job.id, 1)
    assert found is not None
    assert found.id == lenient.id
    with pytest.raises(NotFound, match="no selection 7"):
        selections.find(session, job.id, 7)


def test_aggregates_in_the_database_are_those_of_the_ensemble(session):
    job = add_job(session)
    rng = np.random.default_rng(3)
    table = np.where(rng.random((30, 3)) < 0.7, rng.normal(-1, 1, (30, 3)), np.nan)
    rows = [{m: None if np.isnan(v) else float(v) for m, v in zip(MEMBERS, row, strict=True)} for row in table]
    made = add_candidates(session, job, rows)
    ours, means = summarise(table), means_of(MemberEnergy.job_id == job.id).subquery()
    theirs = {row.candidate_id: row for row in session.execute(select(means))}
    for index, candidate in enumerate(made):
        if ours.n[index] == 0:
            assert candidate.id not in theirs
            continue
        row = theirs[candidate.id]
        assert row.n == ours.n[index]
        assert row.mean == pytest.approx(ours.mean[index], abs=1e-12)
        if row.n > 1:
            assert (row.std, row.range) == pytest.approx((ours.std[index], ours.range[index]), abs=1e-12)


@pytest.mark.parametrize("limit", [0.2, "calibrated"])
def test_the_best_so_far_heeds_the_limit_also_a_calibrated_one(session, limit):
    job = add_job(session)
    job.score_members = list(MEMBERS)
    parameters = JobParameters.model_validate({"ensemble": {"limit": limit}})
    job.parameters = parameters.model_dump(mode="json")
    add_candidates(session, job, [{"a": -3.0, "b": -1.0, "c": -1.0}, {"a": -1.0, "b": -1.1, "c": -1.2}])
    new = calibrations.NewCalibration(MEMBERS[::-1], "RPBE", Spread.STD, 0.2, {}, scale=OWN)
    job.calibration_id = calibrations.propose(session, new, job.user_id, most=1)[0].id
    session.flush()
    best = progress(session, [job])[job.id].best
    assert best is not None
    assert best.adsorption_energy == pytest.approx(-1.1)


def test_the_stage_finds_duplicates_across_walkers_and_stores_selection_zero(session):
    job = add_job(session, stage=Stage.SELECTING)
    job.state, job.score_members = State.RUNNING, list(MEMBERS)
    first, twin, other, known = add_candidates(
        session, job, [{"a": -1.0, "b": -1.0}, {"a": -1.01, "b": -1.0}, {"a": -1.0, "b": -1.0}, {}]
    )
    twin.positions, known.duplicate_of = first.positions, twin.id
    session.add(StageRow(job_id=job.id, work=Work.SELECTION))
    session.flush()
    row = claims.claim(session, StageRow, eligible.stages(), owner="me", lease_s=20, limit=1)[0]
    found = load_found(session, job)
    choose_minima(session, claims.lease_of(row), job, found, found.comparing.answer())
    session.expire_all()
    assert (twin.duplicate_of, known.duplicate_of, other.duplicate_of) == (first.id, first.id, None)
    assert job.state == State.SUCCEEDED
    ranks = session.execute(select(Minimum.rank, Minimum.candidate_id).order_by(Minimum.rank)).all()
    assert [tuple(rank) for rank in ranks] == [(0, twin.id), (1, other.id)]
