"""Where the force calls go: all placements are relaxed, hops are spent on the distinct promising ones.

A relaxation of a fresh placement costs about as much as a hop and explores further; a hop from a low minimum finds what no
placement leads to. So each placement is relaxed once, and only the lowest distinct minima are hopped from. Decided once, when all
placements of a search member are relaxed, from nothing but what they found: the answer depends on input and seed alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.geometry.similarity import same
from services.search.walker import Minimum
from shared.parameters import JobParameters


@dataclass(frozen=True, eq=False)
class First:
    """What the relaxation of a placement found."""

    minimum: Minimum
    sound: bool
    """Whether it may be chosen (shared.soundness)."""
    force_calls: int


def promising(firsts: Sequence[First | None], parameters: JobParameters) -> list[int]:
    """Indices of the placements to hop from, lowest first: distinct sound minima, at most `hopping.walkers`. Where none is
    sound, the lowest of the others: a hop may still reach a sound one. None stands for a relaxation that failed."""
    found = {index: first for index, first in enumerate(firsts) if first is not None}
    pool = {index: first for index, first in found.items() if first.sound} or found
    chosen: dict[int, Minimum] = {}
    for index in sorted(pool, key=lambda index: (pool[index].minimum.energy, index)):
        if len(chosen) == parameters.hopping.walkers:
            break
        here = pool[index].minimum
        if not any(same(here, other, parameters.similarity) for other in chosen.values()):
            chosen[index] = here
    return list(chosen)


def share(budget: int, n_members: int, firsts: Sequence[First | None], going: Sequence[int], index: int) -> int:
    """Force calls that the walker of placement `index` may use in all. Search members share the job's budget evenly; what a
    member's placements left of its part is shared evenly among those that go on."""
    spent = sum(first.force_calls for first in firsts if first is not None)
    own = firsts[index]
    left = max(0, budget // n_members - spent) // max(1, len(going))
    return (own.force_calls if own is not None else 0) + left
