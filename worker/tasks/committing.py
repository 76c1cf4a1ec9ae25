"""A result is committed while the lease on its row lasts: a database that is away for a moment costs nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from sqlalchemy.exc import OperationalError

from shared.errors import LostLease
from worker.queue.claims import Lease

log = logging.getLogger(__name__)

RETRY_S = 0.5

Written = TypeVar("Written")


def commit_while_held(
    lease: Lease,
    lost: Callable[[], Collection[Lease]],
    write: Callable[[], Written],
    *,
    retry_s: float = RETRY_S,
    fields: Mapping[str, Any] | None = None,
) -> Written:
    """What `write` returns: one or several whole transactions, that may be made again. It is called again as long as the database
    can't be reached and the lease isn't among those `lost`. fields: named in the log. Raises LostLease, and what `write` raises."""
    while lease not in lost():
        try:
            return write()
        except OperationalError as error:
            log.warning("not committed yet: %s", error, extra=fields)
            time.sleep(retry_s)
    raise LostLease(f"the lease on {lease.table.__tablename__} {lease.id} can't be kept")
