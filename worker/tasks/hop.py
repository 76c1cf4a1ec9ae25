"""A hop of a walker: what it may know is read when it is claimed, what it found is written with the walker's new state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from sqlalchemy.orm import Session

from services.forces.potential import Walk
from services.forces.restraints import Restraints
from services.geometry import anomalies, reactions
from services.geometry.similarity import same
from services.search import as_given, hopping
from services.search.allocation import First, promising, share
from services.search.walker import Found, Hop, Minimum
from services.search.walker import Walker as WalkerState
from shared.database.repositories.structures import restore
from shared.database.tables import Candidate, Walker
from shared.database.workflow.new_work import Minimum as NewMinimum
from shared.database.workflow.new_work import Recipients
from shared.parameters import JobParameters
from shared.states import State, WalkerEnd
from shared.structures import Structure
from shared.submissions import Relax, StructuresSubmission, given_to
from worker.queue import claims
from worker.tasks import history
from worker.tasks.reading import Reading


@dataclass(frozen=True, eq=False)
class HopItem:
    """A hop that was claimed, with all that it may know."""

    lease: claims.Lease
    job_ids: tuple[UUID, ...]
    member: str
    parameters: JobParameters
    recipients: Recipients
    """Whom a new sound minimum goes to."""
    placement_id: int
    structure_id: int
    """Of the placement; what is found there differs from it in positions alone."""
    placement: Structure
    slab: Structure
    """The clean slab, as this member relaxed it."""
    walker: WalkerState
    known: list[history.KnownMinimum]
    share: int | None
    """Force calls that the walker may use in all; None without a budget."""
    ended: WalkerEnd | None
    """Why the walker stops before this hop, or None."""
    given: StructuresSubmission | None = None
    """Where the job was given its structures: each is a candidate then, and goes on whatever is found of it."""

    @classmethod
    def load(cls, reading: Reading, row: Walker) -> HopItem:
        job, parameters = reading.job(row.job_id), reading.parameters(row.job_id)
        if row.refines is not None:
            alone = parameters.hopping.model_copy(update={"hops": 0})
            parameters = parameters.model_copy(update={"hopping": alone})
        placed = reading.placement(row)
        placement = placed.structure
        walker = (
            hopping.begin(
                _start(reading.session, row, placement), parameters.hopping, _seed(parameters, row, placed.index)
            )
            if row.memory is None
            else WalkerState.from_document(row.memory, placement)
        )
        lag = parameters.hopping.lag
        # decided before the first escape; later hops ask again only to know their share of a budget
        asks = walker.hop == 1 or (walker.hop > 1 and parameters.max_force_calls is not None)
        allotted = _allotted(reading, row, parameters, len(job.search_members)) if asks else _Allotment()
        ended = allotted.ended
        in_time = row.refines is not None or (walker.hop == 0 and placed.index == 0)
        if not in_time and history.out_of_time(reading.session, job, parameters):
            ended = WalkerEnd.WALL_TIME
        best = reading.best_by_round(row, walker.hop - lag)
        return cls(
            lease=claims.lease_of(row),
            job_ids=(row.job_id,),
            member=row.member,
            parameters=parameters,
            recipients=Recipients(
                refine=() if row.refines is not None else job.refine_members, score=job.score_members
            ),
            placement_id=row.placement_id,
            structure_id=placed.structure_id,
            placement=placement,
            slab=reading.clean_slab(row.job_id, row.member),
            walker=walker,
            known=reading.known_minima(row, lag),
            share=allotted.force_calls,
            ended=ended or hopping.ended(walker, best, parameters, allotted.force_calls),
            given=given_to(job.submission),
        )

    def walk(self) -> Walk[Hop | None]:
        if self.ended is not None:
            return None
        judge = partial(anomalies.find, self.placement, clean_slab=self.slab)
        if self.given is not None and self.given.relax is not Relax.SEARCH:
            return (yield from as_given.look(self.walker, judge))
        settings = self.parameters.restraints
        restraints = Restraints.build(self.placement, self.slab, settings) if settings.enabled else None
        known = [Minimum(one.structure, one.energy) for one in self.known]
        return (yield from hopping.hop(self.walker, known, restraints, self.parameters, judge))

    def found(self, result: Hop | None) -> Candidate | None:
        """The candidate to store, if any; to be flushed before `minima` are passed on, and these before the row ends."""
        return None if result is None or result.found is None else self._candidate(result.found)

    def minima(self, result: Hop | None, candidate: Candidate | None) -> list[NewMinimum]:
        """What other members are asked about: a distinct sound minimum, or whatever was given."""
        if candidate is None or result is None or result.found is None:
            return []
        new = candidate.duplicate_of is None and result.found.sound(self.parameters.selection)
        if not new and self.given is None:
            return []
        return [NewMinimum(candidate, self.placement_id, self.recipients)]

    def ending(self, result: Hop | None) -> claims.Ending:
        if result is None:
            return claims.Ending(State.SUCCEEDED, {"ended_because": self.ended})
        reason = hopping.ended(result.walker, (), self.parameters, self.share)
        values = {
            "hop": result.walker.hop,
            "memory": result.walker.to_document(),
            "force_calls": result.walker.force_calls,
            "ended_because": reason,
        }
        return claims.Ending(State.QUEUED if reason is None else State.SUCCEEDED, values)

    def _candidate(self, found: Found) -> Candidate:
        return Candidate(
            job_id=self.job_ids[0],
            walker_id=self.lease.id,
            hop=self.walker.hop,
            member=self.member,
            structure_id=self.structure_id,
            positions=found.structure.positions,
            energy=found.energy,
            fmax=found.fmax,
            converged=found.converged,
            anomalies=list(found.anomalies),
            site=reactions.describe(found.structure, reactions.pre_adsorbates(self.placement)),
            accepted=found.accepted,
            temperature_k=found.temperature_k,
            force_calls=found.force_calls,
            duplicate_of=self._known_as(found),
        )

    def _known_as(self, found: Found) -> int | None:
        """The earliest known candidate that is the same minimum, with the same anomalies: labels depend on the placement."""
        here = Minimum(found.structure, found.energy)
        alike = (one for one in self.known if one.anomalies == found.anomalies)
        return next((one.candidate_id for one in alike if same(here, one, self.parameters.similarity)), None)


def _start(session: Session, row: Walker, placement: Structure) -> Structure:
    """The placement, or the candidate that is relaxed again."""
    if row.refines is None:
        return placement
    return placement.moved(session.get_one(Candidate, row.refines).positions)


@dataclass(frozen=True)
class _Allotment:
    """What the job grants a walker past its first relaxation."""

    force_calls: int | None = None
    """That it may use in all; None where there is no budget."""
    ended: WalkerEnd | None = None
    """Why it goes no further, if so."""


def _allotted(reading: Reading, row: Walker, parameters: JobParameters, n_members: int) -> _Allotment:
    firsts, going = reading.memory.of(lambda: _gone_on(reading, row, parameters), "going", row.job_id, row.member)
    index = reading.placement(row).index
    budget = parameters.max_force_calls
    allotted = None if budget is None else share(budget, n_members, firsts, going, index)
    return _Allotment(allotted, None if index in going else WalkerEnd.NOT_PROMISING)


def _gone_on(reading: Reading, row: Walker, parameters: JobParameters) -> tuple[Sequence[First | None], Sequence[int]]:
    """What the placements led to, and which of them are hopped from: nobody asks before all are relaxed, so it stays as it is."""
    firsts = [None if one is None else _first(one, parameters) for one in reading.first_candidates(row)]
    return firsts, promising(firsts, parameters)


def _first(row: Candidate, parameters: JobParameters) -> First:
    minimum = Minimum(restore(row.structure, row.positions), row.energy)
    sound = row.sound(include_anomalous=parameters.selection.include_anomalous)
    return First(minimum, sound, row.force_calls)


def _seed(parameters: JobParameters, row: Walker, index: int) -> tuple[int, ...]:
    """Job seed, placement, and the member's name as a number: nothing that depends on when or where the walker runs."""
    name = int.from_bytes(row.member.encode()[:32], "big")
    return (parameters.seed, index, name)
