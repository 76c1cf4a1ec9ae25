"""What workers do, why they rest, and how fast they are."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

from shared.database.tables import Walker, Worker
from shared.states import State
from tests.shared.database.jobs import add_job


@pytest.fixture
def worker(service):
    """A worker's name and its member's, for whom there is nothing to do."""
    name, member = f"potentials-{uuid4().hex[:6]}@lab", f"member-{uuid4().hex[:6]}"
    state = {"member": member, "state": "absent", "reason": "", "load_s": None, "memory_bytes": None}
    with service.opened.begin() as session:
        session.add(
            Worker(
                name=name, host="lab", pid=1, kind="potentials", device="cuda:0", ready=True, reason="", memory_bytes=None,
                members=[member], member_states=[state | {"batch_atoms": None, "loads": 0, "hits": 0, "evaluations": 100}],
                heartbeat_at=datetime.now(UTC),
            )
        )  # fmt: skip
    yield name, member
    with service.opened.begin() as session:
        session.delete(session.get(Worker, name))


def test_a_worker_says_why_it_rests_and_then_what_it_has_in_hand(visit, service, worker):
    name, member = worker
    visit.sign_in(service.key())
    card = visit.go("/workers").get_by_role("region", name=name, exact=True)
    expect(card).to_contain_text("Idle: no open job has work for its members")
    expect(card).to_contain_text("loads when it is needed")
    expect(card.locator(".chip")).to_have_text("ready")
    with service.opened.begin() as session:
        job = add_job(session, user=f"user-{uuid4().hex[:6]}", walkers=2, state=State.RUNNING)
        for walker in session.scalars(select(Walker).where(Walker.job_id == job.id)):
            walker.member, walker.state, walker.owner, walker.token = member, State.RUNNING, name, 1
            walker.lease_until = func.now() + timedelta(hours=1)
    expect(card).to_contain_text("In hand: 2 walkers")  # the page looks again by itself
    expect(card.locator(".chip")).to_have_text("at work")
    row = visit.page.get_by_role("region", name="Speeds").get_by_role("row", name=member)
    expect(row).to_contain_text("2 walkers")


def test_how_fast_a_worker_evaluates_is_how_its_counter_grew(visit, service, worker):
    name, member = worker
    visit.sign_in(service.key())
    card = visit.go("/workers").get_by_role("region", name=name, exact=True)
    row = card.get_by_role("row", name=member)
    expect(row.locator("td").last).to_have_text("–")
    with service.opened.begin() as session:
        row_of = session.get(Worker, name)
        row_of.member_states = [one | {"evaluations": 163} for one in row_of.member_states]
        row_of.heartbeat_at = row_of.heartbeat_at + timedelta(seconds=15)
    expect(row.locator("td").last).to_have_text("4.2")  # 63 in 15 s


def test_a_worker_that_is_not_ready_says_why(visit, service, worker):
    with service.opened.begin() as session:
        row = session.get(Worker, worker[0])
        row.ready, row.reason = False, "no CUDA device is free: others hold its memory"
    visit.sign_in(service.key())
    card = visit.go("/workers").get_by_role("region", name=worker[0], exact=True)
    expect(card.locator(".callout.bad")).to_have_text("no CUDA device is free: others hold its memory")
    expect(card.locator(".chip")).to_have_text("not ready")
