"""What a claim reads: for all of its jobs at once, each job's own, and nothing again that never changes."""

import pytest
from sqlalchemy import Engine, event, select, update

from shared.database.repositories.structures import keep
from shared.database.session import Sessions, sessions
from shared.database.tables import Candidate, Reference, Walker
from shared.states import State
from tests.shared.database.jobs import STRUCTURE, add_job, add_reference
from worker.tasks.hop import HopItem
from worker.tasks.reading import Memory, Reading


@pytest.fixture
def opened(engine: Engine) -> Sessions:
    return sessions(engine)


@pytest.fixture
def statements(engine: Engine):
    """What is asked of the database."""
    told: list[str] = []

    def tell(connection, cursor, statement, *_) -> None:
        told.append(statement)

    event.listen(engine, "before_cursor_execute", tell)
    yield told
    event.remove(engine, "before_cursor_execute", tell)


def two_jobs(opened: Sessions) -> list[int]:
    """Walkers of two jobs before their hop 2, which found a minimum each in both hops; energies -10, -11 of the first job and -20, ..
    of the second. Returns the walkers' ids."""
    ids = []
    with opened.begin() as session:
        for n in (1, 2):
            job = add_job(session, walkers=2)
            slab = STRUCTURE.only(STRUCTURE.slab)
            reference = add_reference(session, job, state=State.SUCCEEDED)
            reference.structure_id, reference.positions = keep(session, slab), slab.positions
            walkers = session.scalars(select(Walker).where(Walker.job_id == job.id).order_by(Walker.id)).all()
            session.execute(
                update(Walker).where(Walker.job_id == job.id).values(hop=2, token=7, claimed_for=job.user_id)
            )
            for hop in (0, 1):
                for place, walker in enumerate(walkers):
                    session.add(found(walker, hop, -10.0 * n - 2 * hop - place))
            ids += [walker.id for walker in walkers]
    return ids


def found(walker: Walker, hop: int, energy: float) -> Candidate:
    return Candidate(
        job_id=walker.job_id,
        walker_id=walker.id,
        hop=hop,
        member="emt",
        structure_id=walker.placement.structure_id,
        positions=STRUCTURE.positions,
        energy=energy,
        fmax=0.01,
        converged=True,
        anomalies=[],
        site="top",
        accepted=True,
        force_calls=5,
    )


def read(opened: Sessions, ids: list[int], memory: Memory | None) -> list[HopItem]:
    with opened.begin() as session:
        rows = session.scalars(select(Walker).where(Walker.id.in_(ids)).order_by(Walker.id)).all()
        reading = Reading(session, memory)
        reading.prepare(rows)
        return [HopItem.load(reading, row) for row in rows]


def test_each_walker_is_told_of_its_own_job(opened):
    items = read(opened, two_jobs(opened), Memory())
    # two hops before: what both found in hop 0; and its own of hop 1
    assert [[one.energy for one in item.known] for item in items] == [
        [-10.0, -11.0, -12.0],
        [-10.0, -11.0, -13.0],
        [-20.0, -21.0, -22.0],
        [-20.0, -21.0, -23.0],
    ]


def test_the_number_of_questions_does_not_grow_with_the_jobs(opened, statements):
    ids = two_jobs(opened)
    read(opened, ids[:2], memory := Memory())  # of one job
    statements.clear()
    read(opened, ids[:2], memory)
    one_job = len(statements)
    read(opened, ids, memory)
    statements.clear()
    read(opened, ids, memory)
    assert len(statements) == one_job


def test_what_never_changes_is_read_once(opened, statements):
    ids, memory = two_jobs(opened), Memory()
    first = read(opened, ids, memory)
    assert any("placements" in one for one in statements)
    statements.clear()
    again = read(opened, ids, memory)
    for table in ("FROM jobs", 'FROM "references"', "FROM placements"):
        assert not any(table in one for one in statements)
    assert [one.placement for one in again] == [one.placement for one in first]  # the very same
    assert [one.slab for one in again] == [one.slab for one in first]


def test_a_minimum_that_was_found_meanwhile_is_told(opened):
    ids, memory = two_jobs(opened), Memory()
    read(opened, ids, memory)
    with opened.begin() as session:
        walker = session.get_one(Walker, ids[0])
        session.add(found(session.get_one(Walker, ids[1]), 2, -99.0))
        walker.hop = 4
    assert [one.energy for one in read(opened, ids[:1], memory)[0].known] == [-10.0, -11.0, -12.0, -13.0, -99.0]


def test_a_reference_that_is_not_there_yet_is_asked_for_again(opened):
    ids, memory = two_jobs(opened), Memory()
    with opened.begin() as session:
        session.execute(update(Reference).values(state=State.QUEUED))
        reading = Reading(session, memory)
        row = session.get_one(Walker, ids[0])
        with pytest.raises(LookupError):
            reading.clean_slab(row.job_id, "emt")
    with opened.begin() as session:
        session.execute(update(Reference).values(state=State.SUCCEEDED))
        assert (
            Reading(session, memory).clean_slab(row.job_id, "emt").numbers.tolist()
            == STRUCTURE.numbers[STRUCTURE.slab].tolist()
        )


def test_only_the_last_used_are_remembered(opened, monkeypatch):
    monkeypatch.setattr("worker.tasks.reading.MOST_OTHERS", 3)
    memory = Memory()
    for n in (1, 2, 3, 1, 4):
        assert memory.of(lambda n=n: 10 * n, "number", n) == 10 * n
    assert [memory.knows("number", n) for n in (1, 2, 3, 4)] == [True, False, True, True]
