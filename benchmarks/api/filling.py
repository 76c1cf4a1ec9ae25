"""Ten thousand jobs that ended and what they found, and as many that are open, made by SQL as searches would leave them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, text

from shared.database.repositories.members import Registration, register
from shared.database.repositories.users import Role, create_key
from shared.database.repositories.workers import beat
from shared.database.session import sessions
from shared.parameters import JobParameters

MEMBERS = ["emt", "second", "third"]
USER = "measured"
_ATOMS = 40
_PLACEMENTS = 20
_DUPLICATES = 3
"""Every third candidate is another one again."""


@dataclass(frozen=True)
class Size:
    """Of the set."""

    jobs: int
    candidates: int
    """Of each job."""


def prepare(engine: Engine) -> str:
    """Members, workers that host them, and the key of the user who asks."""
    with sessions(engine).begin() as session:
        for name in MEMBERS:
            register(session, Registration(name, "toy", "1", "0" * 64, "total", tuple(range(1, 84)), 6.0, "", "MIT"))
        common: dict[str, Any] = {"host": "here", "ready": True, "reason": "", "memory_bytes": None}
        beat(session, name="cpu:1", pid=1, kind="cpu", device="cpu", members=[], **common)
        beat(session, name="here:2", pid=2, kind="potentials", device="cpu", members=MEMBERS, **common)
        return create_key(session, USER, Role.SUBMIT)


def beat_on(engine: Engine) -> None:
    """The workers are still there: nothing runs that would say so."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE workers SET heartbeat_at = now()"))


def fill(engine: Engine, size: Size) -> None:
    """Jobs that succeeded: placements, walkers of one member, candidates, three energies each, and what was chosen."""
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO users (name) SELECT 'other' || n FROM generate_series(1, 9) n"))
        _structure(connection)
        _jobs(connection, size.jobs, "succeeded", "done")
        _walkers(connection, "succeeded", "succeeded")
        positions = np.random.default_rng(0).normal(scale=5.0, size=3 * _ATOMS).tolist()
        run = connection.execute
        run(
            text(
                "INSERT INTO candidates (job_id, walker_id, hop, member, structure_id, positions, energy, fmax, converged, anomalies,"
                " site, accepted, force_calls)"
                " SELECT w.job_id, w.id, n.hop, 'emt', (SELECT min(id) FROM structures), CAST(:positions AS float8[]),"
                " -100 - random(), 0.01, true, '{}', 'fcc hollow', true, 25"
                " FROM (SELECT id, job_id, row_number() OVER (PARTITION BY job_id ORDER BY id) - 1 AS i FROM walkers) w"
                " JOIN LATERAL (SELECT hop FROM generate_series(0, :each) hop WHERE hop * :walkers + w.i < :most) n ON true"
                " ORDER BY w.job_id, n.hop, w.id"
            ),
            {
                "positions": positions,
                "each": size.candidates // _PLACEMENTS,
                "most": size.candidates,
                "walkers": _PLACEMENTS,
            },
        )
        run(
            text(
                "UPDATE candidates c SET duplicate_of = first.id FROM (SELECT job_id, min(id) AS id FROM candidates GROUP BY job_id)"
                " first WHERE first.job_id = c.job_id AND c.id % :third = 0 AND c.id <> first.id"
            ),
            {"third": _DUPLICATES},
        )
        _energies(connection)
        _choices(connection)
    _analyse(engine)


