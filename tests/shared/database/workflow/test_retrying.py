"""A shared reference that failed isn't lost for everybody: who may have it tried again, how often, and what new jobs make of it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from shared.database.repositories import references
from shared.database.repositories.members import Registration, register
from shared.database.repositories.references import Wanted
from shared.database.session import sessions
from shared.database.tables import AuditEntry, Job, JobReference, Reference, User, Walker
from shared.database.workflow import progression, retrying
from shared.errors import Conflict, NotFound
from shared.references import ReferenceKind
from shared.states import State
from tests.shared.database.jobs import STRUCTURE, add_job, add_reference
from worker.tasks.reference import try_again


def failed(session, job: Job, kind: str = "no_minimum", **values: object) -> Reference:
    row = add_reference(session, job, state=State.FAILED)
    for name, value in {"failure_kind": kind, "attempts": 3, **values}.items():
        setattr(row, name, value)
    session.flush()
    return row


def stranger(session) -> int:
    row = User(name="stranger")
    session.add(row)
    session.flush()
    return row.id


def test_whoever_has_a_job_on_it_may_a_few_times_and_after_a_wait(session):
    job = add_job(session)
    row = failed(session, job)
    for n in range(1, retrying.MOST + 1):
        found, again = retrying.retry(session, row.id, job.user_id, administrator=False)
        assert (again, found.state, found.attempts, found.retries) == (True, State.QUEUED, 0, n)
        assert (found.failure_kind, found.failure_reason) == (None, None)
        assert retrying.retry(session, row.id, job.user_id, administrator=False)[1] is False  # queued already
        row.state, row.failure_kind, row.failure_reason = State.FAILED, "no_minimum", "too steep"
        session.flush()
        with pytest.raises(Conflict, match=r"wait for \d+ s|an administrator may"):
            retrying.retry(session, row.id, job.user_id, administrator=False)
        row.retried_at = func.now() - retrying.WAIT - timedelta(seconds=1)
        session.flush()
        session.refresh(row)
    with pytest.raises(Conflict, match=r"slab Pt with member emt was tried again 3 times .*: an administrator may"):
        retrying.retry(session, row.id, job.user_id, administrator=False)


def test_administrators_may_at_any_time_and_others_then_again(session):
    job = add_job(session)
    row = failed(session, job, retries=retrying.MOST, retried_at=session.scalar(select(func.now())))
    with pytest.raises(NotFound, match="that a job of yours rests on"):
        retrying.retry(session, row.id, stranger(session), administrator=False)
    found, again = retrying.retry(session, row.id, -1, administrator=True)
    assert (again, found.state, found.retries) == (True, State.QUEUED, 0)
    with pytest.raises(NotFound):
        retrying.retry(session, 10**6, -1, administrator=True)


def test_of_many_who_ask_at_once_one_is_counted(engine):
    opened = sessions(engine)
    with opened.begin() as session:
        job = add_job(session)
        number, user_id = failed(session, job).id, job.user_id

    def ask(_: int) -> bool:
        with opened.begin() as session:
            return retrying.retry(session, number, user_id, administrator=False)[1]

    with ThreadPoolExecutor(6) as beside:
        assert sum(beside.map(ask, range(12))) == 1
    with opened() as session:
        assert session.get_one(Reference, number).retries == 1


@pytest.mark.parametrize(
    ("kind", "again"),
    [("poison", True), ("out_of_memory", True), ("device_fault", True), ("broken", True), ("worker_lost", True),
     ("no_minimum", False), ("diverged", False)],
)  # fmt: skip
def test_a_new_job_has_tried_again_what_the_machinery_failed_and_not_what_the_science_did(session, kind, again):
    row = failed(session, add_job(session), kind)
    new = add_job(session, user="second")
    session.add(JobReference(job_id=new.id, reference_id=row.id))
    session.flush()
    try_again(session, new)
    session.flush()
    assert row.state == (State.QUEUED if again else State.FAILED)
    assert new.warnings == (["slab Pt with member emt failed before (too steep): it is tried again"] if again else [])
    noted = session.scalars(select(AuditEntry)).all()
    assert [(one.action, one.user_name, one.job_id) for one in noted] == (
        [("reference.retry", "second", new.id)] if again else []
    )
    progression.move_on(session, new.id)
    session.flush()
    assert new.state == (State.QUEUED if again else State.FAILED)
    if not again:
        assert new.failure_reason is not None
        assert "slab Pt with member emt failed: too steep; it can be tried again by whoever" in new.failure_reason
        assert f"adhop references retry {row.id}" in new.failure_reason


def test_new_jobs_do_not_try_for_ever(session):
    row = failed(session, add_job(session), "poison")
    for n in range(retrying.MOST + 2):
        new = add_job(session, user=f"user {n}")
        session.add(JobReference(job_id=new.id, reference_id=row.id))
        session.flush()
        tried = retrying.retry_for(session, new.id)
        assert len(tried) == (n < retrying.MOST)
        if tried:
            row.state, row.failure_kind = State.FAILED, "poison"
            row.retried_at = func.now() - 2 * retrying.WAIT
            session.flush()
            session.refresh(row)
    row.retries, row.retried_at = 1, session.scalar(select(func.now()))
    session.flush()
    assert retrying.retry_for(session, new.id) == []  # so soon after the last time


def test_a_job_whose_scoring_members_all_lack_references_ends_before_its_search(session):
    job = add_job(session)
    job.search_members, job.score_members = ["emt"], ["other"]
    row = add_reference(session, job, state=State.FAILED, member="other")
    assert not progression.move_on(session, job.id)
    session.flush()
    assert (job.state, job.failure_kind) == (State.FAILED, progression.REFERENCE_FAILED)
    assert "no member is left to score with: slab Pt with member other failed" in (job.failure_reason or "")
    assert f"retry {row.id}" in (job.failure_reason or "")
    assert set(session.scalars(select(Walker.state))) == {State.CANCELLED}


def test_with_a_scoring_member_left_the_search_goes_on(session):
    job = add_job(session)
    job.score_members = ["emt", "other"]
    add_reference(session, job, state=State.FAILED, member="other")
    assert not progression.move_on(session, job.id)
    assert job.state == State.QUEUED


def test_another_checkpoint_does_not_meet_the_failure_of_the_one_before(session):
    wanted = Wanted(ReferenceKind.GAS, "CO", STRUCTURE, 0.05, 100)

    def by(sha256: str) -> Reference:
        register(session, Registration("emt", "toy", "1", sha256, "total", (6, 8, 78), 6.0, "nothing", "MIT"))
        job = add_job(session)
        references.want(session, job.id, "emt", [wanted])
        session.flush()
        return references.of_job(session, job.id, "emt")[0]

    first = by("0" * 64)
    first.state, first.failure_kind, first.failure_reason = State.FAILED, "no_minimum", "too steep"
    session.flush()
    assert by("0" * 64).id == first.id
    second = by("1" * 64)
    assert (second.state, second.member_sha256) == (State.QUEUED, "1" * 64)
