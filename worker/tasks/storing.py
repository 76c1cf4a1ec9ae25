"""How items ended is stored: what succeeded together, in one transaction, and each by itself where that can't be.

All of it runs on the thread that a worker keeps for the database, while the device computes. A result is written with the token of
its claim or not at all; what is refused is dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from services.forces.engine import Cost, Outcome
from shared.broker import Notifier
from shared.database.session import Sessions
from shared.database.tables import Reference
from shared.database.workflow import progression, turns
from shared.database.workflow.new_work import pass_on
from shared.database.workflow.turns import Spent
from shared.errors import LostLease, MachineryFailure, ScienceFailure
from shared.settings import Settings
from shared.states import Work
from worker.lifecycle.heartbeat import worker_name
from worker.lifecycle.lease_keeper import LeaseKeeper
from worker.queue import backlog, claims
from worker.tasks.committing import commit_while_held
from worker.tasks.hop import HopItem
from worker.tasks.work_item import WorkItem

log = logging.getLogger(__name__)

TOGETHER = 100
"""Results that are stored, and jobs that are moved on, in one transaction."""


@dataclass(frozen=True, eq=False)
class Finished:
    """An item that ended."""

    member: str
    item: WorkItem
    outcome: Outcome

    @property
    def lease(self) -> claims.Lease:
        return self.item.lease


@dataclass(frozen=True)
class Used:
    """Device time of a user with a member."""

    user_id: int
    member: str
    cost: Cost


class Storing:
    """Writes in the name of this process."""

    def __init__(
        self, settings: Settings, sessions: Sessions, keeper: LeaseKeeper, notifier: Notifier, hosted: Sequence[str]
    ) -> None:
        self._max_attempts = settings.max_attempts
        self._sessions = sessions
        self._keeper = keeper
        self._notifier = notifier
        self._hosted = hosted

    def store(self, finished: Sequence[Finished]) -> None:
        """Store how these ended, and move their jobs on. A database that is away for a moment is tried again while their leases
        last."""
        for first in range(0, len(finished), TOGETHER):
            some = finished[first : first + TOGETHER]
            stored = self._store_together(some) if len(some) > 1 else set()
            for one in some:
                if one.lease not in stored:
                    self._store_alone(one)

    def _store_together(self, finished: Iterable[Finished]) -> set[claims.Lease]:
        """Store what succeeded in one transaction; returns the leases of what was. None where anything is in the way: then each is
        stored by itself, and told apart there."""
        lost = self._keeper.lost()
        simple = [
            one
            for one in finished
            if one.outcome.error is None and one.lease.table is not Reference and one.lease not in lost
        ]
        try:
            held = self._commit_together(simple) if simple else []
        except (LostLease, ScienceFailure, IntegrityError, OperationalError) as error:
            log.info("%d results are stored one by one: %s", len(simple), error)
            return set()
        for one in held:
            self._keeper.drop(one.lease)
            log.info("stored", extra=_fields(one))
        try:
            self._move_on(sorted({job_id for one in held for job_id in one.item.job_ids}))
        except OperationalError as error:
            log.warning("the dispatcher will move their jobs on: %s", error)
        return {one.lease for one in held}

    def _commit_together(self, finished: Sequence[Finished]) -> list[Finished]:
        """One transaction; returns what was written: those whose rows are still ours, and nobody else's just now."""
        with self._sessions.begin() as session:
            mine = claims.locked(session, [one.lease for one in finished])
            held = [one for one in finished if one.lease in mine]
            self._write(session, held)
        return held

    def _write(self, session: Session, held: Sequence[Finished]) -> None:
        """Rows that nobody else holds first; then, in everybody's order, what others write to as well."""
        _store_items(session, held)
        pieces: dict[tuple[UUID, str, Work], list[float]] = {}
        for one in held:
            lane = (one.item.job_ids[0], one.member, claims.work_of(one.lease.table))
            pieces.setdefault(lane, []).append(one.outcome.cost.device_s)
        for (job_id, member, work), took in sorted(pieces.items()):
            turns.learn_cost(session, job_id, member, work, sum(took), pieces=len(took))
        _charge(session, [Used(one.lease.claimed_for, one.member, one.outcome.cost) for one in held])

    def _store_alone(self, one: Finished) -> None:
        def write() -> None:
            self._store(one)
            error = one.outcome.error
            log.info("stored" if error is None else "failed: %s", *filter(None, [error]), extra=_fields(one))
            self._move_on(one.item.job_ids, one.lease)

        try:
            commit_while_held(one.lease, self._keeper.lost, write, fields=_fields(one))
        except LostLease as lost:
            log.warning("%s", lost, extra=_fields(one))
        self._keeper.drop(one.lease)

    def _store(self, one: Finished) -> None:
        failure = one.outcome.error
        if failure is None:
            try:
                with self._sessions.begin() as session:
                    if one.lease.table is Reference:
                        claims.finish_all(session, [_ending(one)])
                        _charge(session, [Used(one.lease.claimed_for, one.member, one.outcome.cost)])
                    else:
                        self._write(session, [one])
                return
            except ScienceFailure as refused:
                failure = refused
            except IntegrityError:
                with self._sessions.begin() as session:
                    claims.check(
                        session, one.lease
                    )  # written already, by another worker or a commit whose answer was lost
                raise
        with self._sessions.begin() as session:
            claims.fail(session, one.lease, failure, worker_name())
            _charge(session, [Used(one.lease.claimed_for, one.member, one.outcome.cost)])

    def _move_on(self, job_ids: Sequence[UUID], lease: claims.Lease | None = None) -> None:
        """What the commit has brought about; of a reference, for all jobs that rest on it by now."""
        if lease is not None and lease.table is Reference:
            with self._sessions() as session:
                job_ids = progression.resting_on(session, lease.id)
        for first in range(0, len(job_ids), TOGETHER):
            some = job_ids[first : first + TOGETHER]
            with self._sessions.begin() as session:
                choose = progression.move_all_on(session, some)
                members = backlog.members_of_jobs(session, some)
            if choose:
                self._notifier.notify_cpu()
            for other in members:
                if other not in self._hosted:
                    self._notifier.notify_member(other)

    def count(self, used: Sequence[Used]) -> None:
        """Device time that nothing came of."""
        if used:
            with self._sessions.begin() as session:
                _charge(session, used)

    def end_attempts(self, leases: Iterable[claims.Lease], failure: MachineryFailure) -> None:
        """What was held when this failed has had an attempt and is requeued: nobody waits for its leases to run out, and the reason
        is kept."""
        for lease in list(leases):
            try:
                with self._sessions.begin() as session:
                    claims.end_attempt(session, lease, failure, worker_name(), self._max_attempts)
            except (LostLease, SQLAlchemyError) as error:
                log.warning("%s %d not requeued: %s", lease.table.__tablename__, lease.id, error)

    def release(self, lease: claims.Lease) -> None:
        """Requeue an item unfinished: costs no attempt."""
        with self._sessions.begin() as session:
            claims.release(session, lease)


