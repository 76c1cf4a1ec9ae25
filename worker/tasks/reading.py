"""What the rows of one claim need to know: read once for all of them, and what never changes not again in later claims."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from shared.database.repositories.references import of_job, slab_among
from shared.database.repositories.structures import restore
from shared.database.tables import Candidate, Job, MemberEnergy, Placement, Reference, Walker, WorkRow
from shared.parameters import JobParameters
from shared.states import State
from shared.structures import Structure
from worker.tasks import history
from worker.tasks.history import KnownMinimum

Found = TypeVar("Found")

MOST_MINIMA = 5000
"""That are remembered: some 5 kB each."""
MOST_OTHERS = 2000
"""Placements, jobs and what members found of these that are remembered: some 10 kB each."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A placement, as it was stored."""

    index: int
    structure_id: int
    structure: Structure


class Memory:
    """What is stored and never changes: minima, placements, what jobs were submitted with, relaxed slabs. The last used are kept."""

    def __init__(self) -> None:
        self._minima: OrderedDict[Hashable, Any] = OrderedDict()
        self._others: OrderedDict[Hashable, Any] = OrderedDict()

    def minima(self, session: Session, ids: Sequence[int]) -> dict[int, KnownMinimum]:
        """Those of these ids; the database is asked for those that weren't read before."""
        found = {key: self._minima[key] for key in ids if key in self._minima}
        new = [key for key in ids if key not in found]
        if new:
            for row in session.scalars(select(Candidate).where(Candidate.id.in_(new))):
                structure = restore(row.structure, row.positions)
                found[row.id] = KnownMinimum(row.id, structure, row.energy, tuple(row.anomalies))
        for key, minimum in found.items():
            _remember(self._minima, key, minimum, MOST_MINIMA)
        return found

    def knows(self, *key: Hashable) -> bool:
        return key in self._others

    def of(self, read: Callable[[], Found], *key: Hashable, final: Callable[[Found], bool] = lambda _: True) -> Found:
        """What is known by this key, or else read; final: whether it won't change any more."""
        found: Found = self._others[key] if key in self._others else read()
        if final(found):
            _remember(self._others, key, found, MOST_OTHERS)
        return found


def _remember(kept: OrderedDict[Hashable, Any], key: Hashable, value: Any, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)


class Reading:
    """One transaction's view of the jobs that its rows belong to."""

    def __init__(self, session: Session, memory: Memory | None = None) -> None:
        self.session = session
        self.memory = Memory() if memory is None else memory
        self._together: dict[str, set[UUID]] = {}
        self._read: dict[tuple[Any, ...], Any] = {}

    def prepare(self, rows: Collection[WorkRow]) -> None:
        """Read the placements, candidates and jobs that these rows name, all at once."""
        walkers = [row for row in rows if isinstance(row, Walker)]
        energies = [row for row in rows if isinstance(row, MemberEnergy)]
        placements = {row.placement_id for row in walkers if not self.memory.knows("placement", row.placement_id)}
        named = {row.job_id for row in walkers} | {row.job_id for row in energies}
        jobs = {job_id for job_id in named if not self.memory.knows("job", job_id)}
        candidates = {row.candidate_id for row in energies}
        for table, ids in ((Placement, placements), (Candidate, candidates), (Job, jobs)):
            if ids:  # kept, so that the session finds them
                self._read[table, *sorted(ids)] = self.session.scalars(select(table).where(table.id.in_(ids))).all()
        for walker in walkers:
            self._together.setdefault(walker.member, set()).add(walker.job_id)

    def placement(self, walker: Walker) -> Placed:
        """Where the walker began."""

        def read() -> Placed:
            row = walker.placement
            return Placed(row.index, row.structure_id, restore(row.structure, row.positions))

        return self.memory.of(read, "placement", walker.placement_id)

    def job(self, job_id: UUID) -> Job:
        """With what it was submitted with: its state may be another by now."""
        return self.memory.of(lambda: self.session.get_one(Job, job_id), "job", job_id)

    def parameters(self, job_id: UUID) -> JobParameters:
        return self.memory.of(lambda: self.job(job_id).read_parameters(), "parameters", job_id)

    def references(self, job_id: UUID, member: str) -> list[Reference]:
        """The member's, that the job rests on."""
        return self.memory.of(
            lambda: of_job(self.session, job_id, member),
            "references",
            job_id,
            member,
            final=lambda rows: all(row.state == State.SUCCEEDED for row in rows),
        )

    def clean_slab(self, job_id: UUID, member: str) -> Structure:
        """As the member relaxed it. Raises LookupError where it did not."""
        return self.memory.of(lambda: slab_among(self.references(job_id, member), member), "slab", job_id, member)

    def known_minima(self, walker: Walker, lag: int) -> list[KnownMinimum]:
        """Converged minima that this walker may know of at its next hop: its own, and those of the job's other walkers of the same
        member up to `lag` hops before. Ordered by hop, then placement: never by who was first."""
        told = self._of_all("minima", history.minima_of, walker)
        may = [
            one.id
            for one in told
            if one.hop < walker.hop and (one.walker_id == walker.id or one.hop <= walker.hop - lag)
        ]
        every: dict[int, KnownMinimum] = self._once(("known", walker.job_id, walker.member), dict)
        if new := [one for one in may if one not in every]:
            every.update(self.memory.minima(self.session, new))
        return [every[one] for one in may]

    def best_by_round(self, walker: Walker, last: int) -> list[float]:
        """Lowest bare energy (eV) of sound minima found by the job's walkers of this member in rounds 0..k, for k <= last."""
        lowest: dict[int, float] = self._of_all("best", history.best_of, walker)
        return history.best_so_far(lowest, last)

    def first_candidates(self, walker: Walker) -> list[Candidate | None]:
        """What the relaxations of the job's placements found with the walker's member, by placement; None where one failed."""
        return history.first_candidates(self.session, walker.job_id, walker.member)

    def _of_all(
        self, what: str, read: Callable[[Session, Collection[UUID], str], dict[UUID, Found]], walker: Walker
    ) -> Found:
        """Of the walker's job, read for all jobs of this claim at once."""
        jobs = self._together.get(walker.member, set()) | {walker.job_id}
        found = self._once((what, walker.member, frozenset(jobs)), lambda: read(self.session, jobs, walker.member))
        return found[walker.job_id]

    def _once(self, key: tuple[Any, ...], read: Callable[[], Found]) -> Found:
        if key not in self._read:
            self._read[key] = read()
        found: Found = self._read[key]
        return found
