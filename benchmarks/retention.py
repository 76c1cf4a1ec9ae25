"""`python -m benchmarks.retention [--quick]`: deleting a job with 100,000 candidates beside another user's work; and what is stored
for a job by our measure, beside what PostgreSQL's files grew by.

The job is made by SQL, as a search would leave it: 3 members, every third candidate the same as another one, two selections. A second
connection submits and reads meanwhile, as the front end would; its slowest answers are shown with and without the deletion.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path
from uuid import UUID

import numpy as np
from alembic import command
from sqlalchemy import func, select, text, update

from benchmarks.report import finish, show
from local.migrations import configuration
from local.postgres import Postgres
from shared.database.repositories.structures import keep as keep_structure
from shared.database.session import Sessions, connect, sessions
from shared.database.tables import Candidate, Job, User
from shared.parameters import JobParameters
from shared.settings import Settings
from shared.structures import Structure
from worker.retention.measuring import stored_bytes
from worker.retention.rules import keep

ATOMS = 40
WALKERS = 80
TABLES = (
    "candidates",
    "member_energies",
    "scores",
    "walkers",
    "placements",
    "minima",
    "selections",
    "jobs",
    "attempts",
)


def main() -> None:
    """Print the figures; the last line is JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5,000 candidates")
    n = 5_000 if parser.parse_args().quick else 100_000
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder) / "postgres")
        server.start()
        try:
            url = server.create_database("retention")
            command.upgrade(configuration(url), "head")
            figures = _measure(url, n)
        finally:
            server.remove()
    show("Deleting a job", ["figure", "value"], list(figures.items()))
    finish(figures)


