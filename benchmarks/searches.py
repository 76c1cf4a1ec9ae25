"""The methods under comparison, each as a list of what it found and after how many force calls.

Walkers advance round by round as the service's do, and share what they know with the same lag; calls are those of all walkers
together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from services.forces.engine import run
from services.forces.potential import Potential
from services.forces.restraints import Restraints
from services.geometry import anomalies
from services.geometry.similarity import same
from services.search import hopping
from services.search.allocation import First, promising
from services.search.curvature import model_hessian
from services.search.minimisation import relax
from services.search.walker import Found, Minimum
from shared.errors import Failure
from shared.parameters import JobParameters
from shared.structures import Structure


@dataclass(frozen=True, eq=False)
class Event:
    """A minimum, relaxed at last without restraints."""

    calls: int
    """Of the whole search when it was found."""
    structure: Structure
    energy: float
    """Bare, eV."""
    converged: bool
    start: int
    """Index of its start."""


@dataclass(frozen=True, eq=False)
class Search:
    """What a search found, and what it cost."""

    events: list[Event]
    calls: int
    """Force calls in all."""
    hops: int
    hop_calls: int
    """Force calls of hops (not of the starts' own relaxations)."""
    without_minimum: int = 0
    """Hops that found no converged minimum."""
    without_call: int = 0
    """Hops that cost no force call."""


def clean_slab(potential: Potential, slab: Structure) -> Structure:
    """The relaxed clean slab."""
    return run(relax(slab, fmax=0.02, max_steps=300, hessian=model_hessian(slab), damped=True), potential).structure


def adhop(
    potential: Potential, starts: Sequence[Structure], slab: Structure, parameters: JobParameters, budget: int
) -> Search:
    """Constrained minima hopping from all starts until the budget of force calls is spent. With hops = 0: relaxations only."""
    settings = parameters.restraints
    restraints = [Restraints.build(start, slab, settings) if settings.enabled else None for start in starts]
    walkers = [hopping.begin(start, parameters.hopping, (parameters.seed, index)) for index, start in enumerate(starts)]
    found: list[tuple[int, int, Found]] = []
    events: list[Event] = []
    calls = first_calls = hops = without_minimum = without_call = 0
    going = set(range(len(starts)))
    for turn in range(parameters.hopping.hops + 1):
        for index, walker in enumerate(walkers):
            if index not in going:
                continue
            if calls >= budget:
                return Search(events, calls, hops, calls - first_calls, without_minimum, without_call)
            known = list(_known(found, index, turn, parameters))
            try:
                judge = partial(anomalies.find, starts[index], clean_slab=slab)
                hop = run(hopping.hop(walker, known, restraints[index], parameters, judge), potential)
            except Failure:
                continue
            walkers[index] = hop.walker
            calls += hop.walker.force_calls - walker.force_calls
            if turn:
                hops += 1
                without_minimum += hop.found is None or not hop.found.converged
                without_call += hop.walker.force_calls == walker.force_calls
            if hop.found is not None:
                found.append((turn, index, hop.found))
                one = hop.found
                events.append(Event(calls, one.structure, one.energy, one.converged, index))
        if turn == 0:
            first_calls = calls
            going = set(promising(_firsts(found, len(starts), parameters), parameters))
    return Search(events, calls, hops, calls - first_calls, without_minimum, without_call)


def _firsts(found: Sequence[tuple[int, int, Found]], n_starts: int, parameters: JobParameters) -> list[First | None]:
    firsts: list[First | None] = [None] * n_starts
    for _, index, one in found:
        firsts[index] = First(Minimum(one.structure, one.energy), one.sound(parameters.selection), one.force_calls)
    return firsts


def _known(
    found: Sequence[tuple[int, int, Found]], mine: int, turn: int, parameters: JobParameters
) -> Iterator[Minimum]:
    """As a walker of the service: its own minima, and those that others found `lag` rounds ago; each once."""
    distinct: list[Minimum] = []
    for when, whose, one in found:
        if one.converged and (whose == mine or when <= turn - parameters.hopping.lag):
            minimum = Minimum(one.structure, one.energy)
            if not any(same(minimum, other, parameters.similarity) for other in distinct):
                distinct.append(minimum)
                yield minimum