def fill_open(engine: Engine, jobs: int) -> None:
    """Open jobs besides, half of them waiting for their placements, half in their search."""
    with engine.begin() as connection:
        _jobs(connection, jobs // 2, "queued", "placing")
        connection.execute(
            text(
                "INSERT INTO stages (job_id, work) SELECT id, 'placement' FROM jobs WHERE stage = 'placing' ON CONFLICT DO NOTHING"
            )
        )
        _jobs(connection, jobs - jobs // 2, "running", "searching")
        _walkers(connection, "running", "queued")
    _analyse(engine)


def _structure(connection: Connection) -> None:
    connection.execute(
        text(
            "INSERT INTO structures (digest, formula, numbers, cell, pbc, tags, fixed) VALUES ('d', 'Pt38CO', :numbers,"
            " '{11,0,0,0,11,0,0,0,30}', '{t,t,t}', :tags, :fixed)"
        ),
        {
            "numbers": [78] * (_ATOMS - 2) + [6, 8],
            "tags": [0] * (_ATOMS - 2) + [2, 2],
            "fixed": [True] * (_ATOMS - 2) + [False] * 2,
        },
    )


def _jobs(connection: Connection, jobs: int, state: str, stage: str) -> None:
    """Half of them the measured user's, the rest nine others'; the newest last."""
    ended = "now()" if state == "succeeded" else "NULL"
    connection.execute(
        text(
            "INSERT INTO jobs (id, user_id, name, adsorbate, surface, state, stage, submission, parameters, search_members,"
            " score_members, estimated_force_calls, stored_bytes, created_at, started_at, ended_at, measured_at)"
            " SELECT gen_random_uuid(), u.ids[1 + (CASE WHEN n % 2 = 0 THEN 0 ELSE 1 + n / 2 % 9 END)], 'CO on Pt (1 1 1)', '*CO',"
            " 'Pt (1 1 1)', :state, :stage, jsonb_build_object('kind', 'slab', 'slab', CAST(:slab AS jsonb)),"
            f" CAST(:parameters AS jsonb), '{{emt}}', :members, 5000, 1000000, clock_timestamp(), now(), {ended}, {ended}"
            " FROM generate_series(0, :jobs - 1) n,"
            " (SELECT array_agg(id ORDER BY name LIKE 'other%', name) AS ids FROM users WHERE name = :user OR name LIKE 'other%') u"
        ),
        {
            "state": state,
            "stage": stage,
            "slab": json.dumps({"positions": [[1.2345678901234, 2.3456789012345, 3.4567890123456]] * _ATOMS}),
            "parameters": JobParameters().model_dump_json(),
            "members": MEMBERS,
            "jobs": jobs,
            "user": USER,
        },
    )


def _walkers(connection: Connection, of_state: str, state: str) -> None:
    """Placements and walkers of the jobs that are in a state."""
    which = {"state": of_state, "stage": "done" if of_state == "succeeded" else "searching"}
    connection.execute(
        text(
            "INSERT INTO placements (job_id, index, structure_id, positions, site, method)"
            " SELECT j.id, i, (SELECT min(id) FROM structures), '{0,0,0}', 'top', 'bench' FROM jobs j,"
            f" generate_series(0, {_PLACEMENTS - 1}) i"
            " WHERE j.state = :state AND j.stage = :stage ORDER BY j.id, i"
        ),
        which,
    )
    connection.execute(
        text(
            "INSERT INTO walkers (job_id, placement_id, member, state, hop, force_calls)"
            " SELECT p.job_id, p.id, 'emt', :walker, 4, 100 FROM placements p JOIN jobs j ON j.id = p.job_id"
            " WHERE j.state = :state AND j.stage = :stage ORDER BY p.id"
        ),
        which | {"walker": state},
    )


def _energies(connection: Connection) -> None:
    connection.execute(
        text(
            "INSERT INTO member_energies (job_id, candidate_id, member, state, energy, adsorption_energy, reference, fmax)"
            " SELECT c.job_id, c.id, m, 'succeeded', c.energy, -1 - random(), 'gas CO + slab', 0.01"
            " FROM candidates c, unnest(CAST(:members AS text[])) m WHERE c.duplicate_of IS NULL ORDER BY c.id"
        ),
        {"members": MEMBERS},
    )


def _choices(connection: Connection) -> None:
    """The job's own selection, with five minima."""
    run = connection.execute
    run(
        text(
            'INSERT INTO selections (job_id, number, rules, "limit", reference, n_candidates, n_passing, low_confidence)'
            " SELECT id, 0, '{}', 0.1, 'gas CO + slab', 75, 40, false FROM jobs"
        )
    )
    chosen = (
        " FROM selections s JOIN (SELECT id, job_id, row_number() OVER (PARTITION BY job_id ORDER BY id) - 1 AS rank FROM candidates"
        " WHERE duplicate_of IS NULL) c ON c.job_id = s.job_id AND c.rank < 5"
    )
    run(
        text(
            "INSERT INTO scores (selection_id, candidate_id, mean, std, range, n, passes, reason, verdict)"
            " SELECT s.id, c.id, -1.5, 0.02, 0.05, 3, true, '', 'chosen'" + chosen
        )
    )
    run(
        text(
            "INSERT INTO minima (selection_id, job_id, rank, candidate_id, low_confidence, reason)"
            " SELECT s.id, s.job_id, c.rank, c.id, false, 'chosen'" + chosen
        )
    )


def _analyse(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE)"))
        connection.execute(text("CHECKPOINT"))
