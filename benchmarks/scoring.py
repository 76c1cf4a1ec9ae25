"""Scoring at size: a million member energies in memory, and a job of 20,000 candidates on a real PostgreSQL over HTTP."""

from __future__ import annotations

import resource
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import uvicorn
from alembic import command
from sqlalchemy import Engine, insert, select, text
from sqlalchemy.orm import Session

from api.app import create_app
from benchmarks import report
from local.migrations import configuration
from local.ports import free_port
from local.postgres import Postgres
from services.scoring.selection import choose
from shared.database.repositories.structures import keep
from shared.database.repositories.users import Role, create_key
from shared.database.session import Sessions, connect, sessions
from shared.database.tables import Candidate, Job, MemberEnergy, Placement, StageRow, User, Walker
from shared.parameters import Choosing, JobParameters
from shared.scored import Pool
from shared.settings import Settings
from shared.states import Stage, State, Work
from shared.structures import Floats, Structure
from worker.queue import claims, eligible
from worker.tasks.stages import choose_minima, load_found

MEMBERS = ("a", "b", "c", "d")
HOPS = 20
REPEATS = 5


def pool_of(n_energies: int, seed: int = 0) -> Pool:
    """Candidates as a large search leaves them: half are duplicates, one in twenty energies is missing."""
    n = n_energies // len(MEMBERS)
    rng = np.random.default_rng(seed)
    energies = rng.normal(-1.5, 0.8, (n, 1)) + rng.normal(0, 0.2, (n, len(MEMBERS)))
    energies[rng.random(energies.shape) < 0.05] = np.nan
    keys = np.arange(1, n + 1)
    return Pool(
        keys=keys,
        members=MEMBERS,
        energies=energies,
        references=("relaxed clean slab + CO(g)",),
        converged=rng.random(n) < 0.97,
        fmax=rng.uniform(0, 0.1, n),
        anomalies=np.where(rng.random(n) < 0.1, "desorbed", "").tolist(),
        first=np.where(rng.random(n) < 0.5, keys, rng.integers(1, n + 1, n)),
    )


def in_memory(n_energies: int) -> dict[str, float]:
    """Seconds (and of CPU: other programs may be busy) to score, filter, rank and give every verdict. Most memory, GB."""
    pool = pool_of(n_energies)
    taken, used = [], []
    for _ in range(REPEATS):
        began, spent = time.perf_counter(), time.process_time()
        outcome = choose(pool, Choosing(members=MEMBERS, count=100), 0.3)
        taken.append(time.perf_counter() - began)
        used.append(time.process_time() - spent)
    assert outcome.rank.max() == 99
    assert all(outcome.verdicts)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {
        "energies": n_energies,
        "seconds": float(np.median(taken)),
        "cpu_seconds": float(np.median(used)),
        "memory_gb": memory,
    }


@contextmanager
def served() -> Iterator[tuple[Engine, str]]:
    """A database of its own and the address of the front end on it."""
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder) / "postgres")
        server.start()
        try:
            url = server.create_database("scoring")
            command.upgrade(configuration(url), "head")
            settings = Settings(database_url=url, broker_url=f"redis://127.0.0.1:{free_port()}/0")
            front = uvicorn.Server(uvicorn.Config(create_app(settings), host="127.0.0.1", port=0, log_level="error"))
            thread = threading.Thread(target=front.run, daemon=True)
            thread.start()
            while not front.started:
                time.sleep(0.05)
            port = front.servers[0].sockets[0].getsockname()[1]
            engine = connect(url)
            yield engine, f"http://127.0.0.1:{port}"
            engine.dispose()
            front.should_exit = True
            thread.join(20)
        finally:
            server.remove()


