"""How long it takes a user to cancel a thousand jobs, by one request and one by one, while another user polls.

    python -m benchmarks.cancelling [--quick] [--rows N]

A real front end on a real PostgreSQL; each job is searching, with N queued walkers (40: 20 placements by two members).
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from adhop import Client
from sqlalchemy import text

from benchmarks import report
from benchmarks.claims import Mixture, fill
from local import processes
from local.stack import Stack, stop_signals
from shared.database.repositories.users import Role, create_key
from shared.database.session import connect, sessions

ROWS = 40
ONE_BY_ONE = 50


def measure(stack: Stack, jobs: int, rows: int) -> dict[str, Any]:
    """Seconds, and the other user's waits, ms."""
    engine = connect(stack.postgres.url(stack.database), statement_timeout_s=600)
    fill(engine, Mixture(1, jobs, rows, others=1))
    with sessions(engine).begin() as session:
        keys = [create_key(session, name, Role.SUBMIT) for name in ("u1", "other1")]
    with Client(stack.url, keys[0]) as user, Client(stack.url, keys[1]) as other:
        some = [job.id for job in user.jobs(limit=ONE_BY_ONE)]
        began = time.perf_counter()
        for one in some:
            user.cancel_jobs([one])
        each = (time.perf_counter() - began) / len(some)
        waits: list[float] = []
        done = threading.Event()
        poll = threading.Thread(target=_poll, args=(other, done, waits))
        poll.start()
        began = time.perf_counter()
        cancelled = user.cancel_jobs(all_mine=True)
        together = time.perf_counter() - began
        done.set()
        poll.join()
    with engine.begin() as connection:
        left = connection.execute(
            text("SELECT count(*) FROM walkers WHERE state IN ('queued', 'running')")
        ).scalar_one()
    engine.dispose()
    assert len(cancelled) == jobs - len(some)
    assert left == 1  # the other user's
    return {
        "jobs": len(cancelled),
        "rows_each": rows,
        "one_request_s": round(together, 2),
        "each_alone_ms": round(1000 * each, 1),
        "others_median_ms": round(1000 * statistics.median(waits), 1),
        "others_longest_ms": round(1000 * max(waits), 1),
    }


def _poll(client: Client, done: threading.Event, waits: list[float]) -> None:
    while not done.is_set():
        began = time.perf_counter()
        list(client.jobs(limit=10))
        waits.append(time.perf_counter() - began)
        time.sleep(0.02)


def main() -> None:
    """Entry point."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 jobs")
    parser.add_argument("--rows", type=int, default=ROWS)
    asked = parser.parse_args()
    with stop_signals(), tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), durable=False)
        try:
            stack.start_servers()
            stack.make_key()
            stack.start(processes.API)
            _wait(stack)
            result = measure(stack, 100 if asked.quick else 1050, asked.rows)
        finally:
            stack.stop()
            stack.postgres.remove()
    report.show("cancelling", list(result), [list(result.values())])
    report.finish(result)


def _wait(stack: Stack) -> None:
    with Client(stack.url, stack.make_key()) as client:
        until = time.monotonic() + 60
        while True:
            try:
                client.models()
                return
            except Exception:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)


if __name__ == "__main__":
    main()
