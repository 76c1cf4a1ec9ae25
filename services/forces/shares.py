"""Whose walks go into the next forward: those of whoever had least device time.

Who comes, or comes back, starts with as much as the least served of those who are there: what one didn't ask for isn't owed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable


class Shares:
    """Device time of the owners of walks, over all engines of one device."""

    def __init__(self) -> None:
        self._spent_s: dict[Hashable, float] = {}
        self._walks: Counter[Hashable] = Counter()

    def enter(self, owner: Hashable) -> None:
        """One of the owner's walks is there."""
        if not self._walks[owner]:
            there = [self._spent_s[one] for one, n in self._walks.items() if n]
            floor = min(there) if there else max(self._spent_s.values(), default=0.0)
            self._spent_s[owner] = max(self._spent_s.get(owner, 0.0), floor)
        self._walks[owner] += 1

    def leave(self, owner: Hashable) -> None:
        """One of the owner's walks has ended."""
        self._walks[owner] -= 1

    def charge(self, owner: Hashable, seconds: float) -> None:
        """The owner had so much device time."""
        self._spent_s[owner] += seconds

    def spent_s(self, owner: Hashable) -> float:
        """What an owner who is there counts as having had, s."""
        return self._spent_s[owner]

    def in_turn(self, owners: Iterable[Hashable]) -> list[Hashable]:
        """Those who had least first; of equals, as they come."""
        return sorted(owners, key=self.spent_s)
