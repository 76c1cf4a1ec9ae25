"""One worker process: its database sessions, the members it hosts, and the work it is rung for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from celery import Celery
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.broker import Doorbell
from shared.database.repositories import claims, settling
from shared.database.session import Sessions, connect, sessions
from shared.database.tables import Job, StageRow
from shared.errors import Failure, InvalidInput, LostLease
from shared.settings import Settings
from shared.states import State, Work
from worker import stages, stopping
from worker.advance import Advance
from worker.heartbeat import Heartbeat, worker_name
from worker.lease import LeaseKeeper
from worker.residents import Residents

log = logging.getLogger(__name__)


@dataclass
class Process:
    settings: Settings
    engine: Engine
    sessions: Sessions
    residents: Residents
    heartbeat: Heartbeat
    bell: Doorbell

    @classmethod
    def start(cls, settings: Settings, app: Celery) -> Process:
        """Make the members known and begin to beat; each is loaded when it is first needed."""
        engine = connect(settings.database_url.get_secret_value())
        opened = sessions(engine)
        residents = Residents.of(settings, opened)
        heartbeat = Heartbeat(opened, settings, residents)
        heartbeat.start()
        bell = Doorbell(app)
        for member in residents.hosted:
            bell.member(member)  # work may be waiting since before this process lived
        return cls(settings, engine, opened, residents, heartbeat, bell)

    def stop(self) -> None:
        self.heartbeat.stop()
        self.engine.dispose()

    def advance(self, member: str) -> None:
        """Work for every hosted member until none is claimable, or the slice of time is over."""
        if member not in self.residents.hosted:
            log.warning("rung for %s, which this worker does not host", member)
            return
        with LeaseKeeper(self.sessions, self.settings.lease_s) as keeper:
            Advance(self.settings, self.sessions, self.residents, keeper, self.bell).run(member)

    def run_stages(self) -> None:
        """CPU stages, one at a time, until none is claimable."""
        with LeaseKeeper(self.sessions, self.settings.lease_s) as keeper:
            while not stopping.requested():
                with self.sessions.begin() as session:
                    rows = claims.claim(
                        session,
                        StageRow,
                        claims.open_stages(),
                        owner=worker_name(),
                        lease_s=self.settings.lease_s,
                        limit=1,
                    )
                    row = rows[0] if rows else None
                    if isinstance(row, StageRow):
                        settling.start(session, session.get_one(Job, row.job_id))
                if not isinstance(row, StageRow):
                    return
                self._run_stage(keeper, row)

    def _run_stage(self, keeper: LeaseKeeper, row: StageRow) -> None:
        lease = claims.lease_of(row)
        keeper.hold(lease)
        try:
            self._placement(lease, row) if row.work == Work.PLACEMENT else self._selection(lease, row)
        except LostLease as lost:
            log.warning("%s", lost)
        except InvalidInput as refusal:
            self._fail(lease, row, "invalid_input", str(refusal))
        except Failure as failure:
            self._fail(lease, row, failure.kind, str(failure))
        finally:
            keeper.drop(lease)

    def _placement(self, lease: claims.Lease, row: StageRow) -> None:
        with self.sessions() as session:
            job = session.get_one(Job, row.job_id)
        system, placed = stages.find_placements(job)
        members = {*job.search_members, *job.refine_members, *job.score_members}
        self._locked(row, lambda session, job: stages.store_placements(session, lease, job, system, placed))
        for member in sorted(members):
            self.bell.member(member)

    def _selection(self, lease: claims.Lease, row: StageRow) -> None:
        self._locked(row, lambda session, job: stages.choose_minima(session, lease, job))

    def _fail(self, lease: claims.Lease, row: StageRow, kind: str, reason: str) -> None:
        def store(session: Session, job: Job) -> None:
            claims.finish(session, lease, State.FAILED, failure_kind=kind, failure_reason=reason)
            settling.end(session, job, State.FAILED, kind=kind, reason=reason)

        self._locked(row, store)

    def _locked(self, row: StageRow, store: Callable[[Session, Job], None]) -> None:
        """One transaction with the job's row locked; a job that has ended meanwhile is left alone."""
        with self.sessions.begin() as session:
            job = session.get_one(Job, row.job_id, with_for_update=True)
            if State(job.state).ended:
                raise LostLease(f"job {job.id} has ended")
            store(session, job)
