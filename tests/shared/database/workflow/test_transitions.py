"""States are written in one place, which allows what shared.states allows and nothing else."""

import ast
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import func, select

from shared.database.tables import Job, Reference, StageRow, Walker
from shared.database.workflow import transitions
from shared.errors import Conflict
from shared.states import ENDED, JOB, REFERENCE, ROW, Stage, State, Work
from tests.shared.database.jobs import add_job, add_reference

ROOT = Path(__file__).resolve().parents[4]
OWN = ROOT / "shared/database/workflow/transitions.py"
ROOMS = ("api", "worker", "services", "shared", "local", "evaluation")


LEASE = {"owner": "worker", "lease_until": func.now(), "token": 1}
NEEDED = {State.RUNNING: LEASE, State.FAILED: {"failure_kind": "diverged"}}
"""What a row has in a state, by the tables' own checks."""


def walker_in(session, state: State) -> Walker:
    walker = session.scalars(select(Walker).where(Walker.job_id == add_job(session).id)).one()
    walker.state = state
    for name, value in NEEDED.get(state, {}).items():
        setattr(walker, name, value)
    session.flush()
    return walker


@pytest.mark.parametrize(("old", "new"), list(product(State, State)))
def test_rows_move_only_where_they_may(session, old, new):
    allowed, values = new in ROW.get(old, ()), NEEDED.get(new, {})
    in_bulk, loaded = walker_in(session, old), walker_in(session, old)
    session.execute(transitions.moved(Walker, new, Walker.id == in_bulk.id, **values))
    session.refresh(in_bulk)
    assert in_bulk.state == (new if allowed else old)
    if allowed:
        transitions.move(loaded, new, **values)
        session.flush()
    else:
        with pytest.raises(Conflict, match=f"what is {old} can't become {new}"):
            transitions.move(loaded, new, **values)
    assert loaded.state == in_bulk.state
    if State.RUNNING not in (in_bulk.state, new):
        assert (in_bulk.owner, in_bulk.lease_until, loaded.owner, loaded.lease_until) == (None,) * 4


@pytest.mark.parametrize(("old", "new"), list(product(State, State)))
def test_references_move_as_rows_do_and_from_failed_to_queued_too(session, old, new):
    """For a reference alone: jobs to come rest on it."""
    row = add_reference(session, add_job(session))
    row.state = old
    for name, value in ({"energy": -1.0} | NEEDED.get(old, {})).items():
        setattr(row, name, value)
    session.flush()
    session.execute(
        transitions.moved(Reference, new, Reference.id == row.id, **({"failure_kind": None} | NEEDED.get(new, {})))
    )
    session.refresh(row)
    allowed = new in ROW.get(old, ()) or (old, new) == (State.FAILED, State.QUEUED)
    assert row.state == (new if allowed else old)
    assert (State.QUEUED in REFERENCE[State.FAILED], State.FAILED in ROW) == (True, False)


@pytest.mark.parametrize(("old", "new"), list(product(State, sorted(ENDED))))
def test_jobs_end_once(session, old, new):
    job = add_job(session)
    job.state, job.stage = old, Stage.SELECTING
    job.ended_at = func.now() if old in ENDED else None
    job.failure_kind = "diverged" if old is State.FAILED else None
    session.flush()
    kind = {"kind": "diverged"} if new is State.FAILED else {}
    if new in JOB.get(old, ()):
        transitions.end_job(session, job, new, **kind)
        session.flush()
        assert (job.state, job.stage) == (new, Stage.DONE if new is State.SUCCEEDED else Stage.SELECTING)
        assert job.ended_at is not None
    else:
        with pytest.raises(Conflict):
            transitions.end_job(session, job, new, **kind)


def test_a_job_that_ended_is_not_started(session):
    job = add_job(session)
    transitions.start_job(session, job.id)
    session.refresh(job)
    assert job.state == State.RUNNING
    transitions.end_job(session, job, State.CANCELLED)
    session.flush()
    transitions.start_job(session, job.id)
    session.refresh(job)
    assert job.state == State.CANCELLED


@pytest.mark.parametrize(("old", "new"), list(product(Stage, Stage)))
def test_stages_follow_each_other(old, new):
    job, order = Job(stage=old), list(Stage)
    if order.index(new) == order.index(old) + 1:
        transitions.enter_stage(job, new)
        assert job.stage == new
    else:
        with pytest.raises(Conflict):
            transitions.enter_stage(job, new)


def test_what_is_open_of_a_job_ends_with_it(session):
    job, other = add_job(session, walkers=2), add_job(session)
    session.add(StageRow(job_id=job.id, work=Work.SELECTION))
    session.flush()
    transitions.end_job(session, job, State.CANCELLED)
    states = {row.job_id: row.state for table in (Walker, StageRow) for row in session.scalars(select(table))}
    assert states == {job.id: State.CANCELLED, other.id: State.QUEUED}


def writes(tree: ast.Module) -> list[int]:
    """Lines that set a state or a stage: an assignment to the attribute, or a key of what `values` is called with."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            parts = [part for one in targets for part in (one.elts if isinstance(one, ast.Tuple) else [one])]
            found += [one.lineno for one in parts if isinstance(one, ast.Attribute) and one.attr in ("state", "stage")]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "values":
            keys = {keyword.arg for keyword in node.keywords}
            keys |= {key.value for one in ast.walk(node) if isinstance(one, ast.Dict) for key in one.keys
                     if isinstance(key, ast.Constant)}  # fmt: skip
            found += [node.lineno] if keys & {"state", "stage"} else []
    return found


def test_nobody_else_writes_states():
    assert len(writes(ast.parse(OWN.read_text()))) >= 4
    elsewhere = [
        f"{file.relative_to(ROOT)}:{line}"
        for room in ROOMS
        for file in sorted((ROOT / room).rglob("*.py"))
        if file != OWN and "migrations" not in file.parts
        for line in writes(ast.parse(file.read_text()))
    ]
    assert elsewhere == []
