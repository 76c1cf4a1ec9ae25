"""Who is answered at the same time: so many requests of each kind, in all and of one user."""

from __future__ import annotations

import re
import time
from collections.abc import Hashable

from api.door.turns import Turns

_PATIENCE_S = 30.0
_BUSY = "the server answers other requests of yours, or of others, just now; try again shortly"
_SUBMITTING = (("POST", "/v1/jobs"), ("POST", "/v1/jobs:batch"))
_SHOWN = re.compile(r"/v1/systems|/v1/jobs/[^/]+/system")
_LARGE = re.compile(r"/v1/jobs/[^/]+/(candidates|minima|dft-inputs|selections.*)|/v1/calibrations.*")


class Places:
    """How many requests of each kind are answered at a time, in all and of one user. Each holds a thread of the 40 that routes have,
    and most a connection of the 20 to the database."""

    def __init__(self) -> None:
        self.uploads = self._turns(64, 8)
        self.shown = self._turns(2, 1)
        """Those that a placer works out: as many as there are."""
        self.submitted = self._turns(4, 1)
        """Those whose texts are read: one user leaves a parser to the others."""
        self.large = self._turns(4, 1)
        self.others = self._turns(12, 2)

    @staticmethod
    def _turns(places: int, per_user: int) -> Turns:
        return Turns(places, per_user, patience_s=_PATIENCE_S, busy=_BUSY)

    def of(self, method: str, path: str) -> Turns:
        if _SHOWN.fullmatch(path):
            return self.shown
        if _LARGE.fullmatch(path):
            return self.large
        return self.submitted if (method, path) in _SUBMITTING else self.others


class Recent:
    """Who asked of late."""

    _S = 3.0

    def __init__(self) -> None:
        self._seen: dict[Hashable, float] = {}

    def beside_others(self, user: Hashable) -> bool:
        """Note this user; returns whether there are others, beside whom they take half of the time of each of their places."""
        now = time.monotonic()
        self._seen.pop(user, None)
        others = next(reversed(self._seen.values()), -self._S)
        self._seen[user] = now
        if len(self._seen) > 1000:
            self._seen = {one: at for one, at in self._seen.items() if now - at < self._S}
        return now - others < self._S
