"""Keeping leases alive from a thread of their own, while the worker computes."""

from __future__ import annotations

import logging
import threading
import time

from sqlalchemy.exc import SQLAlchemyError

from shared.database.session import Sessions
from worker.queue import claims

log = logging.getLogger(__name__)


class LeaseKeeper:
    """Renews leases four times within their length. A lease that can't be renewed, because someone else holds the row or because
    the database can't be reached for most of its length, is lost: the worker drops the work by itself."""

    def __init__(self, sessions: Sessions, lease_s: float) -> None:
        self._sessions = sessions
        self._lease_s = lease_s
        self._held: dict[claims.Lease, float] = {}
        self._lost: set[claims.Lease] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def __enter__(self) -> LeaseKeeper:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(timeout=self._lease_s)

    def hold(self, lease: claims.Lease) -> None:
        """Keep this lease, taken just now, until it is dropped."""
        with self._lock:
            self._held[lease] = time.monotonic()

    def drop(self, lease: claims.Lease) -> None:
        """The row has been finished, or its lease released."""
        with self._lock:
            self._held.pop(lease, None)
            self._lost.discard(lease)

    def lost(self) -> set[claims.Lease]:
        """Leases that are no longer one's own."""
        with self._lock:
            late = time.monotonic() - 0.8 * self._lease_s
            return self._lost | {lease for lease, renewed in self._held.items() if renewed < late}

    def _run(self) -> None:
        while not self._stopped.wait(self._lease_s / 4):
            try:
                self._renew()
            except SQLAlchemyError as error:
                log.warning("leases not renewed: %s", error)

    def _renew(self) -> None:
        with self._lock:
            held = list(self._held)
        for lease in held:
            asked = time.monotonic()
            with self._sessions.begin() as session:  # one row at a time: nobody waits for two of them
                kept = claims.renew(session, lease, self._lease_s)
            with self._lock:
                if lease not in self._held:
                    continue  # finished meanwhile
                if kept:
                    self._held[lease] = asked
                else:
                    self._lost.add(lease)