def _measure(url: str, n: int) -> dict[str, float | int]:
    engine = connect(url, statement_timeout_s=600)
    opened = sessions(engine)
    settings = Settings(database_url=url, broker_url="redis://127.0.0.1:1/0")
    with opened.begin() as session:
        before = _size(opened)
        job_id = _add_job(opened, n)
        grown = _size(opened) - before
    began = time.perf_counter()
    with opened() as session:
        ours = stored_bytes(session, job_id)
    measuring = time.perf_counter() - began
    alone = _waits(opened, 5.0)
    with opened.begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(deleted_at=func.now()))
    stop = threading.Event()
    beside: list[float] = []
    reader = threading.Thread(target=lambda: beside.extend(_until(opened, stop)))
    reader.start()
    began, passes, longest = time.perf_counter(), 0, 0.0
    while True:
        start = time.perf_counter()
        keep(opened, settings)
        longest, passes = max(longest, time.perf_counter() - start), passes + 1
        with opened() as session:
            if session.get(Job, job_id) is None:
                break
    took = time.perf_counter() - began
    stop.set()
    reader.join()
    with opened() as session:
        left = session.scalars(select(func.count()).select_from(Candidate)).one()
        dead = session.scalar(text("SELECT sum(n_dead_tup) FROM pg_stat_user_tables"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        began = time.perf_counter()
        connection.execute(text("VACUUM"))
        vacuum = time.perf_counter() - began
    engine.dispose()
    return {
        "candidates": n,
        "grown_mb": round(grown / 1e6, 1),
        "measured_mb": round(ours / 1e6, 1),
        "measuring_s": round(measuring, 3),
        "deleting_s": round(took, 1),
        "passes": passes,
        "longest_pass_s": round(longest, 2),
        "dispatcher_s_at_5_s_a_pass": round(passes * 5 + took, 0),
        "left": left,
        "dead_rows": int(dead or 0),
        "vacuum_s": round(vacuum, 2),
        "other_alone_p99_ms": _p99(alone),
        "other_beside_p99_ms": _p99(beside),
        "other_beside_longest_ms": round(1000 * max(beside), 1),
    }


def _add_job(opened: Sessions, n: int) -> UUID:
    slab = Structure.from_tags(
        numbers=[78] * (ATOMS - 2) + [6, 8], positions=np.zeros((ATOMS, 3)), cell=np.eye(3) * 11, pbc=[True] * 3,
        tags=[1] * (ATOMS - 2) + [2, 2], fixed=[False] * ATOMS,
    )  # fmt: skip
    with opened.begin() as session:
        user = User(name="owner")
        session.add(user)
        session.flush()
        job = Job(user_id=user.id, name="large", adsorbate="CO", surface="Pt", submission={}, score_members=["a", "b", "c"],
                  parameters=JobParameters().model_dump(mode="json"), search_members=["a"])  # fmt: skip
        session.add(job)
        session.flush()
        job_id, structure = job.id, keep_structure(session, slab)
        values = {"job": job_id, "structure": structure, "n": n, "walkers": WALKERS, "doubles": 3 * ATOMS}
        positions = "(SELECT array_agg(random() + 0 * (g.i + d)) FROM generate_series(1, :doubles) AS d)"
        for statement in (
            f"INSERT INTO placements (job_id, index, structure_id, positions, site, method) "
            f"SELECT :job, g.i, :structure, {positions}, 'top', 'test' FROM generate_series(1, :walkers) AS g(i)",
            "INSERT INTO walkers (job_id, placement_id, member, state, memory) SELECT :job, id, 'a', 'succeeded', "
            "(SELECT jsonb_build_object('minima', jsonb_agg(random())) FROM generate_series(1, 2000)) FROM placements",
            "INSERT INTO candidates (job_id, walker_id, hop, member, structure_id, positions, energy, fmax, converged, anomalies, "
            "site, accepted, force_calls) SELECT :job, w.id, g.i, 'a', :structure, "
            f"{positions}, -100 * random(), 0.01, true, '{{}}', 'fcc hollow (Pt, Pt, Pt)', true, 25 "
            "FROM walkers w, generate_series(1, :n / :walkers) AS g(i)",
            "UPDATE candidates SET duplicate_of = id - 1 WHERE id % 3 = 0 AND id > 1",
            "INSERT INTO member_energies (job_id, candidate_id, member, state, energy, adsorption_energy, reference, fmax) "
            "SELECT :job, c.id, m, 'succeeded', -100, -1.5, 'CO(g), clean slab', 0.01 FROM candidates c, "
            "unnest(ARRAY['a', 'b', 'c']) m",
            "INSERT INTO selections (job_id, number, rules, \"limit\", reference, n_candidates, n_passing, low_confidence) "
            "SELECT :job, g.i, '{}', 0.1, '', :n, :n, false FROM generate_series(0, 1) AS g(i)",
            "INSERT INTO scores (selection_id, candidate_id, mean, std, \"range\", n, passes, reason, verdict) "
            "SELECT s.id, c.id, -1.5, "
            "0.05, 0.1, 3, true, '', 'not among the lowest: 0.412 eV above the last one chosen' FROM selections s, candidates c",
        ):  # fmt: skip
            session.execute(text(statement), values)
        session.execute(
            update(Job)
            .where(Job.id == job_id)
            .values(state="succeeded", stage="done", ended_at=func.now(), started_at=func.now())
        )
    with opened.begin() as session:
        session.execute(text("ANALYZE"))
    return job_id


def _size(opened: Sessions) -> int:
    with opened() as session:
        total = " + ".join(f"pg_total_relation_size('{table}')" for table in TABLES)
        return int(session.scalar(text(f"SELECT {total}")) or 0)


def _one(opened: Sessions) -> float:
    """A small job is stored and read by somebody else, s."""
    began = time.perf_counter()
    with opened.begin() as session:
        user = session.scalars(select(User).where(User.name == "other")).one_or_none() or User(name="other")
        session.add(user)
        session.flush()
        session.add(Job(user_id=user.id, name="small", adsorbate="C", surface="Pt", submission={}, parameters={}, search_members=[],
                        score_members=[]))  # fmt: skip
        session.flush()
        session.scalars(select(Job).where(Job.user_id == user.id).order_by(Job.created_at.desc()).limit(5)).all()
    return time.perf_counter() - began


def _waits(opened: Sessions, seconds: float) -> list[float]:
    until, found = time.perf_counter() + seconds, []
    while time.perf_counter() < until:
        found.append(_one(opened))
    return found


def _until(opened: Sessions, stop: threading.Event) -> list[float]:
    found = []
    while not stop.is_set():
        found.append(_one(opened))
    return found


def _p99(waits: list[float]) -> float:
    return round(1000 * statistics.quantiles(waits, n=100)[98], 1)


if __name__ == "__main__":
    main()
