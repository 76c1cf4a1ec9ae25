"""The Celery application of the workers: `celery -A worker.app worker -Q cpu` or `-Q member.NAME,...`.

Nothing of torch or of the database is touched in the parent. The child that runs the tasks loads its members once, when it starts.
"""

from __future__ import annotations

import logging
import os
import time
from typing import Any

from celery import signals

from shared.broker import celery_app
from shared.errors import Misconfigured
from shared.logs import configure
from shared.queues import CPU_TASK, MEMBER_TASK
from shared.secrets import no_core_dumps
from shared.settings import settings
from worker.lifecycle import shutdown, watchdog
from worker.lifecycle.acknowledgement import AlwaysAcknowledged
from worker.process import Process

try:
    app = celery_app(settings())
    shutdown.prepare(settings().run_dir)
except Misconfigured as error:  # Celery, which imports this, would show a traceback
    raise SystemExit(f"adhop: {error}") from None
no_core_dumps()

_processes: list[Process] = []
log = logging.getLogger(__name__)
RESTART_S = 2.0
"""A child that can't start, as where the database is away, waits for this long before it ends."""


@app.task(name=CPU_TASK, Request=AlwaysAcknowledged)
def stage_task() -> None:
    """Claim and run CPU stages until none is left."""
    _processes[0].run_stage_task()


@app.task(name=MEMBER_TASK, Request=AlwaysAcknowledged)
def member_task(member: str) -> None:
    """Claim and run work of every member that this process hosts; `member` is the one that the message names."""
    _processes[0].run_member_task(member)


@signals.setup_logging.connect
def _log(**_: Any) -> None:
    configure(settings().log_format)
    logging.getLogger("celery.worker.strategy").setLevel(logging.WARNING)
    logging.getLogger("celery.app.trace").setLevel(logging.WARNING)


@signals.worker_ready.connect
def _listen(**_: Any) -> None:
    watchdog.watch(settings(), app.amqp.queues.consume_from)


@signals.worker_process_init.connect
def _start(**_: Any) -> None:
    shutdown.die_with_parent()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        _processes.append(Process.start(settings(), app))
    except Exception:
        log.critical("this process can't start, and ends; its parent starts another", exc_info=True)
        time.sleep(RESTART_S)
        shutdown.exit_process()


@signals.worker_process_shutdown.connect
def _stop(**_: Any) -> None:
    for process in _processes:
        process.stop()


@signals.worker_shutting_down.connect
def _stopping(**_: Any) -> None:
    shutdown.request()


@signals.worker_shutdown.connect
def _stopped(**_: Any) -> None:
    shutdown.clear()
