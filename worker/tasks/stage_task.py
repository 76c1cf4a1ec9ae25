"""The task of a CPU worker: claim a stage, compute it, store it under its job's lock."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from shared.broker import Notifier
from shared.database import revision
from shared.database.session import Sessions
from shared.database.tables import Job, StageRow
from shared.database.workflow import transitions
from shared.errors import Broken, Failure, InvalidInput, LostLease, OtherVersion
from shared.settings import Settings
from shared.states import State, Work
from worker.lifecycle import shutdown
from worker.lifecycle.heartbeat import worker_name
from worker.lifecycle.lease_keeper import LeaseKeeper
from worker.queue import claims, eligible
from worker.tasks import stages
from worker.tasks.committing import commit_while_held

log = logging.getLogger(__name__)


class StageTask:
    """One run of the task, a stage at a time."""

    def __init__(self, settings: Settings, sessions: Sessions, keeper: LeaseKeeper, notifier: Notifier) -> None:
        self._settings = settings
        self._sessions = sessions
        self._keeper = keeper
        self._notifier = notifier

    def run(self) -> None:
        """Until no stage is claimable, or a stop is requested."""
        while not shutdown.requested():
            try:
                row = self._claim()
            except OtherVersion as other:
                log.warning("nothing claimed: %s", other)
                return
            if row is None:
                return
            self._run(row)

    def _claim(self) -> StageRow | None:
        with self._sessions.begin() as session:
            revision.check(session)
            rows = claims.claim(
                session,
                StageRow,
                eligible.stages(),
                owner=worker_name(),
                lease_s=self._settings.lease_s,
                limit=1,
            )
        row = rows[0] if rows else None
        if not isinstance(row, StageRow):
            return None
        with self._sessions.begin() as session:  # apart: who ends a job locks it before its stages
            transitions.start_job(session, row.job_id)
        return row

    def _run(self, row: StageRow) -> None:
        lease = claims.lease_of(row)
        self._keeper.hold(lease)
        fields = {"work": row.work, "row": row.id, "attempt": lease.token, "job": str(row.job_id)}
        try:
            self._placement(lease, row) if row.work == Work.PLACEMENT else self._selection(lease, row)
            log.info("stored", extra=fields)
        except LostLease as lost:
            log.warning("%s", lost, extra=fields)
        except InvalidInput as refusal:
            self._fail(lease, row, "invalid_input", str(refusal))
        except Failure as failure:
            self._fail(lease, row, failure.kind, str(failure))
        except SQLAlchemyError:
            raise  # the lease runs out, and another attempt is made
        except Exception as error:
            self._end_attempt(lease, error)
            raise
        finally:
            self._keeper.drop(lease)

    def _placement(self, lease: claims.Lease, row: StageRow) -> None:
        with self._sessions() as session:
            job = session.get_one(Job, row.job_id)
        system, placed = stages.find_placements(job)
        members = {*job.search_members, *job.refine_members, *job.score_members}
        self._store(lease, row, lambda session, job: stages.store_placements(session, lease, job, system, placed))
        for member in sorted(members):
            self._notifier.notify_member(member)

    def _selection(self, lease: claims.Lease, row: StageRow) -> None:
        self._store(lease, row, lambda session, job: stages.choose_minima(session, lease, job))

    def _fail(self, lease: claims.Lease, row: StageRow, kind: str, reason: str) -> None:
        def store(session: Session, job: Job) -> None:
            claims.finish(session, lease, State.FAILED, failure_kind=kind, failure_reason=reason)
            transitions.end_job(session, job, State.FAILED, kind=kind, reason=reason)

        self._store(lease, row, store)

    def _store(self, lease: claims.Lease, row: StageRow, write: Callable[[Session, Job], None]) -> None:
        commit_while_held(lease, self._keeper.lost, lambda: self._write_locked(lease, row, write))

    def _write_locked(self, lease: claims.Lease, row: StageRow, write: Callable[[Session, Job], None]) -> None:
        """One transaction with the job's row locked; a job that has ended meanwhile is left alone."""
        with self._sessions.begin() as session:
            job = transitions.lock_job(session, row.job_id)
            if job is None or State(job.state).ended:
                raise LostLease(f"job {row.job_id} has ended")
            claims.check(session, lease)
            write(session, job)

    def _end_attempt(self, lease: claims.Lease, error: Exception) -> None:
        failure = Broken(f"{type(error).__name__}: {error}"[:500])
        with contextlib.suppress(LostLease), self._sessions.begin() as session:
            claims.end_attempt(session, lease, failure, worker_name(), self._settings.max_attempts)
