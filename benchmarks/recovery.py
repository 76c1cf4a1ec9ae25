"""How long the work of a worker lies still after kill -9, with default settings: until the last of its rows is claimed again.

python -m benchmarks.recovery [--quick]     20 kills (4); a table, and one JSON object as the last line

Two workers on EMT through the whole service; the one that holds work is killed with all of its processes, the supervisor starts it
again. Times are from the kill to the moment that a poll every 50 ms first sees the row running with another owner. The next kill
comes when every row that was lost has been stored since: three losses on end are the end of a row, and another matter.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
from sqlalchemy import Engine, and_, or_, select

from benchmarks.report import finish, show
from local import processes
from local.stack import Stack
from shared.database.session import connect
from shared.database.tables import Walker
from shared.settings import Settings
from shared.states import OPEN, State

KILLS = 20
WORKERS = ("w0", "w1")
JOB = {
    "input": {
        "kind": "bulk",
        "bulk": {"element": "Pt"},
        "miller": [1, 1, 1],
        "min_width": 5,
        "min_depth": 5,
        "adsorbate": "*CO",
    },
    "parameters": {"placement": {"count": 6}, "hopping": {"hops": 1000, "patience": 1000, "walkers": 6}},
}


def main() -> None:
    kills = 4 if "--quick" in sys.argv else KILLS
    variables = {"ADHOP_DEFAULT_SEARCH_MEMBERS": "emt", "ADHOP_DEFAULT_SCORE_MEMBERS": "emt"}
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), variables) as stack:
        times = _measure(stack, kills)
        stack.stop()
        stack.postgres.remove()
    lease, interval = (Settings.model_fields[name].default for name in ("lease_s", "dispatch_interval_s"))
    quantiles = {name: round(float(np.quantile(times, q)), 1) for name, q in _QUANTILES.items()}
    show(
        f"{kills} kills, lease {lease:g} s, dispatcher every {interval:g} s: seconds until claimed again",
        list(quantiles),
        [list(quantiles.values())],
    )
    finish({"kills": kills, **quantiles, "within_30_s": bool(max(times) <= 30.0)})


_QUANTILES = {"min": 0.0, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "max": 1.0}


def _measure(stack: Stack, kills: int) -> list[float]:
    stack.start_servers()
    key = stack.make_key()
    for role in (processes.API, processes.DISPATCHER, processes.CPU):
        stack.start(role)
    for name in WORKERS:
        stack.start(processes.potentials(("emt",), name), {"ADHOP_MEMBERS": "emt"})
    stack.wait_ready(120)
    answer = httpx.post(f"{stack.url}/v1/jobs", json=JOB, headers={"Authorization": f"Bearer {key}"}, timeout=60)
    answer.raise_for_status()
    engine = connect(stack.postgres.url(stack.database))
    try:
        times: list[float] = []
        while len(times) < kills:
            seconds = _one(stack, engine)
            if seconds is None:
                continue
            times.append(seconds)
            print(f"kill {len(times)}: {seconds:.1f} s", flush=True)
        return times
    finally:
        engine.dispose()


def _one(stack: Stack, engine: Engine) -> float | None:
    """Kill a worker that holds work; seconds until all of it has another owner, None where it held nothing by then."""
    while not (held := _held(engine)) or _tried_before(engine):
        stack.watch()
        time.sleep(0.2)
    owner = next(iter(held.values()))
    parent = _parent(int(owner.split(":")[1]))
    began = time.monotonic()
    os.killpg(parent, signal.SIGKILL)
    lost = {row for row, holder in _held(engine).items() if holder == owner}
    if not lost:
        return None
    while lost:
        stack.watch()
        lost -= {row for row, holder in _held(engine).items() if row in lost and holder != owner}
        time.sleep(0.05)
    return time.monotonic() - began


def _held(engine: Engine) -> dict[int, str]:
    """The owner of every walker that runs."""
    with engine.connect() as connection:
        rows = connection.execute(select(Walker.id, Walker.owner).where(Walker.state == State.RUNNING))
        return {row.id: str(row.owner) for row in rows}


def _tried_before(engine: Engine) -> bool:
    """Whether an open walker lost a worker since it was last stored."""
    lost = or_(Walker.attempts > 1, and_(Walker.state == State.QUEUED, Walker.attempts > 0))
    with engine.connect() as connection:
        return connection.scalar(select(Walker.id).where(Walker.state.in_(OPEN), lost).limit(1)) is not None


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


if __name__ == "__main__":
    main()
