"""What is kept of a job, and what goes: on PostgreSQL, by the dispatcher's own pass."""

import logging
from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import ForeignKeyConstraint, Index, PrimaryKeyConstraint, UniqueConstraint, func, select, text, update
from sqlalchemy.orm import Session

from shared.database.repositories.audit import Actor, record
from shared.database.repositories.structures import keep as keep_structure
from shared.database.session import Sessions, sessions
from shared.database.tables import (
    Attempt,
    AuditEntry,
    Base,
    Candidate,
    Job,
    MemberEnergy,
    Minimum,
    Placement,
    Reference,
    ReferenceEnergy,
    Score,
    Selection,
    StructureRow,
    User,
    Walker,
)
from shared.settings import Settings
from shared.states import Stage, State, WalkerEnd
from shared.structures import Structure
from tests.shared.database.jobs import STRUCTURE, add_job, add_reference
from worker.retention.removing import drop_piece, remove_piece
from worker.retention.rules import keep

OF_JOBS = (Placement, Walker, Candidate, MemberEnergy, Selection, Minimum, Attempt)


@pytest.fixture
def opened(engine) -> Sessions:
    return sessions(engine)


def rules(database_url: str = "postgresql://a@b/c", **values: object) -> Settings:
    return Settings(database_url=database_url, broker_url="redis://127.0.0.1:1/0", **values)


def done(opened: Sessions, **values: object) -> None:
    """Passes until nothing is left to do."""
    keep(opened, rules(**values), budget_s=60)


def add_found(session: Session, *, user: str = "first", candidates: int = 12) -> Job:
    """A job that succeeded: `candidates` of them, each third the same as the one before it, two chosen and one that a member refined,
    and one with a reference energy."""
    job = add_job(session, user=user, walkers=1)
    walker = session.scalars(select(Walker).where(Walker.job_id == job.id)).one()
    made: list[Candidate] = []
    for hop in range(candidates):
        same = made[-1].id if hop % 3 == 2 else None
        made.append(_candidate(session, job, walker, hop, same))
    refiner = Walker(job_id=job.id, placement_id=walker.placement_id, member="fine", refines=made[3].id)
    session.add(refiner)
    session.flush()
    refined = _candidate(session, job, refiner, 0, None)
    for one in (*made, refined):
        session.add(MemberEnergy(job_id=job.id, candidate_id=one.id, member="emt", state=State.SUCCEEDED, energy=-1.0,
                                 adsorption_energy=-0.5, reference="CO(g)"))  # fmt: skip
    selection = Selection(job_id=job.id, number=0, rules={}, limit=0.1, reference="", n_candidates=candidates + 1, n_passing=3,
                          low_confidence=False)  # fmt: skip
    session.add(selection)
    session.flush()
    for one in (*made, refined):
        session.add(Score(selection_id=selection.id, candidate_id=one.id, n=1, passes=True, reason="", verdict="kept"))
    for rank, one in enumerate((made[0], made[5], refined)):
        session.add(Minimum(selection_id=selection.id, job_id=job.id, rank=rank, candidate_id=one.id, low_confidence=False,
                            reason="lowest"))  # fmt: skip
    session.add(ReferenceEnergy(candidate_id=made[7].id, adsorption_energy=-0.4, reference="CO(g)", functional="RPBE", code="VASP",
                                provenance="test"))  # fmt: skip
    session.add(
        Attempt(job_id=job.id, work="walker", work_id="1", number=1, failure_kind="worker_lost", reason="killed")
    )
    for row in (walker, refiner):
        row.state, row.ended_because, row.memory = State.SUCCEEDED, WalkerEnd.HOPS, {"much": [0.0] * 200}
    job.state, job.stage, job.started_at, job.ended_at = State.SUCCEEDED, Stage.DONE, func.now(), func.now()
    session.flush()
    session.refresh(job)
    return job


def _candidate(session: Session, job: Job, walker: Walker, hop: int, same: int | None) -> Candidate:
    structure_id = keep_structure(session, STRUCTURE)
    row = Candidate(job_id=job.id, walker_id=walker.id, hop=hop, member=walker.member, structure_id=structure_id,
                    positions=STRUCTURE.positions, energy=-1.0, fmax=0.01, converged=True, anomalies=[], site="top", accepted=True,
                    force_calls=20, duplicate_of=same)  # fmt: skip
    session.add(row)
    session.flush()
    return row


