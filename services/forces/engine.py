"""Many walks, one potential: gathers what they want, evaluates it in batches, hands the answers back.

Walks may be added and dropped at any time, so a batch never waits for its slowest member. An error of one walk ends that walk.
Where walks have several owners these take turns by device time: a small system is not evaluated at the pace of a large one. Which
walks share a forward changes no result; each walk's own evaluations come in their order.

`step` does all of it in one call. Whoever wants the device to go on while walks think calls its parts: `begin`, `take` a batch,
`evaluate` it, on another thread if need be, and `answer` it; several batches may be on their way, each with walks of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from numpy.linalg import LinAlgError

from services.forces.answers import answers, reply
from services.forces.batch import Batch, Evaluated
from services.forces.batch_limit import BatchLimit
from services.forces.outcome import Cost as Cost
from services.forces.outcome import Outcome as Outcome
from services.forces.pace import Pace
from services.forces.potential import Answer, Evaluation, Potential, Request, Walk
from services.forces.shares import Shares
from shared.errors import Diverged, Failure, OutOfMemory
from shared.structures import Structure

T = TypeVar("T")

TURN_S = 1.0
"""Longest forward, as far as can be foreseen, while another owner's walks wait; one walk goes whatever it takes."""


@dataclass
class _Running:
    walk: Walk[Any]
    owner: Hashable
    wants: Request | None = None
    """None before it has begun, and while a batch with its request is on its way."""
    asked: Request | None = None
    """Of the batch on its way."""
    started: bool = False
    device_s: float = 0.0
    force_calls: int = 0
    served: int = 0
    """How many batches had been taken when it was last in one."""

    @property
    def atoms(self) -> int:
        return 0 if self.wants is None else len(self.wants.structure)

    @property
    def cost(self) -> Cost:
        return Cost(self.device_s, self.force_calls)


