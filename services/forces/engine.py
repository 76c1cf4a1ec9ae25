"""Many walks, one potential: gathers what they want, evaluates it in batches, hands the answers back.

Walks may be added and dropped between steps, so a batch never waits for its slowest member. An error of one walk ends that walk.
Where walks have several owners these take turns by device time: a small system is not evaluated at the pace of a large one. Which
walks share a forward changes no result; each walk's own evaluations come in their order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any, TypeVar

from numpy.linalg import LinAlgError

from services.forces.answers import answers, reply
from services.forces.batch_limit import BatchLimit
from services.forces.potential import Answer, Potential, Request, Walk
from services.forces.shares import Shares
from shared.errors import Diverged, Failure, OutOfMemory

T = TypeVar("T")

TURN_S = 1.0
"""Longest forward, as far as can be foreseen, while another owner's walks wait; one walk goes whatever it takes."""


@dataclass(frozen=True)
class Cost:
    """What a walk has taken."""

    device_s: float = 0.0
    """Its part of the forwards that it was in, by atoms, and its own time between them, s."""
    force_calls: int = 0


@dataclass(frozen=True)
class Outcome:
    """How a walk ended."""

    key: Hashable
    """As it was added with."""
    result: Any | None
    """What the walk returned; None where it failed."""
    error: Failure | None
    """What ended it, or None."""
    cost: Cost = Cost()


@dataclass
class _Running:
    walk: Walk[Any]
    owner: Hashable
    wants: Request | None = None
    started: bool = False
    cost: Cost = Cost()
    served: int = 0
    """The step that it was last evaluated in."""

    @property
    def atoms(self) -> int:
        return 0 if self.wants is None else len(self.wants.structure)


