"""How many polls and submissions a second the front end answers, and how long a list and the metrics take: with no job open and with
many, by one client and by eight, on a real PostgreSQL that writes to its disk; and the same of QCFractal in the same run.

    python -m benchmarks.api [--quick] [--peer PYTHON] [--jobs N] [--clients 1 8]

--peer: the Python of an environment that QCFractal is installed in (`pip install qcfractal`); without it, it is not measured. The set
(10,000 jobs that ended with 750,000 candidates; --quick: 1,000) is made by SQL. Clients keep their connection and share this process;
the limit on requests a minute is lifted. A poll is of a job in its search or one that ended, in turns, whole; `unchanged` says what
the client does, which names the answer that it has. Bulk is 50 in a request. Submissions are of 90 pairs, by turns.
"""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine

from benchmarks import report
from benchmarks.api import peer
from benchmarks.api.filling import MEMBERS, Size, beat_on, fill, fill_open, prepare
from benchmarks.api.load import Connection, Rate, Server, measure
from local import processes
from local.stack import Stack, stop_signals
from shared.database.session import connect

CANDIDATES = 75
JOBS, QUICK_JOBS = 10_000, 1_000
SECONDS, QUICK_SECONDS = 8.0, 3.0
TOGETHER = 50
"""Jobs of one request in bulk."""
_LIFTED = {
    "ADHOP_MAX_REQUESTS_PER_MINUTE": "100000000",
    "ADHOP_MAX_REQUESTS_AT_ONCE": "64",
    "ADHOP_MAX_OPEN_JOBS_PER_USER": "10000000",
    "ADHOP_DEFAULT_SEARCH_MEMBERS": MEMBERS[0],
    "ADHOP_DEFAULT_SCORE_MEMBERS": ",".join(MEMBERS),
}
_SURFACES = [
    (metal, miller) for metal in ("Pt", "Cu", "Pd", "Ag", "Ni", "Au") for miller in ([1, 1, 1], [1, 0, 0], [2, 1, 1])
]
_MOLECULES = ("*CO", "*OH", "*H", "*NH3", "*CH3")


