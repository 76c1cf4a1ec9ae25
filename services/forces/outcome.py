"""How a walk ended, and what it has taken."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from shared.errors import Failure


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
