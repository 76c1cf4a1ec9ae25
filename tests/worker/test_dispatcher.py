"""The dispatcher's pass over the database, and for what it wakes workers."""

import pytest
from sqlalchemy import Engine, func, select, text, update

from shared.database.session import sessions
from shared.database.tables import Job, StageRow, Walker
from shared.errors import OtherVersion
from shared.states import Stage, State, Work
from tests.shared.database.jobs import add_job
from worker.dispatcher import mend
from worker.queue import claims, eligible


def test_workers_are_notified_again_of_a_lost_workers_row(engine: Engine):
    opened = sessions(engine)
    with opened.begin() as session:
        add_job(session)
        claims.claim(session, Walker, eligible.walkers("emt"), owner="dead", lease_s=60, limit=1)
    assert mend(opened, 3) == ([], False)
    with opened.begin() as session:
        session.execute(update(Walker).values(lease_until=func.now() - text("interval '1 second'")))
    assert mend(opened, 3) == (["emt"], False)
    with opened() as session:
        assert session.scalars(select(Walker.state)).all() == [State.QUEUED]


def test_a_job_that_nobody_moved_on_is_moved_on(engine: Engine):
    opened = sessions(engine)
    with opened.begin() as session:
        job = add_job(session)
        session.execute(update(Walker).values(state=State.FAILED, failure_kind="diverged", failure_reason="far"))
        waiting = add_job(session, stage=Stage.PLACING, walkers=0)
        session.add(StageRow(job_id=waiting.id, work=Work.PLACEMENT))
    for _ in range(2):  # a second dispatcher, or a second pass, changes nothing
        assert mend(opened, 3) == ([], True)
        with opened() as session:
            assert session.get_one(Job, job.id).state == State.FAILED
            assert session.get_one(Job, waiting.id).state == State.QUEUED


def test_tables_of_another_version_are_left_alone(engine: Engine):
    opened = sessions(engine)
    with opened.begin() as session:
        add_job(session)
        claims.claim(session, Walker, eligible.walkers("emt"), owner="dead", lease_s=60, limit=1)
        session.execute(update(Walker).values(lease_until=func.now() - text("interval '1 second'")))
        session.execute(text("UPDATE alembic_version SET version_num = 'tomorrow'"))
    with pytest.raises(OtherVersion, match="version tomorrow"):
        mend(opened, 3)
    with opened() as session:
        assert session.scalars(select(Walker.state)).all() == [State.RUNNING]