def counts(session: Session, job_id: UUID) -> dict[str, int]:
    found = {
        table.__tablename__: session.scalars(
            select(func.count()).select_from(table).where(table.job_id == job_id)
        ).one()
        for table in OF_JOBS
    }
    judged = select(func.count()).select_from(Score).join(Selection).where(Selection.job_id == job_id)
    return found | {"scores": session.scalars(judged).one()}


def age(opened: Sessions, job_id: UUID, days: float) -> None:
    with opened.begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(ended_at=func.now() - timedelta(days=days)))


def test_a_deleted_job_goes_with_all_its_data_and_what_is_shared_stays(opened):
    with opened.begin() as session:
        job, other = add_found(session), add_found(session, user="second")
        reference = add_reference(session, job, state=State.SUCCEEDED)
        before, reference_id = counts(session, other.id), reference.id
        job.deleted_at = func.now()
    done(opened)
    with opened() as session:
        assert session.get(Job, job.id) is None
        assert set(counts(session, job.id).values()) == {0}
        assert counts(session, other.id) == before
        assert session.get(Reference, reference_id) is not None
        assert session.scalars(select(func.count()).select_from(StructureRow)).one() == 1


def test_a_structure_goes_with_the_last_job_that_uses_it(opened):
    with opened.begin() as session:
        first, second = add_found(session), add_found(session, user="second")
    for job, left in ((first, 1), (second, 0)):
        with opened.begin() as session:
            session.execute(update(Job).where(Job.id == job.id).values(deleted_at=func.now()))
        done(opened)
        with opened() as session:
            assert session.scalars(select(func.count()).select_from(StructureRow)).one() == left


def test_a_structure_that_a_job_is_just_beginning_to_use_stays(opened):
    with opened.begin() as session:
        job = add_found(session)
    with opened.begin() as session:
        session.execute(update(Job).where(Job.id == job.id).values(deleted_at=func.now()))
    with opened() as beginning:
        new = add_job(beginning, user="second")  # not committed yet
        done(opened)
        beginning.commit()
    with opened() as session:
        assert session.get(Job, job.id) is None
        placement = session.scalars(select(Placement).where(Placement.job_id == new.id)).one()
        assert placement.structure.formula == STRUCTURE.formula


def test_a_structure_that_was_just_removed_is_stored_anew(opened):
    other = Structure.from_tags(
        numbers=[29], positions=[[0, 0, 0]], cell=np.eye(3) * 5, pbc=[True] * 3, tags=[1], fixed=[False]
    )
    with opened.begin() as session:
        first = keep_structure(session, other)
    with opened.begin() as session:
        session.execute(text("DELETE FROM structures WHERE id = :id"), {"id": first})
    with opened.begin() as session:
        assert keep_structure(session, other) != first


def test_candidates_are_dropped_after_their_days_and_the_minima_stay(opened):
    with opened.begin() as session:
        job = add_found(session)
        whole = counts(session, job.id)
    done(opened, keep_candidates_days=30)
    with opened() as session:
        assert counts(session, job.id) == whole  # too young
    age(opened, job.id, 31)
    done(opened, keep_candidates_days=30)
    with opened() as session:
        found = session.get_one(Job, job.id)
        assert found.candidates_dropped_at is not None
        left = set(session.scalars(select(Candidate.hop).where(Candidate.job_id == job.id, Candidate.member == "emt")))
        # chosen: 0 and 5; 4, which 5 is the same as; 3, which the chosen refined one came of; 7 has a reference energy
        assert left == {0, 3, 4, 5, 7}
        assert counts(session, job.id) == {
            "placements": 1, "walkers": 2, "candidates": 6, "member_energies": 6, "selections": 1, "minima": 3, "attempts": 0,
            "scores": 6,
        }  # fmt: skip
        assert session.scalars(select(Walker.memory).where(Walker.job_id == job.id)).all() == [None, None]
        entry = session.scalars(select(AuditEntry).where(AuditEntry.job_id == job.id)).one()
        assert (entry.action, entry.user_name, entry.owner_id) == ("job.drop_candidates", "(server)", job.user_id)


def test_jobs_are_deleted_after_their_days_unless_they_have_reference_energies(opened):
    with opened.begin() as session:
        labelled, plain = add_found(session), add_found(session)
        session.execute(text("DELETE FROM reference_energies WHERE candidate_id IN (SELECT id FROM candidates WHERE job_id = :id)"),
                        {"id": plain.id})  # fmt: skip
        still_open = add_job(session)
    age(opened, labelled.id, 400)
    age(opened, plain.id, 400)
    done(opened, keep_jobs_days=365)
    with opened() as session:
        assert set(session.scalars(select(Job.id))) == {labelled.id, still_open.id}


