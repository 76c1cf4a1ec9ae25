"""Forwards on a thread of their own: while one runs, the walks of the one before think, and the next is made ready."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from services.forces.batch import Batch, Evaluated
from services.forces.engine import Engine

AHEAD = 2
"""Forwards that are given to the device at once: one that runs, and one that follows it without a pause."""
_THINKS_LONG = 0.05
"""Share of a forward, beyond which the next one is made ready from walks of its own while this one's think."""


@dataclass(frozen=True, eq=False)
class Flight:
    """A forward that was given to the device."""

    member: str
    engine: Engine
    batch: Batch
    future: Future[Evaluated]


class Device:
    """One forward after the other. batch_walks: most walks of one."""

    def __init__(self, batch_walks: int) -> None:
        self._batch_walks = batch_walks
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="device")
        self._flights: deque[Flight] = deque()
        self._thought: dict[str, float] = {}

    @property
    def futures(self) -> list[Future[Evaluated]]:
        return [flight.future for flight in self._flights]

    @property
    def free(self) -> bool:
        """Whether it would take another forward."""
        return len(self._flights) < AHEAD

    def send(self, member: str, engine: Engine) -> bool:
        """Give it the engine's next forward, unless it is better to wait for the walks that are on their way. Returns whether."""
        batches = [flight.batch for flight in self._flights if flight.engine is engine]
        most, walks, atoms = self._batch_walks, sum(map(len, batches)), sum(batch.atoms for batch in batches)
        if atoms and engine.batch_atoms is not None:  # memory may hold fewer
            most = min(most, max(1, engine.batch_atoms * walks // atoms))
        if not _pays(engine.waiting(), walks, most, self.thought(member)):
            return False
        batch = engine.take()
        if batch is None:
            return False
        self._flights.append(Flight(member, engine, batch, self._thread.submit(engine.evaluate, batch)))
        return True

    def landed(self) -> Flight | None:
        """The forward that is answered first, where it is."""
        return self._flights[0] if self._flights and self._flights[0].future.done() else None

    def forget(self, flight: Flight, thought_s: float | None = None) -> None:
        """It has been seen to. thought_s: how long its walks thought."""
        self._flights.remove(flight)
        if thought_s is not None and (took_s := flight.future.result().took_s) > 0:
            self._thought[flight.member] = 0.8 * self.thought(flight.member) + 0.2 * thought_s / took_s

    def thought(self, member: str) -> float:
        """How long walks of this member think, as a share of the forward before it."""
        return self._thought.get(member, 0.0)

    def holds(self, member: str) -> int:
        """Walks of a member that are held: one forward's, and some that take the places of those that end; as many again where walks
        think for long."""
        return self._batch_walks + max(1, self._batch_walks // (1 if self.thought(member) > _THINKS_LONG else 4))

    def close(self) -> None:
        """Wait for the forward that runs; what comes of it is nobody's any more."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._flights.clear()


def _pays(waiting: int, on_their_way: int, most: int, thought: float) -> bool:
    """Where a forward costs the same whatever its size, two half ones take twice as long as a full one; what they save is the time
    that walks think, during which the device would wait. most: walks of one forward."""
    if not waiting:
        return False
    walks = waiting + on_their_way
    return not on_their_way or walks * (1 + thought) > 2 * min(most, walks)
