"""How large a forward may be: halved where one didn't fit the device, and tried larger again where many have fitted.

Atoms are what is counted, and memory follows bonds and angles too: one learned from dense structures is too low for others, and one
learned while somebody else filled the device too low for later. So no limit is for good, and one that is too high costs a forward.
"""

from __future__ import annotations

from dataclasses import dataclass

GROW_AFTER = 50
"""Forwards near the limit that must fit before a larger one is tried; twice as many after each that didn't."""


@dataclass
class BatchLimit:
    """Most atoms of one forward."""

    atoms: int | None = None
    """As learned, or allowed; None while every batch fitted."""
    allowed: int | None = None
    """Whatever fits, never more than this."""
    _patience: int = GROW_AFTER
    _fitted: int = 0

    def too_large(self, atoms: int) -> None:
        """A forward of this many didn't fit."""
        self.atoms = max(1, atoms // 2)
        self._patience, self._fitted = 2 * self._patience, 0

    def fits(self, atoms: int) -> None:
        """A forward of this many was answered. One that is far below the limit tells nothing."""
        if self.atoms is None or 4 * atoms < 3 * self.atoms:
            return
        self._fitted += 1
        if self._fitted >= self._patience:
            grown = self.atoms + max(1, self.atoms // 4)
            self.atoms, self._fitted = grown if self.allowed is None else min(grown, self.allowed), 0
