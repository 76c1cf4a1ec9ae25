"""Structures that a job is given to be scored. What they have in common stands in the job's submission, what they differ in here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.structures import Floats

_DOUBLES = "<f8"


@dataclass(frozen=True, eq=False)
class Given:
    """Their names and places."""

    labels: tuple[str, ...]
    """What each is called, no two alike [n]."""
    positions: Floats
    """Å [n, n_atoms, 3], atoms in the order given."""

    def __len__(self) -> int:
        return len(self.labels)

    def packed(self) -> bytes:
        """The positions, exact to the last bit."""
        return self.positions.astype(_DOUBLES).tobytes()

    @classmethod
    def unpacked(cls, labels: Sequence[str], packed: bytes) -> Given:
        """Inverse of `packed`."""
        positions = np.frombuffer(packed, dtype=_DOUBLES).astype(np.float64)
        return cls(tuple(labels), positions.reshape(len(labels), -1, 3))

    @property
    def digest(self) -> str:
        """SHA-256 of labels and positions."""
        hasher = hashlib.sha256("\0".join(self.labels).encode())
        hasher.update((self.positions + 0.0).astype(_DOUBLES).tobytes())  # -0.0 is 0.0
        return hasher.hexdigest()