def test_without_rules_nothing_goes(opened):
    with opened.begin() as session:
        job = add_found(session)
        whole = counts(session, job.id)
        record(session, Actor(1, "ada"), "job.submit", job_id=job.id)
    age(opened, job.id, 10_000)
    with opened.begin() as session:
        session.execute(update(AuditEntry).values(at=func.now() - timedelta(days=10_000)))
    done(opened)
    with opened() as session:
        assert counts(session, job.id) == whole
        assert session.scalars(select(func.count()).select_from(AuditEntry)).one() == 1
    done(opened, keep_audit_days=100)
    with opened() as session:
        assert session.scalars(select(func.count()).select_from(AuditEntry)).one() == 0


def test_a_pass_that_is_cut_short_is_gone_on_with(opened, monkeypatch):
    monkeypatch.setattr("worker.retention.removing.PIECE", 3)
    with opened.begin() as session:
        job, other = add_found(session), add_found(session)
        whole = counts(session, job.id)
    age(opened, other.id, 2)
    with opened.begin() as session:
        session.execute(update(Job).where(Job.id == job.id).values(deleted_at=func.now()))
    with opened.begin() as session:
        assert not remove_piece(session, job.id)
        assert not drop_piece(session, other.id)
        left = counts(session, job.id)
        assert left["scores"] == whole["scores"] - 3
        assert {name: left[name] for name in left if name != "scores"} == {n: whole[n] for n in whole if n != "scores"}
    passes = 0
    while passes < 100:
        keep(opened, rules(keep_candidates_days=1), budget_s=0.02)
        passes += 1
        with opened() as session:
            dropped = counts(session, other.id)["candidates"] == 6 and session.get_one(Job, other.id).measured_at
            if session.get(Job, job.id) is None and dropped:
                break
    assert 1 < passes < 100


def test_a_job_is_measured_when_it_has_ended_and_again_when_something_went(opened):
    with opened.begin() as session:
        job = add_found(session)
    done(opened)
    with opened() as session:
        first = session.get_one(Job, job.id).stored_bytes
    age(opened, job.id, 31)
    done(opened, keep_candidates_days=30)
    with opened() as session:
        second = session.get_one(Job, job.id).stored_bytes
    assert 0 < second < 0.8 * first


def test_open_jobs_of_a_disabled_user_are_cancelled(opened, caplog):
    with opened.begin() as session:
        job, other = add_job(session), add_job(session, user="second")
        session.execute(update(User).where(User.name == "first").values(disabled_at=func.now()))
    with caplog.at_level(logging.INFO, logger="shared.database.repositories.audit"):
        done(opened)
    with opened() as session:
        assert session.get_one(Job, job.id).state == State.CANCELLED
        assert session.get_one(Job, other.id).state == State.QUEUED
        assert session.scalars(select(Walker.state).where(Walker.job_id == job.id)).all() == [State.CANCELLED]
    assert [line.action for line in caplog.records if line.msg == "audit"] == ["job.cancel"]


def test_what_is_deleted_is_looked_for_by_an_index():
    """Without one each deleted row reads the whole table that refers to it."""
    stay = {"users", "calibrations"}  # their rows are never deleted
    missing = []
    for table in Base.metadata.sorted_tables:
        leading = {
            index.columns.values()[0].name for index in table.indexes if isinstance(index, Index) and len(index.columns)
        }
        for constraint in table.constraints:
            if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint):
                leading.add(constraint.columns.values()[0].name)
        for constraint in table.constraints:
            if isinstance(constraint, ForeignKeyConstraint) and constraint.referred_table.name not in stay:
                column = constraint.columns.values()[0].name
                if column not in leading:
                    missing.append(f"{table.name}.{column}")
    assert missing == []


def test_trouble_with_one_kind_holds_up_no_other_and_not_the_dispatcher(opened, monkeypatch, caplog):
    with opened.begin() as session:
        job, old = add_found(session), add_found(session)
        session.execute(update(Job).where(Job.id == job.id).values(deleted_at=func.now()))

    def fails(session: Session, job_id: UUID) -> bool:
        session.execute(text("SELECT 1 / 0"))
        return False

    monkeypatch.setattr("worker.retention.rules.remove_piece", fails)
    done(opened)
    assert "division by zero" in caplog.text
    with opened() as session:
        assert session.get_one(Job, old.id).measured_at is not None