def fill(session: Session, n: int, seed: int = 0) -> tuple[UUID, str]:
    """A searched and scored job of n candidates, 3 layers of 16 Pt and CO: half were known to their walkers as duplicates and have no
    energies. Its id and its owner's key."""
    key = create_key(session, "bench", Role.SUBMIT)
    owner = session.scalars(select(User)).one()
    job = Job(
        user_id=owner.id,
        name="large",
        adsorbate="*CO",
        surface="Pt",
        submission={},
        parameters=JobParameters().model_dump(mode="json"),
        search_members=["a"],
        score_members=list(MEMBERS),
        state=State.RUNNING,
        stage=Stage.SELECTING,
    )
    session.add(job)
    session.flush()
    session.add(StageRow(job_id=job.id, work=Work.SELECTION))
    like = _adslab()
    structure_id = keep(session, like)
    placements = _rows(session, Placement, n // HOPS, lambda i: _placement(job.id, i, structure_id, like.positions))
    walkers = _rows(
        session,
        Walker,
        len(placements),
        lambda i: {"job_id": job.id, "placement_id": placements[i], "member": "a", "state": State.SUCCEEDED},
    )
    rng = np.random.default_rng(seed)
    candidates = _rows(
        session, Candidate, n, lambda i: _candidate(job.id, walkers[i // HOPS], i % HOPS, structure_id, like, rng)
    )
    known = rng.random(n) < 0.5
    _score(session, job.id, candidates, known, rng)
    session.execute(
        text("UPDATE candidates SET duplicate_of = :first WHERE id = ANY(:ids)"),
        {"first": candidates[int(np.flatnonzero(~known)[0])], "ids": [candidates[i] for i in np.flatnonzero(known)]},
    )
    return job.id, key


def _rows(session: Session, table: Any, n: int, row: Any) -> list[int]:
    return list(
        session.scalars(insert(table).returning(table.id, sort_by_parameter_order=True), [row(i) for i in range(n)])
    )


def _adslab() -> Structure:
    grid = np.stack(np.meshgrid(*[np.arange(4) * 2.8] * 2, np.arange(3) * 2.3), axis=-1).reshape(-1, 3)
    positions = np.concatenate([grid, [[0, 0, 6.5], [0, 0, 7.65]]])
    return Structure.from_tags(
        numbers=[78] * 48 + [6, 8],
        positions=positions,
        cell=np.diag([11.2, 11.2, 22.0]),
        pbc=[True] * 3,
        tags=[0] * 48 + [2, 2],
        fixed=[z < 3 for z in positions[:, 2]],
    )


def _placement(job_id: UUID, index: int, structure_id: int, positions: Floats) -> dict[str, Any]:
    return {
        "job_id": job_id, "index": index, "structure_id": structure_id, "positions": positions, "site": "top",
        "method": "heuristic",
    }  # fmt: skip


def _candidate(
    job_id: UUID, walker_id: int, hop: int, structure_id: int, like: Structure, rng: np.random.Generator
) -> dict[str, Any]:
    moved = like.positions.copy()
    moved[-2:] += rng.uniform(-2, 2, 3) * (1, 1, 0.2)
    return {
        "job_id": job_id, "walker_id": walker_id, "hop": hop, "member": "a", "structure_id": structure_id,
        "positions": moved, "energy": -300.0, "fmax": 0.03, "converged": True,
        "anomalies": ["desorbed"] if rng.random() < 0.1 else [], "site": "top", "accepted": True, "force_calls": 30,
    }  # fmt: skip


def _score(session: Session, job_id: UUID, candidates: list[int], known: Any, rng: np.random.Generator) -> None:
    base = rng.normal(-1.5, 0.8, len(candidates))
    rows = [
        {
            "job_id": job_id, "candidate_id": candidates[i], "member": member, "state": State.SUCCEEDED, "energy": -300.0,
            "adsorption_energy": float(base[i] + rng.normal(0, 0.2)), "reference": "relaxed clean slab + CO(g)", "fmax": 0.03,
        }
        for i in np.flatnonzero(~known).tolist()
        for member in MEMBERS
    ]  # fmt: skip
    session.execute(insert(MemberEnergy), rows)


def on_postgres(n: int) -> dict[str, float]:
    """Seconds of the job's own choice in a worker, and of choosing again over HTTP, both to the last committed row."""
    with served() as (engine, address):
        opened = sessions(engine)
        with opened.begin() as session:
            job_id, key = fill(session, n)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
        own = _own_choice(opened)
        taken, used = [], []
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
            for repeat in range(REPEATS):
                began, spent = time.perf_counter(), time.process_time()
                answer = client.post(f"/v1/jobs/{job_id}/selections", json={"limit": 0.1 + 0.05 * repeat})
                taken.append(time.perf_counter() - began)
                used.append(time.process_time() - spent)
                answer.raise_for_status()
    return {
        "candidates": n,
        "own_choice_seconds": own[0],
        "own_choice_cpu_seconds": own[1],
        "selection_seconds": float(np.median(taken)),
        "selection_cpu_seconds": float(np.median(used)),
        "selection_slowest_seconds": max(taken),
    }


def _own_choice(opened: Sessions) -> tuple[float, float]:
    """Seconds, and of this process's CPU."""
    with opened.begin() as session:
        row = claims.claim(session, StageRow, eligible.stages(), owner="bench", lease_s=600, limit=1)[0]
        assert isinstance(row, StageRow)
        lease, job_id = claims.lease_of(row), row.job_id
    began, spent = time.perf_counter(), time.process_time()
    with opened.begin() as session:
        job = session.get_one(Job, job_id, with_for_update=True)
        found = load_found(session, job)
        choose_minima(session, lease, job, found, found.comparing.answer())
    return time.perf_counter() - began, time.process_time() - spent


def _row(what: str, size: str, numbers: dict[str, float], prefix: str) -> list[str]:
    return [what, size, f"{numbers[prefix + 'seconds']:.2f}", f"{numbers[prefix + 'cpu_seconds']:.2f}"]


def main() -> None:
    """Entry point."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of it")
    part = 10 if parser.parse_args().quick else 1
    memory = in_memory(1_000_000 // part)
    sys.stderr.write("filling the database\n")
    stored = on_postgres(20_000 // part)
    report.show(
        "Scoring",
        ["what", "size", "seconds", "of this process's CPU"],
        [
            _row("score, filter, rank, verdicts", f"{memory['energies']} energies", memory, ""),
            _row(
                "a job's own choice, duplicates included", f"{stored['candidates']} candidates", stored, "own_choice_"
            ),
            _row("choosing again, over HTTP", f"{stored['candidates']} candidates", stored, "selection_"),
        ],
    )
    report.finish({"in_memory": memory, "on_postgres": stored})


if __name__ == "__main__":
    main()
