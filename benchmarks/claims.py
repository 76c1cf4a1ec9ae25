"""What a claim costs with a million queued rows, on a real PostgreSQL: median and 99th percentile of a claim of eight, ms, in several
mixtures of users, jobs and rows; and of what else looks at the queues: the dispatcher's pass, the question whether anything is open.

    python -m benchmarks.claims [--quick] [--rows N]
"""

from __future__ import annotations

import statistics
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from benchmarks import report
from local.migrations import configuration
from local.postgres import Postgres
from shared.database.session import Sessions, connect, sessions
from shared.database.tables import MemberEnergy, Reference, Walker
from shared.parameters import JobParameters
from worker import dispatcher
from worker.queue import claims, eligible, waiting

CLAIMS = 200
ROOM = 8
MEMBER = "emt"


@dataclass(frozen=True)
class Mixture:
    """Who has how much queued."""

    users: int
    jobs: int
    """In all, shared out evenly."""
    rows: int
    """Of each job."""
    what: str = "walkers"
    others: int = 0
    """Users with one job of one walker beside these."""
    blocked: int = 0
    """Of the jobs, how many wait for a reference that is being computed."""


def mixtures(rows: int) -> dict[str, Mixture]:
    return {
        "walkers of 5,000 jobs of 20 users": Mixture(20, rows // 200, 200),
        "walkers of one user, and another's one": Mixture(1, rows // 500, 500, others=1),
        "walkers of 500 users": Mixture(500, rows // 500, 500),
        "walkers of jobs that wait, all but 20": Mixture(20, rows // 200, 200, blocked=rows // 200 - 20),
        "evaluations of 5,000 jobs of 20 users": Mixture(20, rows // 200, 200, "evaluations"),
        "references of 20 users": Mixture(20, rows // 100, 5, "references"),
    }


def fill(engine: Engine, mixture: Mixture) -> None:
    """The mixture's rows, as their jobs would have left them."""
    parameters = JobParameters().model_dump_json()
    with engine.begin() as connection:
        for table in ("jobs", "users", '"references"', "structures"):
            connection.execute(text(f"DELETE FROM {table}" if table == "users" else f"TRUNCATE {table} CASCADE"))
        run = connection.execute
        run(text("INSERT INTO users (name) SELECT 'u' || n FROM generate_series(1, :n) n"), {"n": mixture.users})
        run(text("INSERT INTO users (name) SELECT 'other' || n FROM generate_series(1, :n) n"), {"n": mixture.others})
        run(
            text(
                "INSERT INTO structures (digest, formula, numbers, cell, pbc, tags, fixed)"
                " VALUES ('d', 'PtC', '{78,6}', '{3,0,0,0,3,0,0,0,20}', '{t,t,t}', '{1,2}', '{t,f}')"
            )
        )
        jobs = (
            "INSERT INTO jobs (id, user_id, name, adsorbate, surface, state, stage, submission, parameters, search_members,"
            " score_members, started_at, created_at)"
            " SELECT gen_random_uuid(), u.id, 'bench', 'C', 'Pt', 'running', 'searching', '{}', CAST(:p AS jsonb), :m, :m,"
            " now(), now() - interval '1 hour' + n * interval '10 ms'"
            " FROM (SELECT id, row_number() OVER (ORDER BY id) AS r FROM users WHERE name LIKE :like) u"
            " JOIN generate_series(0, :jobs - 1) n ON n % :users = u.r - 1"
        )
        run(text(jobs), {"p": parameters, "m": [MEMBER], "like": "u%", "jobs": mixture.jobs, "users": mixture.users})
        rows = "generate_series(0, :rows - 1) i"
        placements = (
            "INSERT INTO placements (job_id, index, structure_id, positions, site, method)"
            f" SELECT j.id, i, (SELECT min(id) FROM structures), '{{0,0,0,0,0,2}}', 'top', 'bench' FROM jobs j, {rows}"
        )
        walkers = "INSERT INTO walkers (job_id, placement_id, member) SELECT job_id, id, :m FROM placements"
        if mixture.what == "walkers":
            run(text(placements), {"rows": mixture.rows})
            run(text(walkers), {"m": MEMBER})
        elif mixture.what == "evaluations":
            run(text(placements), {"rows": 1})
            run(text(walkers + " RETURNING id"), {"m": MEMBER})
            run(text("UPDATE walkers SET state = 'succeeded', hop = 1"))
            run(
                text(
                    "INSERT INTO candidates (job_id, walker_id, hop, member, structure_id, positions, energy, fmax, converged,"
                    " anomalies, site, accepted, force_calls) SELECT w.job_id, w.id, i, 'other', (SELECT min(id) FROM structures),"
                    f" '{{0,0,0,0,0,2}}', -1, 0.01, true, '{{}}', 'top', true, 1 FROM walkers w, {rows}"
                ),
                {"rows": mixture.rows},
            )
            run(
                text(
                    "INSERT INTO member_energies (job_id, candidate_id, member) SELECT job_id, id, :m FROM candidates"
                ),
                {"m": MEMBER},
            )
        else:
            _references(connection.execute, "SELECT id, i FROM jobs, " + rows, "queued", {"rows": mixture.rows})
        if mixture.blocked:
            ids = "SELECT id, 0 AS i FROM jobs ORDER BY created_at LIMIT :n"
            _references(connection.execute, ids, "queued", {"n": mixture.blocked})
            run(
                text(
                    "UPDATE \"references\" SET state = 'running', owner = 'x', token = 1, attempts = 1,"
                    " lease_until = now() + interval '1 hour'"
                )
            )
        run(
            text(jobs),
            {"p": parameters, "m": [MEMBER], "like": "other%", "jobs": mixture.others, "users": max(1, mixture.others)},
        )
        run(text(placements + " WHERE j.user_id IN (SELECT id FROM users WHERE name LIKE 'other%')"), {"rows": 1})
        run(
            text(
                "INSERT INTO walkers (job_id, placement_id, member) SELECT p.job_id, p.id, :m FROM placements p"
                " JOIN jobs j ON j.id = p.job_id JOIN users u ON u.id = j.user_id WHERE u.name LIKE 'other%'"
            ),
            {"m": MEMBER},
        )
        _lanes(run)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")


def _references(run: Callable[..., object], source: str, state: str, values: dict[str, int]) -> None:
    run(
        text(
            'INSERT INTO "references" (member, digest, kind, label, fmax, max_steps, structure_id, start_positions, state)'
            " SELECT :m, s.id || '-' || s.i, 'slab', 'Pt', 0.05, 10, (SELECT min(id) FROM structures), '{0,0,0,0,0,2}', :state"
            f" FROM ({source}) s"
        ),
        {"m": MEMBER, "state": state, **values},
    )
    run(
        text(
            "INSERT INTO job_references (job_id, reference_id)"
            " SELECT CAST(split_part(digest, '-', 1) || '-' || split_part(digest, '-', 2) || '-' || split_part(digest, '-', 3)"
            " || '-' || split_part(digest, '-', 4) || '-' || split_part(digest, '-', 5) AS uuid), id"
            ' FROM "references"'
        )
    )


def _lanes(run: Callable[..., object]) -> None:
    """As `shared.database.workflow.lanes.refresh` opens them; tables of an older version have none."""
    for work, source in {
        "walker": "SELECT job_id, member FROM walkers WHERE state = 'queued'",
        "evaluation": "SELECT job_id, member FROM member_energies WHERE state = 'queued'",
        "reference": 'SELECT x.job_id, r.member FROM "references" r JOIN job_references x ON x.reference_id = r.id',
    }.items():
        waits = (
            ""
            if work == "reference"
            else ' WHERE NOT EXISTS (SELECT 1 FROM job_references x JOIN "references" r ON r.id = x.reference_id'
            " WHERE x.job_id = s.job_id AND r.member = s.member AND r.state <> 'succeeded')"
        )
        run(
            text(
                "DO $$ BEGIN IF to_regclass('lanes') IS NOT NULL THEN"
                " INSERT INTO lanes (job_id, member, work, open, user_id, rank, age, lag)"
                f" SELECT s.job_id, s.member, '{work}', true, j.user_id, -j.priority, j.created_at, 2"
                f" FROM (SELECT DISTINCT job_id, member FROM ({source}) q) s JOIN jobs j ON j.id = s.job_id{waits};"
                " END IF; END $$"
            )
        )


def timed(n: int, act: Callable[[], object]) -> tuple[float, float, float]:
    """Median, 99th percentile and longest, ms, of n runs; the first five warm up and don't count."""
    took = []
    for _ in range(n + 5):
        began = time.perf_counter()
        act()
        took.append(1000 * (time.perf_counter() - began))
    took = sorted(took[5:])
    return statistics.median(took), took[min(len(took) - 1, int(0.99 * len(took)))], took[-1]


def claim(opened: Sessions, what: str) -> int:
    """One claim, and its commit. Returns how many rows it got."""
    table, rows = {
        "walkers": (Walker, eligible.walkers),
        "evaluations": (MemberEnergy, eligible.evaluations),
        "references": (Reference, eligible.references),
    }[what]
    with opened.begin() as session:
        return len(claims.claim(session, table, rows(MEMBER), owner="bench", lease_s=3600, limit=ROOM))


def look(opened: Sessions, ask: Callable[[Session], object]) -> None:
    with opened() as session:
        ask(session)


def main() -> None:
    """Entry point."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20,000 rows")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--claims", type=int, default=CLAIMS)
    parser.add_argument("--only", default="", help="mixtures whose name has this in it")
    asked = parser.parse_args()
    rows = 20_000 if asked.quick else asked.rows
    table, result = [], {}
    with tempfile.TemporaryDirectory(prefix="adhop-claims-") as folder:
        server = Postgres(Path(folder) / "postgres", durable=False)
        server.start()
        try:
            url = server.create_database("bench")
            command.upgrade(configuration(url), "head")
            engine = connect(url, statement_timeout_s=600)
            opened = sessions(engine)
            for name, mixture in mixtures(rows).items():
                if asked.only not in name:
                    continue
                fill(engine, mixture)
                measured = {
                    "claim": timed(asked.claims, lambda: claim(opened, mixture.what)),  # noqa: B023
                    "anything open": timed(20, lambda: look(opened, lambda s: waiting.anything_open(s, MEMBER))),
                    "dispatcher's pass": timed(3, lambda: dispatcher.mend(opened, 3)),
                }
                for act, (median, late, longest) in measured.items():
                    table.append([name, act, f"{median:.1f}", f"{late:.1f}", f"{longest:.1f}"])
                    result[f"{name}: {act}"] = {"median_ms": round(median, 2), "p99_ms": round(late, 2)}
                report.show(name, ["", "", "median ms", "p99 ms", "longest ms"], table[-len(measured) :])
            engine.dispose()
        finally:
            server.remove()
    report.show(f"{rows:,} queued rows, {ROOM} a claim", ["", "", "median ms", "p99 ms", "longest ms"], table)
    report.finish(result)


if __name__ == "__main__":
    main()
