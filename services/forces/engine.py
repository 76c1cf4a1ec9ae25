"""Many walks, one potential: gathers what they want, evaluates it in batches, hands the answers back.

Walks may be added and dropped between steps, so a batch never waits for its slowest member. An error of one walk ends that walk.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from numpy.linalg import LinAlgError

from services.forces.answers import answers, reply
from services.forces.potential import Answer, Potential, Request, Walk
from shared.errors import Diverged, Failure, OutOfMemory

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """How a walk ended."""

    key: Hashable
    """As it was added with."""
    result: Any | None
    """What the walk returned; None where it failed."""
    error: Failure | None
    """What ended it, or None."""


@dataclass
class _Running:
    walk: Walk[Any]
    wants: Request | None = None
    started: bool = False


class Engine:
    """Drives walks on one potential. batch_atoms: most atoms of one forward; None leaves batches whole."""

    def __init__(self, potential: Potential, *, batch_atoms: int | None = None) -> None:
        self._potential = potential
        self._batch_atoms = batch_atoms
        self._walks: dict[Hashable, _Running] = {}
        self.force_calls = 0

    def __len__(self) -> int:
        return len(self._walks)

    def keys(self) -> list[Hashable]:
        return list(self._walks)

    @property
    def batch_atoms(self) -> int | None:
        """Most atoms of one forward, as given or as learned from batches that didn't fit."""
        return self._batch_atoms

    def add(self, key: Hashable, walk: Walk[Any]) -> None:
        """Take in a walk; its first structure is asked for at the next step. Keys are unique."""
        if key in self._walks:
            raise KeyError(f"{key!r} is in the engine already")
        self._walks[key] = _Running(walk)

    def drop(self, key: Hashable) -> None:
        """Forget a walk; unknown keys are fine."""
        running = self._walks.pop(key, None)
        if running is not None:
            running.walk.close()

    def step(self) -> list[Outcome]:
        """Evaluate what every walk wants, once, and advance them all; the walks that ended are returned and forgotten."""
        ended = [outcome for key in self.keys() if (outcome := self._start(key)) is not None]
        for keys in self._batches():
            for key, given in zip(keys, self._evaluate(keys), strict=True):
                outcome = self._resume(key, given)
                if outcome is not None:
                    ended.append(outcome)
        return ended

    def _start(self, key: Hashable) -> Outcome | None:
        running = self._walks[key]
        if running.started:
            return None
        running.started = True
        return self._resume(key, None)

    def _resume(self, key: Hashable, given: Answer | Failure | None) -> Outcome | None:
        running = self._walks[key]
        try:
            if given is None:
                running.wants = next(running.walk)
            elif isinstance(given, Failure):
                running.wants = running.walk.throw(given)
            else:
                running.wants = running.walk.send(given)
        except StopIteration as stop:
            return self._end(key, Outcome(key, stop.value, None))
        except Failure as failure:
            return self._end(key, Outcome(key, None, failure))
        except (LinAlgError, FloatingPointError, ZeroDivisionError) as error:
            return self._end(key, Outcome(key, None, Diverged(f"numbers ran away: {error}")))
        return None

    def _end(self, key: Hashable, outcome: Outcome) -> Outcome:
        del self._walks[key]
        return outcome

    def _batches(self) -> Iterator[list[Hashable]]:
        """Keys in the order they came, cut where the next structure would exceed the batch."""
        batch: list[Hashable] = []
        atoms = 0
        for key in self.keys():
            wants = self._walks[key].wants
            if wants is None:
                continue
            if batch and self._batch_atoms is not None and atoms + len(wants.structure) > self._batch_atoms:
                yield batch
                batch, atoms = [], 0
            batch.append(key)
            atoms += len(wants.structure)
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
            return answers(requests, evaluations)
        # A new failure, and outside the except block: the traceback would hold the tensors that there is no room for.
        if len(keys) == 1:
            return [shortage]
        self._batch_atoms = max(1, sum(map(len, structures)) // 2)
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