def _charge(session: Session, used: Iterable[Used]) -> None:
    """Count what was used as the users', each once, in everybody's order; the last thing to do in a transaction."""
    total: dict[tuple[int, str], list[Cost]] = {}
    for one in used:
        total.setdefault((one.user_id, one.member), []).append(one.cost)
    for (user_id, member), costs in sorted(total.items()):
        spent = Spent(sum(one.device_s for one in costs), sum(one.force_calls for one in costs), pieces=len(costs))
        turns.charge(session, user_id, member, spent, by=worker_name())


def _store_items(session: Session, held: Sequence[Finished]) -> None:
    """Candidates in one statement, and then what rests on each."""
    found = {one.lease: one.item.found(one.outcome.result) for one in held if isinstance(one.item, HopItem)}
    session.add_all(candidate for candidate in found.values() if candidate is not None)
    session.flush()
    new = [one.item.minima(one.outcome.result, found[one.lease]) for one in held if isinstance(one.item, HopItem)]
    pass_on(session, [minimum for minima in new for minimum in minima])
    claims.finish_all(session, map(_ending, held))


def _ending(one: Finished) -> tuple[claims.Lease, claims.Ending]:
    return one.lease, one.item.ending(one.outcome.result)


def _fields(one: Finished) -> dict[str, object]:
    lease = one.lease
    return {
        "work": lease.table.__tablename__,
        "row": lease.id,
        "attempt": lease.token,
        "job": ",".join(map(str, one.item.job_ids)),
    }
