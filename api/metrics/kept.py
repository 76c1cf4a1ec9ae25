"""The numbers of a large database, told as they were last counted while they are counted anew.

Counting all walkers and energies takes the longer the more there are. Where there are few it is done for each answer; beyond, whoever
asks gets the last count, and has the next one begun, which the next one who asks finds. Workers are always looked at.
"""

from __future__ import annotations

import logging
import threading
import time

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from api.metrics.queries import Metric, counted, workers
from shared.database.session import Sessions

log = logging.getLogger(__name__)

MANY = 100_000
"""Rows, as PostgreSQL last estimated them."""
_REST = 10
"""Counting takes no more than this part of the time."""
_ROWS = text(
    "SELECT coalesce(sum(reltuples), 0) FROM pg_class"
    " WHERE oid IN (to_regclass('walkers'), to_regclass('candidates'), to_regclass('member_energies'))"
)


class KeptMetrics:
    """Used by many threads. many: rows from which on counts are kept."""

    def __init__(self, many: int = MANY) -> None:
        self._many = many
        self._last: list[Metric] | None = None
        self._next = 0.0
        """Not counted again before this moment of the clock."""
        self._counting = threading.Lock()

    def metrics(self, sessions: Sessions) -> list[Metric]:
        """All of them, those of one name together."""
        with sessions() as session:
            if session.scalar(_ROWS) < self._many:
                found = list(counted(session))
            elif self._last is None:
                found = self._count(session)
            else:
                found = self._last
                self._begin(sessions)
            return found + list(workers(session))

    def _begin(self, sessions: Sessions) -> None:
        if time.monotonic() >= self._next and self._counting.acquire(blocking=False):
            threading.Thread(target=self._count_beside, args=(sessions,), name="metrics", daemon=True).start()

    def _count_beside(self, sessions: Sessions) -> None:
        try:
            with sessions() as session:
                self._count(session)
        except SQLAlchemyError as error:
            log.warning("metrics not counted: %s", error)
        finally:
            self._counting.release()

    def _count(self, session: Session) -> list[Metric]:
        began = time.monotonic()
        self._last = list(counted(session))
        took = time.monotonic() - began
        self._next = time.monotonic() + _REST * took
        return self._last
