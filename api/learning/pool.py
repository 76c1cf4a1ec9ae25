"""A process that learns limits (shared.children). It starts when it is first needed."""

from __future__ import annotations

from typing import Any

from shared.children.pool import Kind, Lost, Pool
from shared.errors import InvalidInput
from shared.structures import Floats, Integers

_KIND = Kind(
    name="learner",
    module="api.learning.child",
    time_limit_s=60.0,
    cpu_s=60,
    memory_bytes=1_000_000_000,
    queue_limit_s=10.0,
    niceness=10,  # the process that answers everybody goes first
    busy="other limits are being learned just now; try again shortly",
    most_waiting=2,  # each holds one of the threads that answer requests
)


class Learners:
    """One process, used by any thread."""

    def __init__(self) -> None:
        self._pool = Pool(_KIND, size=1)

    def learn(
        self, spreads: Floats, errors: Floats, systems: Integers, *, share: float, error: float
    ) -> dict[str, Any]:
        """The fields of a services.evaluation.calibration.Calibration, as JSON has them. spreads, errors: eV [n]; systems: which one
        each is of [n]. share, error: of the target. Raises InvalidInput for too few, or more than a request can wait for, and
        Unavailable where others are being learned."""
        request = {
            "spreads": spreads.tolist(),
            "errors": errors.tolist(),
            "systems": systems.tolist(),
            "share": share,
            "error": error,
        }
        try:
            found: dict[str, Any] = self._pool.ask(request)
        except Lost as lost:
            raise InvalidInput(
                f"{len(spreads)} candidates are more than a limit can be learned from while a request waits: use "
                "adhop-evaluate, which takes its time",
                field="members",
            ) from lost
        return found

    def close(self) -> None:
        """End the process; what is being learned is given up."""
        self._pool.close()
