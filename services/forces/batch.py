"""A forward: which walks' requests go into it, and what came of it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from services.forces.potential import Evaluation, Request
from shared.errors import OutOfMemory


@dataclass(frozen=True, eq=False)
class Batch:
    """What goes into one forward."""

    keys: list[Hashable]
    requests: list[Request]
    """What these walks want."""

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def atoms(self) -> int:
        return sum(len(request.structure) for request in self.requests)


@dataclass(frozen=True, eq=False)
class Evaluated:
    """What came of a batch."""

    evaluations: list[Evaluation | OutOfMemory]
    """One for each walk."""
    took_s: float
