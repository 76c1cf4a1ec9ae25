"""The task of a potentials worker: claim, evaluate in batches, commit, claim again.

One engine for each resident member, stepped in turn, so that scoring by one member does not wait for another's whole search.
References come before evaluations, evaluations before hops: what unblocks others goes first.
"""

from __future__ import annotations

import logging
import time
from uuid import UUID

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from services.engine import Engine, Outcome
from services.potential import Potential
from shared.broker import Doorbell
from shared.database.repositories import claims, settling
from shared.database.session import Sessions
from shared.database.tables import MemberEnergy, Reference, Walker, WorkRow
from shared.errors import LostLease, ScienceFailure
from shared.settings import Settings
from worker import stopping
from worker.errands.errand import Errand
from worker.errands.evaluation import EvaluationErrand
from worker.errands.hop import HopErrand
from worker.errands.reference import ReferenceErrand
from worker.heartbeat import worker_name
from worker.lease import LeaseKeeper

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""Least time between two looks for work by an engine that has some but not its fill."""


class Advance:
    """One run of the task. All state that matters is in the database; this holds what is in flight."""

    def __init__(
        self,
        settings: Settings,
        sessions: Sessions,
        potentials: dict[str, Potential],
        keeper: LeaseKeeper,
        bell: Doorbell,
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._keeper = keeper
        self._bell = bell
        self._potentials = potentials
        self._engines = {name: Engine(potential) for name, potential in potentials.items()}
        self._errands: dict[claims.Lease, Errand] = {}
        self._looked = dict.fromkeys(potentials, 0.0)

    def run(self) -> None:
        """Until nothing is claimable, a stop is requested, or the slice is over."""
        until = time.monotonic() + self._settings.task_slice_s
        while not stopping.requested():
            closing = time.monotonic() > until
            if not closing:
                for member in self._engines:
                    self._top_up(member)
            if not self._errands:
                break
            for member, engine in self._engines.items():
                self._drop_lost()
                for outcome in engine.step():
                    self._commit(member, outcome)
        self._give_back()
        if time.monotonic() > until:
            for member in self._engines:
                self._bell.member(member)

    def _top_up(self, member: str) -> None:
        engine = self._engines[member]
        room = self._settings.walkers_per_worker - len(engine)
        if room <= 0 or (len(engine) and time.monotonic() - self._looked[member] < LOOK_S):
            return
        self._looked[member] = time.monotonic()
        for errand in self._claim(member, room):
            self._errands[errand.lease] = errand
            self._keeper.hold(errand.lease)
            engine.add(errand.lease, errand.walk())

    def _claim(self, member: str, room: int) -> list[Errand]:
        errands: list[Errand] = []
        sources = (
            (Reference, claims.open_references(member)),
            (MemberEnergy, claims.open_evaluations(member)),
            (Walker, claims.open_walkers(member)),
        )
        with self._sessions.begin() as session:
            for table, eligible in sources:
                rows = claims.claim(
                    session,
                    table,
                    eligible,
                    owner=worker_name(),
                    lease_s=self._settings.lease_s,
                    limit=room - len(errands),
                )
                errands += [self._errand(session, member, row) for row in rows]
                if len(errands) >= room:
                    break
        return errands

    def _errand(self, session: Session, member: str, row: WorkRow) -> Errand:
        if isinstance(row, Reference):
            return ReferenceErrand.load(session, row)
        if isinstance(row, MemberEnergy):
            return EvaluationErrand.load(session, row, self._potentials[member].card.energy_kind)
        if isinstance(row, Walker):
            return HopErrand.load(session, row)
        raise TypeError(f"no errand for {row}")

    def _drop_lost(self) -> None:
        for lease in self._keeper.lost() & self._errands.keys():
            log.info("lost %s %d: cancelled, or held by another worker", lease.table.__tablename__, lease.id)
            self._forget(lease)

    def _forget(self, lease: claims.Lease) -> Errand | None:
        self._keeper.drop(lease)
        for engine in self._engines.values():
            engine.drop(lease)
        return self._errands.pop(lease, None)

    def _commit(self, member: str, outcome: Outcome) -> None:
        """Store how an errand ended; a database that is away for a moment is tried again while the lease lasts."""
        if not isinstance(outcome.key, claims.Lease) or outcome.key not in self._errands:
            return
        lease, errand = outcome.key, self._errands[outcome.key]
        while lease not in self._keeper.lost():
            try:
                self._store(lease, errand, outcome)
                self._settle(member, errand.job_ids)
                break
            except LostLease as lost:
                log.warning("%s", lost)
                break
            except OperationalError as error:
                log.warning("not committed yet: %s", error)
                time.sleep(0.5)
        self._forget(lease)

    def _store(self, lease: claims.Lease, errand: Errand, outcome: Outcome) -> None:
        failure = outcome.error
        if failure is None:
            try:
                with self._sessions.begin() as session:
                    errand.store(session, outcome.result)
                return
            except ScienceFailure as refused:
                failure = refused
        with self._sessions.begin() as session:
            claims.fail(session, lease, failure, worker_name())

    def _settle(self, member: str, job_ids: tuple[UUID, ...]) -> None:
        for job_id in job_ids:
            with self._sessions.begin() as session:
                choose = settling.settle(session, job_id)
                waiting = [] if choose else settling.waiting_members(session, job_id)
            if choose:
                self._bell.cpu()
            for other in waiting:
                if other not in self._engines:
                    self._bell.member(other)

    def _give_back(self) -> None:
        """On an orderly stop: leases return unspent."""
        leases = list(self._errands)
        if leases:
            with self._sessions.begin() as session:
                claims.release(session, leases)
        for lease in leases:
            self._forget(lease)
