"""How busy the whole service keeps its devices: PostgreSQL, broker, front end, dispatcher, a CPU worker, and potentials workers whose
devices are stand-ins that sleep (benchmarks/sleeping), so that two processor cores carry four of them.

    python -m benchmarks.service_throughput [--quick] [--models fixed,fast,heavy] [--scaling heavy]

16 jobs of 4 users, CO on Pt(111) slabs of 36 and 80 atoms. busy: share of the time from the first forward to the last that a forward
was under way. fill: mean batch over its limit. wall_over_ideal: that time over what the same evaluations take in full batches without
a pause. cpu_ms_per_hop: the worker's processor time by part of its work.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adhop import Client
from sqlalchemy import Engine, func, select

from benchmarks import report
from benchmarks.device_use import ASKED, JOBS, LIMIT, MODELS, PARTS, SIZES, USERS, Forward, measured, slab
from local import processes
from local.stack import ROOT, Stack, stop_signals
from shared import private_files
from shared.database.session import connect
from shared.database.tables import Job, Walker
from shared.states import Stage

SLEEPING = ROOT / "benchmarks" / "sleeping"
QUICK_S = 30.0
"""Of a quick run, once all jobs search."""


@contextmanager
def serving(workers: int) -> Iterator[tuple[Stack, list[Client], Path]]:
    """The service with so many potentials workers, a client for each user, and the folder of the devices' notes."""
    with stop_signals(), tempfile.TemporaryDirectory(prefix="adhop-throughput-") as name:
        folder = Path(name)
        notes = private_files.folder(folder / "notes")
        members = ",".join(MODELS)
        variables = {
            "ADHOP_DEFAULT_SEARCH_MEMBERS": members,
            "ADHOP_DEFAULT_SCORE_MEMBERS": members,
            "ADHOP_MODELS_FILE": str(_members_file(folder)),
            "ADHOP_WALKERS_PER_WORKER": str(LIMIT),
            "ADHOP_MIN_FREE_GIB": "0",
            "PYTHONPATH": f"{SLEEPING}:{ROOT}",
            "SLEEPING_LOG": str(notes),
        }
        stack = Stack(folder / "stack", variables)
        try:
            stack.start_servers()
            keys = [stack.make_key(), *(_key(stack, f"user-{n}") for n in range(1, USERS))]
            for role in (processes.API, processes.DISPATCHER, processes.CPU):
                stack.start(role)
            for n in range(workers):
                stack.start(processes.potentials(list(MODELS), f"potentials-{n}"), {"ADHOP_MEMBERS": members})
            stack.wait_ready(180)
            clients = [Client(stack.url, key) for key in keys]
            yield stack, clients, notes
            for client in clients:
                client.close()
        finally:
            stack.stop()
            stack.postgres.remove()


def _key(stack: Stack, user: str) -> str:
    file = stack.folder / f"key-{user}"
    stack.run(processes.create_user(user, "submit", file))
    return private_files.read_secret(file)


def _members_file(folder: Path) -> Path:
    (folder / "weights").write_bytes(b"none")
    digest = hashlib.sha256(b"none").hexdigest()
    tables = [
        f'[[member]]\nname = "{name}"\nfamily = "sleeping"\npath = "weights"\nsha256 = "{digest}"\nenergy_kind = "total"\n'
        f'elements = ["H", "C", "N", "O", "Pt"]\noptions = {{ base_ms = {model.base_ms}, atom_us = {model.atom_us} }}\n'
        for name, model in MODELS.items()
    ]
    file = folder / "members.toml"
    file.write_text("\n".join(tables))
    return file


def run(member: str, workers: int, quick: bool) -> dict[str, Any]:
    """All jobs on one member, from an empty service to their end; quick: for `QUICK_S` once all of them search."""
    model = MODELS[member]
    with serving(workers) as (stack, clients, notes):
        jobs = []
        for n in range(JOBS):
            parameters = {
                "seed": n,
                "placement": {"count": 20},
                "hopping": {"hops": model.hops, "walkers": model.walkers, "patience": 1000},
                "ensemble": {"search_members": [member], "score_members": [member]},
            }
            jobs.append(
                clients[n % USERS].submit(slab=slab(SIZES[n // USERS % 2]), adsorbate="*CO", parameters=parameters)
            )
        engine = connect(stack.postgres.url(stack.database))
        since, before = 0.0, 0
        if quick:
            _until_placed(engine)
            since, before = time.monotonic(), _hops(engine)
            time.sleep(QUICK_S)
        else:
            for job in jobs:
                job.wait(progress=False, interval_s=0.5, timeout_s=1800)
        hops = _hops(engine) - before
        engine.dispose()
        forwards = [_read(file, since) for file in sorted(notes.glob(f"{member}-*"))]
    return measured(model, [one for one in forwards if one], hops)


def _hops(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(select(func.sum(Walker.hop))) or 0)


def _until_placed(engine: Engine) -> None:
    """Until every job searches."""
    until = time.monotonic() + 300
    while True:
        with engine.connect() as connection:
            waiting = connection.scalar(select(func.count()).where(Job.stage == Stage.PLACING))
        if not waiting:
            return
        if time.monotonic() > until:
            raise SystemExit(f"{waiting} jobs had no placements after 300 s")
        time.sleep(0.2)


def _read(file: Path, since: float) -> list[Forward]:
    """The device's notes from then on."""
    notes = [Forward(*json.loads(line)) for line in file.read_text().splitlines() if line.endswith("]")]
    return [one for one in notes if one.began >= since]


def main() -> None:
    """Entry point."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="half a minute of each run: within five minutes")
    parser.add_argument(
        "--models", default=",".join(ASKED), help=f"cost models, separated by commas: {', '.join(MODELS)}"
    )
    parser.add_argument("--scaling", default="heavy", help="the model that four workers run too; empty for none")
    asked = parser.parse_args()
    results = {}
    for name in asked.models.split(","):
        results[name] = run(name, 1, asked.quick)
        print(name, json.dumps(results[name]), flush=True)
    four = run(asked.scaling, 4, asked.quick) if asked.scaling else None
    figures = ("busy", "fill", "wall_over_ideal", "hops_per_s", "wall_s", "ideal_s")
    rows = [[name, *(found[figure] for figure in figures)] for name, found in results.items()]
    if four:
        rows.append([f"{asked.scaling}, four workers", *(four[figure] for figure in figures)])
    report.show(f"{JOBS} jobs of {USERS} users, batches of {LIMIT}, {os.cpu_count()} cores", ["", *figures], rows)
    parts = (*PARTS, "other")
    costs = [[name, *(found["cpu_ms_per_hop"][part] for part in parts)] for name, found in results.items()]
    report.show("processor time of the worker, ms a hop", ["", *parts], costs)
    one = results.get(asked.scaling)
    report.finish(
        {
            **{key: {name: found[key] for name, found in results.items()} for key in figures},
            "cpu_ms_per_hop": {name: found["cpu_ms_per_hop"] for name, found in results.items()},
            "four_over_one": round(four["hops_per_s"] / one["hops_per_s"], 2) if four and one else None,
            "four": four,
        }
    )


if __name__ == "__main__":
    main()
