"""What an upgrade makes of what is stored: calibrations that jobs got, and those that they will get."""

from uuid import uuid4

import pytest
from alembic import command
from sqlalchemy import text

from local.migrations import configuration
from shared.database.session import connect

SELECT = "SELECT id FROM calibrations WHERE published_at IS NOT NULL AND withdrawn_at IS NULL ORDER BY id"


@pytest.fixture
def upgraded(postgres):
    """A database of the version before, with calibrations of three authors, and an open and an ended job; brought up to date."""
    url = postgres.create_database("upgraded")
    command.upgrade(configuration(url), "0011")
    engine = connect(url)
    jobs = {"open": uuid4(), "other spread": uuid4(), "a number": uuid4(), "ended": uuid4()}
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO users (name) VALUES ('somebody')"))
        for members, limit in (("{a,b}", 0.1), ("{a,b}", 0.2), ("{a,b,c}", 0.3), ("{a,b,c}", None)):
            connection.execute(
                text(
                    'INSERT INTO calibrations (members, functional, spread, "limit", report, user_id) '
                    "VALUES (:members, 'RPBE', 'std', :limit, '{}', 1)"
                ),
                {"members": members, "limit": limit},
            )
        for name, key in jobs.items():
            limit = "0.3" if name == "a number" else '"calibrated"'
            spread = "range" if name == "other spread" else "std"
            ensemble = f'{{"ensemble": {{"limit": {limit}, "functional": "RPBE", "spread": "{spread}"}}}}'
            ended = name == "ended"
            connection.execute(
                text(
                    "INSERT INTO jobs (id, user_id, name, adsorbate, surface, submission, parameters, search_members, score_members, "
                    "state, ended_at) VALUES (:id, 1, '', '', '', '{}', :parameters, '{a}', '{b,a}', :state, :ended)"
                ),
                {
                    "id": key,
                    "parameters": ensemble,
                    "state": "succeeded" if ended else "queued",
                    "ended": "now" if ended else None,
                },
            )
        for number in (0, 2):
            connection.execute(
                text(
                    'INSERT INTO selections (job_id, number, rules, "limit", calibration_id, reference, n_candidates, n_passing, '
                    "low_confidence) VALUES (:job, :number, '{}', 0.1, 1, '', 0, 0, false)"
                ),
                {"job": jobs["ended"], "number": number},
            )
    command.upgrade(configuration(url), "head")
    yield engine, jobs
    engine.dispose()
    postgres.drop_database("upgraded")


def test_what_jobs_got_stays_in_force_and_open_ones_are_pinned_to_it(upgraded):
    engine, jobs = upgraded
    with engine.begin() as connection:
        # the newest of a, b; of a, b, c the newest has no limit, and jobs that asked for it were refused
        assert connection.execute(text(SELECT)).scalars().all() == [2]
        rows = connection.execute(text("SELECT id, calibration_id, last_selection FROM jobs")).all()
    found = {row.id: (row.calibration_id, row.last_selection) for row in rows}
    assert {name: found[key] for name, key in jobs.items()} == {
        "open": (2, 0),
        "other spread": (None, 0),
        "a number": (None, 0),
        "ended": (1, 2),  # by which it chose
    }
