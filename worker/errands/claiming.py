"""Which errands a worker may run: claimed for a member it hosts, in the order that lets others go on soonest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Subquery
from sqlalchemy.orm import Session

from shared.database import revision
from shared.database.repositories import claims, open_work
from shared.database.session import Sessions
from shared.database.tables import MemberEnergy, Reference, Walker, WorkRow
from shared.settings import Settings
from worker.errands.errand import Errand
from worker.errands.evaluation import EvaluationErrand
from worker.errands.hop import HopErrand
from worker.errands.reference import ReferenceErrand
from worker.heartbeat import worker_name
from worker.residents import Residents


@dataclass(frozen=True)
class Claiming:
    """Claims in the name of this process."""

    settings: Settings
    sessions: Sessions
    residents: Residents

    def claim(self, member: str, room: int, trial: claims.Trial) -> list[Errand]:
        """Up to `room` errands. References come before evaluations, evaluations before hops: what unblocks others goes first.
        Raises OtherVersion where the tables are those of another version, and OperationalError."""
        errands: list[Errand] = []
        with self.sessions.begin() as session:
            revision.check(session)
            for table, eligible in _sources(member):
                rows = claims.claim(
                    session,
                    table,
                    eligible,
                    owner=worker_name(),
                    lease_s=self.settings.lease_s,
                    limit=room - len(errands),
                    trial=trial,
                    max_attempts=self.settings.max_attempts,
                )
                errands += [self._errand(session, member, row) for row in rows]
                if len(errands) >= room:
                    break
        return errands

    def last_attempts_wait(self, members: Iterable[str]) -> bool:
        """Whether a row of one of these members waits for its last attempt."""
        limit = self.settings.max_attempts
        sources = (source for member in members for source in _sources(member))
        with self.sessions() as session:
            return any(claims.last_attempts_wait(session, *source, max_attempts=limit) for source in sources)

    def anything_open(self, member: str) -> bool:
        with self.sessions() as session:
            return open_work.anything_open(session, member)

    def _errand(self, session: Session, member: str, row: WorkRow) -> Errand:
        if isinstance(row, Reference):
            return ReferenceErrand.load(session, row)
        if isinstance(row, MemberEnergy):
            return EvaluationErrand.load(session, row, self.residents.entry(member).energy_kind)
        if isinstance(row, Walker):
            return HopErrand.load(session, row)
        raise TypeError(f"no errand for {row}")


def _sources(member: str) -> tuple[tuple[type[WorkRow], Subquery], ...]:
    return (
        (Reference, open_work.references(member)),
        (MemberEnergy, open_work.evaluations(member)),
        (Walker, open_work.walkers(member)),
    )
