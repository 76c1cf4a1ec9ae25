"""What every item looks like to the task that runs it."""

from __future__ import annotations

from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from services.forces.potential import Walk
from worker.queue.claims import Lease


class WorkItem(Protocol):
    """One claimed row: its lease, its walk, and how its result is stored."""

    @property
    def lease(self) -> Lease: ...

    @property
    def job_ids(self) -> tuple[UUID, ...]:
        """Jobs to move on once the row has ended."""
        ...

    def walk(self) -> Walk[Any]:
        """The calculation, as a coroutine over evaluations."""
        ...

    def store(self, session: Session, result: Any) -> None:
        """Write the result, fenced by the lease. Raises LostLease, ScienceFailure."""
        ...
