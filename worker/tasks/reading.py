"""What the rows of one claim need to know: read once for all of those of a job, and minima that were read before not again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.database.repositories.references import of_job, slab_among
from shared.database.repositories.structures import restore
from shared.database.tables import Candidate, Job, MemberEnergy, Placement, Reference, Walker, WorkRow
from shared.parameters import JobParameters
from shared.structures import Structure
from worker.tasks import history
from worker.tasks.history import KnownMinimum

Found = TypeVar("Found")

MOST_MINIMA = 5000
"""That are remembered: some 5 kB each."""


class Minima:
    """Candidates as walkers know them. One that is stored never changes."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, KnownMinimum] = OrderedDict()

    def of(self, session: Session, ids: Sequence[int]) -> dict[int, KnownMinimum]:
        """Those of these ids; the database is asked for those that weren't read before."""
        found = {key: self._known[key] for key in ids if key in self._known}
        new = [key for key in ids if key not in found]
        if new:
            for row in session.scalars(select(Candidate).where(Candidate.id.in_(new))):
                structure = restore(row.structure, row.positions)
                found[row.id] = KnownMinimum(row.id, structure, row.energy, tuple(row.anomalies))
        for key, minimum in found.items():
            self._known[key] = minimum
            self._known.move_to_end(key)
        while len(self._known) > MOST_MINIMA:
            self._known.popitem(last=False)
        return found


class Reading:
    """One transaction's view of the jobs that its rows belong to."""

    def __init__(self, session: Session, minima: Minima | None = None) -> None:
        self.session = session
        self._minima = Minima() if minima is None else minima
        self._read: dict[tuple[Any, ...], Any] = {}

    def prepare(self, rows: Collection[WorkRow]) -> None:
        """Read the placements and candidates that these rows name, all at once."""
        placements = {row.placement_id for row in rows if isinstance(row, Walker)}
        candidates = {row.candidate_id for row in rows if isinstance(row, MemberEnergy)}
        for table, ids in ((Placement, placements), (Candidate, candidates)):
            if ids:  # kept, so that the session finds them
                self._read[table, *sorted(ids)] = self.session.scalars(select(table).where(table.id.in_(ids))).all()

    def job(self, job_id: UUID) -> Job:
        return self._once(("job", job_id), lambda: self.session.get_one(Job, job_id))

    def parameters(self, job_id: UUID) -> JobParameters:
        return self._once(("parameters", job_id), self.job(job_id).read_parameters)

    def references(self, job_id: UUID, member: str) -> list[Reference]:
        """The member's, that the job rests on."""
        return self._once(("references", job_id, member), lambda: of_job(self.session, job_id, member))

    def clean_slab(self, job_id: UUID, member: str) -> Structure:
        """As the member relaxed it. Raises LookupError where it did not."""
        return self._once(("slab", job_id, member), lambda: slab_among(self.references(job_id, member), member))

    def known_minima(self, walker: Walker, lag: int) -> list[KnownMinimum]:
        """Converged minima that this walker may know of at its next hop: its own, and those of the job's other walkers of the same
        member up to `lag` hops before. Ordered by hop, then placement: never by who was first."""
        key = (walker.job_id, walker.member)
        told = self._once(("minima", *key), lambda: history.minima_of(self.session, *key))
        may = [
            one.id
            for one in told
            if one.hop < walker.hop and (one.walker_id == walker.id or one.hop <= walker.hop - lag)
        ]
        every = self._once(("known", *key), dict)
        if new := [one for one in may if one not in every]:
            every.update(self._minima.of(self.session, new))
        return [every[one] for one in may]

    def best_by_round(self, walker: Walker, last: int) -> list[float]:
        """Lowest bare energy (eV) of sound minima found by the job's walkers of this member in rounds 0..k, for k <= last."""
        key = (walker.job_id, walker.member)
        return history.best_so_far(self._once(("best", *key), lambda: history.best_of(self.session, *key)), last)

    def first_candidates(self, walker: Walker) -> list[Candidate | None]:
        """What the relaxations of the job's placements found with the walker's member, by placement; None where one failed."""
        key = (walker.job_id, walker.member)
        return self._once(("firsts", *key), lambda: history.first_candidates(self.session, *key))

    def _once(self, key: tuple[Any, ...], read: Callable[[], Found]) -> Found:
        if key not in self._read:
            self._read[key] = read()
        found: Found = self._read[key]
        return found
