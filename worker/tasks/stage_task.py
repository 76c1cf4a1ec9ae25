"""The task of a CPU worker: claim a stage, have it computed in a process of its own, store it under its job's lock."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from shared.broker import Notifier
from shared.database import revision
from shared.database.session import Sessions
from shared.database.tables import Job, StageRow
from shared.database.workflow import progression, transitions, turns
from shared.database.workflow.turns import Spent
from shared.errors import Broken, Failure, InvalidInput, LostLease, MachineryFailure, OtherVersion, TooCostly
from shared.settings import Settings
from shared.states import State, Work
from worker.lifecycle import shutdown
from worker.lifecycle.heartbeat import worker_name
from worker.lifecycle.lease_keeper import LeaseKeeper
from worker.queue import claims, eligible
from worker.tasks import stages
from worker.tasks.committing import commit_while_held
from worker.tasks.stage_process import StageProcess

log = logging.getLogger(__name__)

_LOOK_S = 1.0
"""How often the database is asked whether a stage that is being computed is still wanted."""


class StageTask:
    """One run of the task, a stage at a time."""

    def __init__(
        self, settings: Settings, sessions: Sessions, keeper: LeaseKeeper, notifier: Notifier, process: StageProcess
    ) -> None:
        self._settings = settings
        self._process = process
        self._sessions = sessions
        self._keeper = keeper
        self._notifier = notifier
        self._began = 0.0
        self._counted = False

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
        self._began, self._counted = time.monotonic(), False
        lease = claims.lease_of(row)
        self._keeper.hold(lease)
        fields = {"work": row.work, "row": row.id, "attempt": lease.token, "job": str(row.job_id)}
        try:
            self._placement(lease, row) if row.work == Work.PLACEMENT else self._selection(lease, row)
            log.info("stored", extra=fields)
        except LostLease as lost:
            log.warning("%s", lost, extra=fields)
            if shutdown.requested():
                self._release(lease)
        except InvalidInput as refusal:
            self._fail(lease, row, "invalid_input", str(refusal))
        except MachineryFailure as failure:
            log.warning("%s", failure, extra=fields)
            self._end_attempt(lease, failure)
        except Failure as failure:
            self._fail(lease, row, failure.kind, str(failure))
        except SQLAlchemyError:
            raise  # the lease runs out, and another attempt is made
        except Exception as error:
            self._end_attempt(lease, Broken(f"{type(error).__name__}: {error}"[:500]))
            raise
        finally:
            self._keeper.drop(lease)
            if not self._counted:
                self._charge_unfinished(lease)

    def _placement(self, lease: claims.Lease, row: StageRow) -> None:
        with self._sessions() as session:
            job = session.get_one(Job, row.job_id)
            given = stages.given(session, job)
        system, placed = self._process.find_placements(job, self._still_wanted(lease), given)
        members = {*job.search_members, *job.refine_members, *job.score_members}
        self._store(lease, row, lambda session, job: stages.store_placements(session, lease, job, system, placed))
        with self._sessions.begin() as session:
            progression.move_on(session, row.job_id)
        for member in sorted(members):
            self._notifier.notify_member(member)

    def _selection(self, lease: claims.Lease, row: StageRow) -> None:
        with self._sessions() as session:
            found = stages.load_found(session, session.get_one(Job, row.job_id))
        firsts, said = self._firsts(lease, row, found)
        self._store(lease, row, lambda session, job: stages.choose_minima(session, lease, job, found, firsts, said))

    def _firsts(self, lease: claims.Lease, row: StageRow, found: stages.Found) -> tuple[Sequence[int], list[str]]:
        """For each of the minima to be compared the index of its first, and what to say of that. A comparison that can't be made, or
        not at the last attempt either, costs itself and not the search: each minimum is then its own first."""
        try:
            return self._process.representatives(found.comparing, self._still_wanted(lease)), []
        except LostLease:
            raise
        except (TooCostly, MachineryFailure) as failure:
            if isinstance(failure, MachineryFailure) and row.attempts < self._settings.max_attempts:
                raise
            log.warning("minima are not compared: %s", failure, extra={"job": str(row.job_id)})
            return range(len(found.fresh)), [
                f"minima that different walkers found alike stand side by side, for they could not be compared: {failure}"
            ]

    def _still_wanted(self, lease: claims.Lease) -> Callable[[], bool]:
        """Whether what a lease is held for is to be gone on with: no stop is asked for, and the row is one's own. Who cancels a job
        takes the row away, so that the database is asked, every second."""
        looked = time.monotonic()

        def wanted() -> bool:
            nonlocal looked
            if shutdown.requested() or lease in self._keeper.lost():
                return False
            if time.monotonic() - looked < _LOOK_S:
                return True
            looked = time.monotonic()
            try:
                with self._sessions() as session:
                    running = select(StageRow.token).where(StageRow.id == lease.id, StageRow.state == State.RUNNING)
                    return bool(session.scalar(running) == lease.token)
            except SQLAlchemyError:
                return True  # the keeper knows for how long a database may be away

        return wanted

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
            self._charge(session, lease, jobs=int(row.work == Work.PLACEMENT))
        self._counted = True

    def _charge(self, session: Session, lease: claims.Lease, *, jobs: int = 0) -> None:
        spent = Spent(time.monotonic() - self._began, jobs=jobs)
        turns.charge(session, lease.claimed_for, turns.STAGES, spent, by=worker_name())

    def _charge_unfinished(self, lease: claims.Lease) -> None:
        """What nothing came of counts as its user's too: or whoever cancels what they submit would always be next."""
        with contextlib.suppress(SQLAlchemyError), self._sessions.begin() as session:
            self._charge(session, lease)

    def _end_attempt(self, lease: claims.Lease, failure: MachineryFailure) -> None:
        with contextlib.suppress(LostLease), self._sessions.begin() as session:
            claims.end_attempt(session, lease, failure, worker_name(), self._settings.max_attempts)

    def _release(self, lease: claims.Lease) -> None:
        """Unfinished, as a stop asks for: costs no attempt."""
        with contextlib.suppress(SQLAlchemyError), self._sessions.begin() as session:
            claims.release(session, lease)