class Engine:
    """Drives walks on one potential. batch_atoms: most atoms of one forward at first; None leaves batches whole.
    most_batch_atoms: what that may grow to. batch_walks: most walks of one forward. shares: of the owners, where
    several engines use one device. clock: seconds, by which forwards are measured; without one they count as nothing."""

    def __init__(
        self,
        potential: Potential,
        *,
        batch_atoms: int | None = None,
        most_batch_atoms: int | None = None,
        batch_walks: int | None = None,
        shares: Shares | None = None,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._potential = potential
        self._limit = BatchLimit(batch_atoms, most_batch_atoms)
        self._batch_walks = batch_walks
        self._shares = Shares() if shares is None else shares
        self._clock = clock
        self._pace = Pace()
        self._taken = 0
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
        ended = self.begin()
        keys = self._next()
        while keys:
            batch = self._batch(keys)
            keys = keys[len(batch) :]
            ended += self.answer(batch, self.evaluate(batch))
        return ended

    def begin(self, most: int | None = None) -> list[Outcome]:
        """Have new walks, so many at most, say what they want; those that ended at once are returned and forgotten."""
        new = self._new()[:most]
        return [outcome for key in new if (outcome := self._start(key)) is not None]

    def new(self) -> int:
        """Walks that have not begun."""
        return len(self._new())

    def _new(self) -> list[Hashable]:
        return [key for key, running in self._walks.items() if not running.started]

    def waiting(self) -> int:
        """Walks that wait for a forward."""
        return sum(running.wants is not None for running in self._walks.values())

    def take(self) -> Batch | None:
        """The next forward: of the walks that wait, those whose turn it is. They wait no more until it is answered."""
        keys = self._next()
        return self._batch(keys) if keys else None

    def evaluate(self, batch: Batch) -> Evaluated:
        """The potential's answer. Touches no walk: another thread may call this while walks are added, answered and dropped."""
        began = self._clock()
        evaluations = self._evaluate([request.structure for request in batch.requests])
        return Evaluated(evaluations, self._clock() - began)

    def answer(self, batch: Batch, given: Evaluated) -> list[Outcome]:
        """Advance the walks of a batch; those that ended are returned and forgotten. One that was dropped meanwhile is left out."""
        self._pace.learn(batch.atoms, given.took_s)
        each_s = given.took_s / batch.atoms
        came = list(zip(batch.keys, batch.requests, given.evaluations, strict=True))
        there = [one for one in came if self._asked(one[0], one[1])]
        sound = [(request, found) for _, request, found in there if not isinstance(found, OutOfMemory)]
        replies = iter(answers([request for request, _ in sound], [found for _, found in sound]))
        ended = []
        for key, request, found in there:
            running = self._walks[key]
            running.force_calls += 1
            self._spend(running, each_s * len(request.structure))
            outcome = self._resume(key, found if isinstance(found, OutOfMemory) else next(replies))
            if outcome is not None:
                ended.append(outcome)
        return ended

    def _asked(self, key: Hashable, request: Request) -> bool:
        """Whether the walk is still there that this was asked by."""
        running = self._walks.get(key)
        return running is not None and running.asked is request

    def _start(self, key: Hashable) -> Outcome | None:
        self._walks[key].started = True
        return self._resume(key, None)

    def _resume(self, key: Hashable, given: Answer | Failure | None) -> Outcome | None:
        """The device waits for a walk that thinks: that counts as its owner's time too."""
        running, began = self._walks[key], self._clock()
        running.asked = None
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

    def _spend(self, running: _Running, seconds: float) -> None:
        self._shares.charge(running.owner, seconds)
        running.device_s += seconds

    def _next(self) -> list[Hashable]:
        """Keys whose turn it is, those first that have waited longest. With several owners: one forward of whoever had least time,
        and of the others' walks those that fit in beside it without its taking as many times as long as there are owners: by itself
        it would come up no more often."""
        waiting = [key for key, running in self._walks.items() if running.wants is not None]
        waiting.sort(key=lambda key: self._walks[key].served)
        owners = self._shares.in_turn(dict.fromkeys(self._walks[key].owner for key in waiting))
        if len(owners) < 2:
            return waiting
        first = self._cut([key for key in waiting if self._walks[key].owner == owners[0]], TURN_S, at_least=1)
        taken = sum(self._walks[key].atoms for key in first)
        others = [key for owner in owners[1:] for key in waiting if self._walks[key].owner == owner]
        until_s = min(TURN_S, len(owners) * self._pace.seconds(taken)) if self._pace.known else 0.0
        chosen = {*first, *self._cut(others, until_s, at_least=0, beside=taken)}
        return [key for key in waiting if key in chosen]

    def _cut(self, keys: list[Hashable], until_s: float, *, at_least: int, beside: int = 0) -> list[Hashable]:
        """As many as fit into a forward that takes so long, beside those atoms that are in it already; before the first forward, by
        which it is known how long they take, as few as can be."""
        most = self._pace.atoms_in(until_s)
        left = (most if self.batch_atoms is None else min(most, self.batch_atoms)) - beside
        taken: list[Hashable] = []
        for key in keys:
            if self._walks[key].atoms <= left or len(taken) < at_least:
                taken.append(key)
                left -= self._walks[key].atoms
        return taken

    def _batch(self, keys: list[Hashable]) -> Batch:
        """The first of these keys, as many as one forward holds; at least one."""
        batch, atoms = Batch([], []), 0
        self._taken += 1
        for key in keys[: self._batch_walks]:
            running = self._walks[key]
            if running.wants is None or (batch.keys and self._exceeds(atoms + running.atoms)):
                break
            batch.keys.append(key)
            batch.requests.append(running.wants)
            atoms += running.atoms
            running.asked, running.wants, running.served = running.wants, None, self._taken
        return batch

    def _exceeds(self, atoms: int) -> bool:
        return self.batch_atoms is not None and atoms > self.batch_atoms

    def _evaluate(self, structures: Sequence[Structure]) -> list[Evaluation | OutOfMemory]:
        try:
            evaluations = self._potential.evaluate(structures)
        except OutOfMemory as failure:
            shortage = OutOfMemory(str(failure))
        else:
            self.force_calls += len(structures)
            self._limit.fits(sum(map(len, structures)))
            return list(evaluations)
        # A new failure, and outside the except block: the traceback would hold the tensors that there is no room for.
        if len(structures) == 1:
            return [shortage]
        self._limit.too_large(sum(map(len, structures)))
        half = len(structures) // 2
        return [*self._evaluate(structures[:half]), *self._evaluate(structures[half:])]


def run(walk: Walk[T], potential: Potential) -> T:
    """Drive one walk to its end."""
    try:
        wants = next(walk)
        while True:
            wants = reply(walk, wants, potential.evaluate([wants.structure])[0])
    except StopIteration as stop:
        result: T = stop.value
        return result
