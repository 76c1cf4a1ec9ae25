"""What is read of a job's stored parameters, in SQL and in Python."""

from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from shared.database.tables import Job
from shared.parameters import Ensemble, Hopping, JobParameters, Spread
from tests.shared.database.jobs import add_job

USUAL = JobParameters()
OTHERS = [
    JobParameters(hopping=Hopping(lag=7), ensemble=Ensemble(spread=Spread.RANGE, functional="BEEF-vdW", limit=0.125)),
    JobParameters(ensemble=Ensemble(limit="calibrated")),
    JobParameters(ensemble=Ensemble(limit=2)),
]


def _stored(session: Session, parameters: JobParameters) -> UUID:
    job = add_job(session, walkers=0)
    job.parameters = parameters.model_dump(mode="json")
    session.flush()
    session.expire(job)
    return job.id


@pytest.mark.parametrize("parameters", [USUAL, *OTHERS])
def test_sql_and_python_read_the_same(session: Session, parameters: JobParameters) -> None:
    job_id = _stored(session, parameters)
    job, other = session.get_one(Job, job_id), aliased(Job)
    expected = (
        parameters.hopping.lag,
        parameters.ensemble.spread,
        None if parameters.ensemble.limit == "calibrated" else parameters.ensemble.limit,
    )
    assert job.read_parameters() == parameters
    assert (job.lag, job.spread, job.own_limit) == expected
    for table in (Job, other):
        columns = select(table.lag, table.spread, table.own_limit)
        assert tuple(session.execute(columns.where(table.id == job_id)).one()) == expected
