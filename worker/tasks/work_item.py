"""What every item looks like to the task that runs it."""

from __future__ import annotations

from typing import Any, Protocol
from uuid import UUID

from services.forces.potential import Walk
from worker.queue.claims import Ending, Lease


class WorkItem(Protocol):
    """One claimed row: its lease, its walk, and what its result makes of it."""

    @property
    def lease(self) -> Lease: ...

    @property
    def job_ids(self) -> tuple[UUID, ...]:
        """Jobs to move on once the row has ended."""
        ...

    def walk(self) -> Walk[Any]:
        """The calculation, as a coroutine over evaluations."""
        ...

    def ending(self, result: Any) -> Ending:
        """What the row becomes by this result. Raises ScienceFailure."""
        ...
