"""The five invariants, watched by the database itself: triggers that log every claim, and every write that breaks a rule.

A write tells its tokens by the setting `adhop.tokens` (injected into the processes' `claims.finish_all`), by table and row.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

TABLES = ("stages", "references", "walkers", "member_energies")

_SCHEMA = """
CREATE TABLE chaos_log (
    id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(), work text NOT NULL, row_id bigint NOT NULL,
    what text NOT NULL, owner text, token bigint, attempts int, note text, tx bigint NOT NULL DEFAULT txid_current()
);
CREATE FUNCTION chaos_watch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    told bigint := (nullif(current_setting('adhop.tokens', true), '')::jsonb ->> (TG_TABLE_NAME || '/' || NEW.id))::bigint;
    event text; wrong text;
BEGIN
    IF NEW.state = 'running' AND NEW.token IS DISTINCT FROM OLD.token THEN
        event := 'claim';
        IF OLD.state = 'running' THEN wrong := 'claimed while another held it'; END IF;
    ELSIF OLD.state = 'running' AND NEW.state <> 'running' AND told IS NOT NULL THEN
        event := 'finish';
        IF told <> OLD.token THEN wrong := 'finished with the stale token ' || told; END IF;
        IF OLD.lease_until < now() THEN wrong := 'finished after its lease'; END IF;
    ELSIF OLD.state <> 'running' AND told IS NOT NULL THEN
        event := 'finish';
        wrong := 'finished without a claim, with token ' || told;
    ELSIF OLD.state = 'running' AND NEW.state = 'queued' AND NEW.attempts = OLD.attempts THEN
        event := 'expire';
        IF OLD.lease_until > clock_timestamp() THEN wrong := 'its lease was ended early'; END IF;
    ELSIF OLD.state <> NEW.state THEN
        event := CASE WHEN NEW.state = 'queued' THEN 'release' ELSE 'end as ' || NEW.state END;
    END IF;
    IF NEW.attempts > {max_attempts} THEN wrong := 'attempt ' || NEW.attempts; END IF;
    IF NEW.attempts < 0 THEN wrong := 'attempts below zero'; END IF;
    IF wrong IS NOT NULL THEN event := 'wrong'; END IF;
    IF event IS NOT NULL THEN
        INSERT INTO chaos_log (work, row_id, what, owner, token, attempts, note)
        VALUES (TG_TABLE_NAME, NEW.id, event, coalesce(NEW.owner, OLD.owner), coalesce(NEW.token, OLD.token), NEW.attempts, wrong);
    END IF;
    RETURN NEW;
END $$;
"""


@dataclass(frozen=True)
class Event:
    """One row of the log."""

    at: float
    """Seconds since the epoch, by PostgreSQL's clock."""
    work: str
    row_id: int
    what: str
    owner: str | None
    token: int | None
    attempts: int
    note: str | None
    tx: int


def install(engine: Engine, max_attempts: int) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(_SCHEMA.replace("{max_attempts}", str(max_attempts)))
        for table in TABLES:
            connection.exec_driver_sql(
                f'CREATE TRIGGER chaos BEFORE UPDATE ON "{table}" FOR EACH ROW EXECUTE FUNCTION chaos_watch()'
            )


def events(session: Session, what: str | None = None, work: str | None = None) -> list[Event]:
    rows = session.execute(
        text(
            "SELECT extract(epoch FROM at), work, row_id, what, owner, token, attempts, note, tx FROM chaos_log"
            " WHERE (CAST(:what AS text) IS NULL OR what = :what) AND (CAST(:work AS text) IS NULL OR work = :work) ORDER BY id"
        ),
        {"what": what, "work": work},
    )
    return [Event(float(row[0]), *row[1:]) for row in rows]


def broken(session: Session, max_attempts: int) -> list[str]:
    """What breaks I1 to I4, in words; empty where they hold."""
    found = [f"I3/I4: {one.work} {one.row_id}: {one.note}" for one in events(session, "wrong")]
    for sentence, query in _CHECKS.items():
        found += [f"{sentence}: {tuple(row)}" for row in session.execute(text(query))]
    for table in TABLES:
        found += [
            f"I1: {table} {row.id} of no open job still {row.state}"
            for row in session.execute(text(_ORPHANS.format(table=table)))
        ]
        found += [
            f"I1: {table} {row.id} runs without a live lease since {row.late}"
            for row in session.execute(text(_DEAD.format(table=table)))
        ]
        found += [
            f"I4: {table} {row.id} was attempted {row.attempts} times"
            for row in session.execute(text(f'SELECT id, attempts FROM "{table}" WHERE attempts > {max_attempts}'))
        ]
    return found


_CHECKS = {
    "I2: a hop stored twice": "SELECT walker_id, hop FROM candidates GROUP BY 1, 2 HAVING count(*) > 1",
    "I2: an evaluation stored twice": "SELECT candidate_id, member FROM member_energies GROUP BY 1, 2 HAVING count(*) > 1",
    "I2: a minimum chosen twice": "SELECT job_id, rank FROM minima GROUP BY 1, 2 HAVING count(*) > 1",
    "I2: a candidate chosen twice": "SELECT job_id, candidate_id FROM minima GROUP BY 1, 2 HAVING count(*) > 1",
    "I2: a hop that its walker has not made": (
        "SELECT c.walker_id, c.hop, w.hop FROM candidates c JOIN walkers w ON w.id = c.walker_id WHERE c.hop >= w.hop"
    ),
    "I1: an ended job without an answer": (
        "SELECT j.id FROM jobs j WHERE j.state = 'succeeded' AND NOT EXISTS (SELECT 1 FROM minima m WHERE m.job_id = j.id)"
    ),
}

_ORPHANS = """
SELECT r.id, r.state FROM "{table}" r JOIN jobs j ON to_jsonb(r)->>'job_id' = j.id::text
WHERE r.state IN ('queued', 'running') AND j.state NOT IN ('queued', 'running')
"""

_DEAD = """
SELECT id, now() - lease_until AS late FROM "{table}" WHERE state = 'running' AND lease_until < now() - interval '20 seconds'
"""


def candidates(session: Session, job_id: UUID) -> list[tuple[Any, ...]]:
    """What a job found and chose, without row numbers, which depend on who came first: I5 compares this to the last bit.

    Every candidate, not the minima alone: these may all be of the relaxations before the first hop, where chance has no part.
    """
    rows = session.execute(
        text(
            "SELECT p.index, w.member, c.hop, c.energy, c.positions, c.accepted, c.temperature_k, s.mean, m.rank, m.low_confidence"
            " FROM candidates c JOIN walkers w ON w.id = c.walker_id JOIN placements p ON p.id = w.placement_id"
            " LEFT JOIN scores s ON s.candidate_id = c.id LEFT JOIN minima m ON m.candidate_id = c.id"
            " WHERE c.job_id = :job ORDER BY p.index, w.member, c.hop, c.energy"
        ),
        {"job": job_id},
    )
    return [tuple(tuple(value) if isinstance(value, list) else value for value in row) for row in rows]
