"""The dispatcher: `python -m worker.dispatcher`. A loop that mends whatever a lost message or a lost worker left behind.

It ends leases that ran out, moves open jobs on, wakes workers for what can be claimed, and removes what is to go. It holds nothing
itself: two of them do no harm, and none only delays recovery. `python -m worker.dispatcher check` says by its status whether the one
on this machine passes.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from shared import private_files
from shared.broker import Notifier, celery_app
from shared.command_line import ended
from shared.database import revision
from shared.database.repositories import workers
from shared.database.session import Sessions, connect, sessions
from shared.database.workflow import progression
from shared.errors import OtherVersion
from shared.logs import configure
from shared.secrets import no_core_dumps
from shared.settings import Settings, settings
from worker.queue import backlog, expiry
from worker.retention.rules import keep

log = logging.getLogger(__name__)

_LATE = 6
"""Passes that may be missed before the dispatcher counts as stuck."""


def mend(opened: Sessions, max_attempts: int) -> tuple[list[str], bool]:
    """One pass over the database: for which members, and whether for a CPU worker, there is work to claim. Raises OtherVersion."""
    with opened.begin() as session:
        revision.check(session)
        expiry.end_expired(session, max_attempts)
        workers.forget_lost(session)
    with opened() as session:
        jobs = progression.due(session)
    for job_id in jobs:
        try:
            with opened.begin() as session:
                progression.move_on(session, job_id)
        except SQLAlchemyError as error:  # one job's trouble must not hold up the others
            log.warning("job %s not moved on: %s", job_id, error)
    with opened() as session:
        return backlog.members(session), backlog.stages(session)


def run(configured: Settings, stopped: threading.Event) -> None:
    """Mend and notify until told to stop."""
    notifier = Notifier(celery_app(configured))
    engine = connect(configured.database_url.get_secret_value(), pool_size=1)
    opened = sessions(engine)
    mark = _mark(configured)
    log.info("dispatching every %g s", configured.dispatch_interval_s)
    while not stopped.is_set():
        try:
            members, stages = mend(opened, configured.max_attempts)
            for member in members:
                notifier.notify_member(member)
            if stages:
                notifier.notify_cpu()
            keep(opened, configured)
            private_files.mark(mark)
        except OtherVersion as other:
            log.warning("nothing done: %s", other)
        except SQLAlchemyError as error:
            log.warning("database not reached: %s", error)
        stopped.wait(configured.dispatch_interval_s)
    engine.dispose()


def _mark(configured: Settings) -> Path:
    """Touched after every pass that reached the database. Raises Misconfigured."""
    return private_files.run_folder(configured.run_dir) / "dispatcher"


def check(configured: Settings) -> bool:
    """Whether a dispatcher on this machine passed lately."""
    touched = private_files.touched(_mark(configured))
    return touched is not None and time.time() - touched < _LATE * max(configured.dispatch_interval_s, 1.0)


def main() -> None:
    """Entry point; SIGTERM and SIGINT end it within one pass."""
    raise SystemExit(ended("adhop", _main))


def _main() -> int:
    if sys.argv[1:] == ["check"]:
        return 0 if check(settings()) else 1
    no_core_dumps()
    configure(settings().log_format)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    run(settings(), stopped)
    return 0


if __name__ == "__main__":
    main()