def _job(n: int) -> dict[str, Any]:
    """One of a screening: each of some molecules on each of some surfaces, again and again with other seeds."""
    metal, miller = _SURFACES[n // len(_MOLECULES) % len(_SURFACES)]
    return {
        "input": {
            "kind": "bulk",
            "bulk": {"element": metal},
            "miller": miller,
            "adsorbate": _MOLECULES[n % len(_MOLECULES)],
        },
        "parameters": {"placement": {"count": 8}, "hopping": {"hops": 3}, "seed": abs(n)},
    }


Rates = dict[str, dict[int, Rate]]
"""By what is asked for, and the number of clients."""


def main() -> None:
    """Entry point."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_JOBS} jobs, {QUICK_SECONDS:.0f} s each")
    parser.add_argument("--peer", type=Path, help="Python of the environment that QCFractal is installed in")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--seconds", type=float, help="of each measurement")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8])
    asked = parser.parse_args()
    asked.jobs = asked.jobs or (QUICK_JOBS if asked.quick else JOBS)
    asked.seconds = asked.seconds or (QUICK_SECONDS if asked.quick else SECONDS)
    with stop_signals(), tempfile.TemporaryDirectory(prefix="adhop-api-") as name:
        folder = Path(name)
        stack = Stack(folder / "stack", _LIFTED)
        try:
            stack.start_servers()
            found = _ours(stack, asked)
            theirs = None if asked.peer is None else _theirs(asked.peer, stack, folder, asked)
        finally:
            stack.stop()
            stack.postgres.remove()
    _report(found, theirs, asked)


def _ours(stack: Stack, asked: Namespace) -> dict[str, Rates]:
    engine = connect(stack.postgres.url(stack.database), statement_timeout_s=3600)
    try:
        key = prepare(engine)
        fill(engine, Size(asked.jobs, CANDIDATES))
        stack.start(processes.API)
        server = Server(stack.port, {"Authorization": f"Bearer {key}"})
        server.wait()
        found = {"none open": _measured(server, engine, asked)}
        fill_open(engine, asked.jobs)
        found[f"{asked.jobs:,} open"] = _measured(server, engine, asked)
        return found
    finally:
        engine.dispose()


def _measured(server: Server, engine: Engine, asked: Namespace) -> Rates:
    first = server.connect()
    polled = [first.ask("GET", f"/v1/jobs?limit=1{which}")[1]["jobs"] for which in ("", "&state=succeeded")]
    jobs = [job["id"] for page in polled for job in page]
    tags = [first.ask("GET", f"/v1/jobs/{job}")[2].get("etag", "") for job in jobs]
    run = uuid4().hex

    def poll(connection: Connection, n: int) -> None:
        connection.ask("GET", f"/v1/jobs/{jobs[n % len(jobs)]}")

    def unchanged(connection: Connection, n: int) -> None:
        which = n % len(jobs)
        connection.ask("GET", f"/v1/jobs/{jobs[which]}", **{"If-None-Match": tags[which]})

    def listed(connection: Connection, n: int) -> None:
        connection.ask("GET", "/v1/jobs?limit=50")

    def metrics(connection: Connection, n: int) -> None:
        connection.ask("GET", "/metrics")

    def submit(connection: Connection, n: int) -> None:
        connection.ask("POST", "/v1/jobs", _job(n), **{"Idempotency-Key": f"{run}-{n}"})

    def bulk(connection: Connection, n: int) -> None:
        body = {"jobs": [{"job": _job(n * TOGETHER + i), "idempotency_key": f"{run}-{n}-{i}"} for i in range(TOGETHER)]}
        _, document, _ = connection.ask("POST", "/v1/jobs:batch", body)
        assert document["accepted"] == TOGETHER, document

    asks: dict[str, tuple[Callable[[Connection, int], None], int]] = {
        "poll": (poll, 1),
        "unchanged": (unchanged, 1),
        "list": (listed, 1),
        "metrics": (metrics, 1),
        "submit": (submit, 1),
    }
    if "/v1/jobs:batch" in first.ask("GET", "/openapi.json")[1]["paths"]:
        asks["bulk"] = (bulk, TOGETHER)
    found: Rates = {}
    for name, (ask, each) in asks.items():
        found[name] = {}
        for clients in asked.clients:
            beat_on(engine)
            found[name][clients] = measure(server, ask, clients=clients, seconds=asked.seconds, each=each)
    return found


def _theirs(python: Path, stack: Stack, folder: Path, asked: Namespace) -> Rates:
    with peer.serving(python, stack.postgres, folder) as server:
        (record,) = peer.submit(server.connect(), -10)
        ids = peer.submit(server.connect(), -5, 50)
        asks: dict[str, tuple[Callable[[Connection, int], Any], int]] = {
            "poll": (lambda connection, n: peer.poll(connection, record), 1),
            "list": (lambda connection, n: peer.listed(connection, ids), 1),
            "submit": (lambda connection, n: peer.submit(connection, n + clients * 100_000), 1),
            "bulk": (lambda connection, n: peer.submit(connection, n + clients * 100_000, TOGETHER), TOGETHER),
        }
        found: Rates = {}
        for name, (ask, each) in asks.items():
            found[name] = {}
            for clients in asked.clients:
                found[name][clients] = measure(server, ask, clients=clients, seconds=asked.seconds, each=each)
        return found


def _report(ours: dict[str, Rates], theirs: Rates | None, asked: Namespace) -> None:
    columns = {f"ours, {name}": rates for name, rates in ours.items()} | {"QCFractal": theirs or {}}
    rows = []
    for name in ("poll", "unchanged", "list", "metrics", "submit", "bulk"):
        for clients in asked.clients:
            rates = [found.get(name, {}).get(clients) for found in columns.values()]
            rows.append([f"{name}, {clients} client{'s' if clients > 1 else ''}", *map(_cell, rates)])
    title = f"{asked.jobs:,} jobs, {asked.jobs * CANDIDATES:,} candidates: a second; median and 99 %, ms"
    report.show(title, ["", *columns], rows)
    report.finish(
        {
            "poll_per_s": _all(ours, "poll", "per_s"),
            "poll_p99_ms": _all(ours, "poll", "p99_ms"),
            "unchanged_per_s": _all(ours, "unchanged", "per_s"),
            "submit_per_s": _all(ours, "submit", "per_s"),
            "bulk_per_s": _all(ours, "bulk", "per_s"),
            "list_p99_ms": _all(ours, "list", "p99_ms"),
            "metrics_ms": _all(ours, "metrics", "median_ms"),
            "peer": "not measured" if theirs is None else {
                f"{name}_per_s": {str(clients): rate.per_s for clients, rate in rates.items()}
                for name, rates in theirs.items()
            },
        }
    )  # fmt: skip


def _cell(rate: Rate | None) -> str:
    return "not measured" if rate is None else f"{rate.per_s:g}; {rate.median_ms:.1f} / {rate.p99_ms:.1f}"


def _all(ours: dict[str, Rates], name: str, what: str) -> dict[str, dict[str, float]]:
    """By how many jobs are open, and by clients."""
    return {
        case: {str(clients): getattr(rate, what) for clients, rate in rates.get(name, {}).items()}
        for case, rates in ours.items()
    }


if __name__ == "__main__":
    main()
