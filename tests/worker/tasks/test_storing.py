"""Results that are stored together, on a real PostgreSQL: in one transaction, each with its own token, or not at all."""

import threading
import time
from dataclasses import replace

import pytest
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.orm import Session

from services.forces.engine import Cost, Outcome
from services.search.walker import Found, Hop
from shared.broker import Notifier, celery_app
from shared.database.repositories.structures import keep
from shared.database.session import Sessions, sessions
from shared.database.tables import Candidate, Lane, MemberEnergy, Turn, Usage, Walker
from shared.settings import Settings
from shared.states import State
from tests.shared.database.jobs import STRUCTURE, add_job, add_reference
from worker.lifecycle.lease_keeper import LeaseKeeper
from worker.queue import claims, eligible
from worker.tasks.hop import HopItem
from worker.tasks.reading import Reading
from worker.tasks.storing import Finished, Storing

COST = Cost(device_s=0.5, force_calls=7)


@pytest.fixture
def opened(engine: Engine) -> Sessions:
    return sessions(engine)


@pytest.fixture
def keeper(opened: Sessions):
    with LeaseKeeper(opened, 60) as made:
        yield made


@pytest.fixture
def storing(opened: Sessions, engine: Engine, keeper: LeaseKeeper) -> Storing:
    url = engine.url.render_as_string(hide_password=False)
    settings = Settings(database_url=url, broker_url="redis://127.0.0.1:1/0", publish_timeout_s=0.1)
    return Storing(settings, opened, keeper, Notifier(celery_app(settings)), ("emt",))


def claimed(opened: Sessions, keeper: LeaseKeeper, walkers: int, user: str = "first") -> list[HopItem]:
    """Hops of a job's walkers, as a worker holds them."""
    with opened.begin() as session:
        job = add_job(session, user=user, walkers=walkers)
        reference = add_reference(session, job, state=State.SUCCEEDED)
        slab = STRUCTURE.only(STRUCTURE.slab)
        reference.structure_id, reference.positions = keep(session, slab), slab.positions
    with opened.begin() as session:
        rows = claims.claim(session, Walker, eligible.walkers("emt"), owner="me", lease_s=60, limit=walkers)
        reading = Reading(session)
        reading.prepare(rows)
        items = [HopItem.load(reading, row) for row in rows]
    for item in items:
        keeper.hold(item.lease)
    return items


def ended(item: HopItem, energy: float = -1.0) -> Finished:
    """The hop, as if it had found a sound minimum of its own."""
    found = Found(STRUCTURE, energy, 0.01, True, (), accepted=True, temperature_k=None, force_calls=7)
    after = replace(item.walker, hop=item.walker.hop + 1, energy=energy, forces=0 * STRUCTURE.positions, force_calls=7)
    return Finished("emt", item, Outcome(item.lease, Hop(after, found), None, COST))


def transactions(session: Session) -> int:
    """How many wrote the candidates."""
    return session.scalar(text("SELECT count(DISTINCT xmin::text) FROM candidates")) or 0


def test_hops_of_two_users_are_stored_in_one_transaction_and_each_counts(opened, keeper, storing):
    items = [*claimed(opened, keeper, 3), *claimed(opened, keeper, 2, user="second")]
    storing.store([ended(item, -1.0 - n) for n, item in enumerate(items)])
    with opened() as session:
        assert transactions(session) == 1
        assert session.scalars(select(Walker.hop).where(Walker.state == State.QUEUED)).all() == [1] * 5
        assert session.scalar(select(func.count()).select_from(MemberEnergy)) == 5
        assert sorted(session.scalars(select(Turn.device_s))) == [1.0, 1.5]
        assert sorted(session.scalars(select(Turn.pieces))) == [2, 3]
        assert sorted(session.scalars(select(Usage.force_calls))) == [14, 21]
        lanes = session.execute(select(Lane.device_s, Lane.pieces).where(Lane.work == "walker"))
        assert sorted(map(tuple, lanes)) == [(1.0, 2), (1.5, 3)]
    assert keeper.lost() == set()


def test_one_that_somebody_else_holds_by_now_is_left_out_and_the_others_are_stored(opened, keeper, storing):
    items = claimed(opened, keeper, 3)
    with opened.begin() as session:
        session.execute(update(Walker).where(Walker.id == items[1].lease.id).values(token=items[1].lease.token + 1))
    storing.store([ended(item) for item in items])
    with opened() as session:
        stored = set(session.scalars(select(Candidate.walker_id)))
        assert stored == {items[0].lease.id, items[2].lease.id}
        assert session.get_one(Walker, items[1].lease.id).hop == 0
        assert session.scalar(select(func.sum(Turn.pieces))) == 2


def test_a_row_that_somebody_locks_is_waited_for_by_itself(opened, keeper, storing):
    items = claimed(opened, keeper, 3)
    with opened() as other:
        other.execute(select(Walker.id).where(Walker.id == items[0].lease.id).with_for_update())
        thread = threading.Thread(target=storing.store, args=([ended(item) for item in items],))
        thread.start()
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with opened() as session:
                there = set(session.scalars(select(Candidate.walker_id)))
            if there == {items[1].lease.id, items[2].lease.id}:
                break
            time.sleep(0.05)
        assert there == {items[1].lease.id, items[2].lease.id}
        assert thread.is_alive()
        other.execute(text("ROLLBACK"))
    thread.join(30)
    with opened() as session:
        assert session.scalar(select(func.count()).select_from(Candidate)) == 3


def test_what_was_stored_before_is_dropped_and_told_apart_from_the_rest(opened, keeper, storing):
    """As after a commit whose answer was lost."""
    items = claimed(opened, keeper, 3)
    storing.store([ended(items[0])])
    storing.store([ended(item) for item in items])
    with opened() as session:
        hops = session.execute(select(Candidate.walker_id, Candidate.hop)).all()
    assert sorted(map(tuple, hops)) == sorted((item.lease.id, 0) for item in items)