class Engine:
    """Drives walks on one potential. batch_atoms: most atoms of one forward at first; None leaves batches whole.
    most_batch_atoms: what that may grow to. shares: of the owners, where
    several engines use one device. clock: seconds, by which forwards are measured; without one they count as nothing."""

    def __init__(
        self,
        potential: Potential,
        *,
        batch_atoms: int | None = None,
        most_batch_atoms: int | None = None,
        shares: Shares | None = None,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._potential = potential
        self._limit = BatchLimit(batch_atoms, most_batch_atoms)
        self._shares = Shares() if shares is None else shares
        self._clock = clock
        self._atom_s: float | None = None
        """Of the last forward, and of what its walks did with it, for each atom."""
        self._steps = 0
        self._walks: dict[Hashable, _Running] = {}
        self.force_calls = 0

    def __len__(self) -> int:
        return len(self._walks)

    def keys(self) -> list[Hashable]:
        return list(self._walks)

    @property
    def batch_atoms(self) -> int | None:
        """Most atoms of one forward, as given or as learned from batches that didn't fit."""
        return self._limit.atoms

    def owners(self) -> Counter[Hashable]:
        """How many walks each owner has here."""
        return Counter(running.owner for running in self._walks.values())

    def turn_s(self) -> float:
        """Device time of the owner whose turn it is here, s: of several engines, the one where it is least goes next."""
        return min((self._shares.spent_s(owner) for owner in self.owners()), default=0.0)

    def add(self, key: Hashable, walk: Walk[Any], owner: Hashable = None) -> None:
        """Take in a walk; its first structure is asked for at the next step. Keys are unique."""
        if key in self._walks:
            raise KeyError(f"{key!r} is in the engine already")
        self._walks[key] = _Running(walk, owner)
        self._shares.enter(owner)

    def drop(self, key: Hashable) -> Cost:
        """Forget a walk; unknown keys are fine. Returns what it has taken."""
        running = self._walks.pop(key, None)
        if running is None:
            return Cost()
        running.walk.close()
        self._shares.leave(running.owner)
        return running.cost

    def step(self) -> list[Outcome]:
        """Evaluate what the walks want whose turn it is, once, and advance them; the walks that ended are returned and forgotten.
        While all are of one owner that is every walk."""
        self._steps += 1
        ended = [outcome for key in self.keys() if (outcome := self._start(key)) is not None]
        for keys in self._batches(self._next()):
            began, atoms = self._clock(), sum(self._walks[key].atoms for key in keys)
            answered = self._evaluate(keys)
            self._charge(keys, self._clock() - began)
            for key, given in zip(keys, answered, strict=True):
                outcome = self._resume(key, given)
                if outcome is not None:
                    ended.append(outcome)
            self._atom_s = (self._clock() - began) / atoms
        return ended

    def _start(self, key: Hashable) -> Outcome | None:
        running = self._walks[key]
        if running.started:
            return None
        running.started = True
        return self._resume(key, None)

    def _resume(self, key: Hashable, given: Answer | Failure | None) -> Outcome | None:
        """The device waits for a walk that thinks: that counts as its owner's time too."""
        running, began = self._walks[key], self._clock()
        outcome = self._advance(key, running, given)
        self._spend(running, self._clock() - began)
        return None if outcome is None else self._end(key, replace(outcome, cost=running.cost))

    def _advance(self, key: Hashable, running: _Running, given: Answer | Failure | None) -> Outcome | None:
        try:
            if given is None:
                running.wants = next(running.walk)
            elif isinstance(given, Failure):
                running.wants = running.walk.throw(given)
            else:
                running.wants = running.walk.send(given)
        except StopIteration as stop:
            return Outcome(key, stop.value, None)
        except Failure as failure:
            return Outcome(key, None, failure)
        except (LinAlgError, FloatingPointError, ZeroDivisionError) as error:
            return Outcome(key, None, Diverged(f"numbers ran away: {error}"))
        return None

    def _end(self, key: Hashable, outcome: Outcome) -> Outcome:
        self._shares.leave(self._walks.pop(key).owner)
        return outcome

    def _spend(self, running: _Running, seconds: float, force_calls: int = 0) -> None:
        self._shares.charge(running.owner, seconds)
        running.cost = Cost(running.cost.device_s + seconds, running.cost.force_calls + force_calls)

    def _next(self) -> list[Hashable]:
        """Keys whose turn it is, in the order they came. With several owners: one forward of whoever had least time, and of the
        others' walks those that fit in beside it without doubling it."""
        waiting = [key for key, running in self._walks.items() if running.wants is not None]
        owners = self._shares.in_turn(dict.fromkeys(self._walks[key].owner for key in waiting))
        if len(owners) < 2:
            return waiting
        most = self._forward_atoms()
        first = self._cut([key for key in waiting if self._walks[key].owner == owners[0]], most, at_least=1)
        taken = sum(self._walks[key].atoms for key in first)
        others = [key for owner in owners[1:] for key in waiting if self._walks[key].owner == owner]
        chosen = {*first, *self._cut(others, min(taken, most - taken), at_least=0)}
        return [key for key in waiting if key in chosen]

    def _forward_atoms(self) -> float:
        """Atoms of a forward of `TURN_S`, by how long the last one took; before the first, as few as can be."""
        if self._atom_s is None:
            return 0
        in_time = TURN_S / self._atom_s if self._atom_s > 0 else inf
        return in_time if self.batch_atoms is None else min(in_time, self.batch_atoms)

    def _cut(self, keys: list[Hashable], most_atoms: float, *, at_least: int) -> list[Hashable]:
        """As many as fit, those first that have waited longest."""
        taken: list[Hashable] = []
        left = most_atoms
        for key in sorted(keys, key=lambda key: self._walks[key].served):
            if self._walks[key].atoms <= left or len(taken) < at_least:
                taken.append(key)
                left -= self._walks[key].atoms
        return taken

    def _charge(self, keys: list[Hashable], took_s: float) -> None:
        """Share out the time of a forward by atoms."""
        atoms = sum(self._walks[key].atoms for key in keys)
        for running in (self._walks[key] for key in keys):
            self._spend(running, took_s * running.atoms / atoms, force_calls=1)
            running.served = self._steps

    def _batches(self, keys: list[Hashable]) -> Iterator[list[Hashable]]:
        """Keys cut where the next structure would exceed the batch."""
        batch: list[Hashable] = []
        atoms = 0
        for key in keys:
            more = self._walks[key].atoms
            if batch and self.batch_atoms is not None and atoms + more > self.batch_atoms:
                yield batch
                batch, atoms = [], 0
            batch.append(key)
            atoms += more
        if batch:
            yield batch

    def _evaluate(self, keys: list[Hashable]) -> Sequence[Answer | Failure]:
        requests = [wants for key in keys if (wants := self._walks[key].wants) is not None]
        structures = [request.structure for request in requests]
        try:
            evaluations = self._potential.evaluate(structures)
        except OutOfMemory as failure:
            shortage = OutOfMemory(str(failure))
        else:
            self.force_calls += len(structures)
            self._limit.fits(sum(map(len, structures)))
            return answers(requests, evaluations)
        # A new failure, and outside the except block: the traceback would hold the tensors that there is no room for.
        if len(keys) == 1:
            return [shortage]
        self._limit.too_large(sum(map(len, structures)))
        half = len(keys) // 2
        return [*self._evaluate(keys[:half]), *self._evaluate(keys[half:])]


def run(walk: Walk[T], potential: Potential) -> T:
    """Drive one walk to its end."""
    try:
        wants = next(walk)
        while True:
            wants = reply(walk, wants, potential.evaluate([wants.structure])[0])
    except StopIteration as stop:
        result: T = stop.value
        return result
