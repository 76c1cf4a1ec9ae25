"""What open pages cost the front end: processor time of its process while so many jobs' pages hear of jobs that go on all the time,
and read what they draw again as pages do; how long a change takes until a page hears of it; and what a page's first look weighs, and
takes in Chromium.

    python -m benchmarks.page [--quick] [--pages N] [--candidates N] [--seconds S]

Each page shows a job of its own, of which a new minimum comes in every second: more than any search of ours was seen to do. Pages are
threads of this process, which aren't counted.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import tempfile
import threading
import time
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright
from sqlalchemy import Engine, text

from api.page.files import BUILT
from benchmarks import report
from benchmarks.api.filling import USER, Size, beat_on, fill, prepare
from benchmarks.api.load import Connection, Server
from local import processes
from local.stack import Stack, stop_signals
from shared.database.session import connect

LOOKS = 7
"""First looks of which the median is told."""
LOOK_AGAIN_S, LOOK_AGAIN_MOST_S, LINES_PER_S = 8.0, 30.0, 12.0
"""How often a page reads its candidates again, if there are new ones: the less, the more there are (web/src/job/JobPage.tsx)."""
_SETTINGS = {"ADHOP_MAX_REQUESTS_PER_MINUTE": "100000000", "ADHOP_MAX_REQUESTS_AT_ONCE": "64"}
_OPENED = text(
    "UPDATE jobs SET state = 'running', stage = 'searching', ended_at = NULL WHERE id IN (SELECT id FROM jobs WHERE user_id ="
    " (SELECT id FROM users WHERE name = :user) ORDER BY id LIMIT :pages) RETURNING id"
)
_WALKING = text(
    "UPDATE walkers SET state = 'queued' WHERE job_id IN (SELECT id FROM jobs WHERE state = 'running') AND id % 20 = 0"
)
_GOES_ON = text(
    "INSERT INTO candidates (job_id, walker_id, hop, member, structure_id, positions, energy, fmax, converged, anomalies, site,"
    " accepted, force_calls) SELECT DISTINCT ON (c.job_id) c.job_id, c.walker_id, :hop, c.member, c.structure_id, c.positions,"
    " c.energy, c.fmax, true, '{}', c.site, true, 25 FROM candidates c JOIN jobs j ON j.id = c.job_id WHERE j.state = 'running'"
    " ORDER BY c.job_id, c.id"
)


@dataclass
class Page:
    """One open page of a job, read by two threads."""

    server: Server
    job: str
    over: threading.Event
    reads: threading.Event
    """Whether it reads what it draws again."""
    total: int = -1
    """Candidates that it heard of."""
    heard: dict[int, float] = field(default_factory=dict)
    """When it heard of so many candidates, by time.monotonic()."""
    read: int = 0
    """How often it read its candidates again."""

    def start(self) -> None:
        """Be open until it is over."""
        threading.Thread(target=self._hear, daemon=True).start()
        threading.Thread(target=self._look, daemon=True).start()

    def _hear(self) -> None:
        while not self.over.is_set():
            stream = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
            stream.request("GET", f"/v1/events?job={self.job}", headers=dict(self.server.headers))
            with stream.getresponse() as answer:
                kind = ""
                while not self.over.is_set() and (line := answer.readline().decode()):
                    if line.startswith("event: "):
                        kind = line[7:].strip()
                    elif line.startswith("data: ") and kind == "job":
                        self.total = json.loads(line[6:])["progress"]["candidates"]["total"]
                        self.heard.setdefault(self.total, time.monotonic())

    def _look(self) -> None:
        connection, drawn = Connection(self.server), -1
        while not self.over.wait(min(LOOK_AGAIN_MOST_S, max(LOOK_AGAIN_S, self.total / LINES_PER_S))):
            if self.reads.is_set() and self.total != drawn:
                drawn = self.total
                connection.ask("GET", f"/v1/jobs/{self.job}/overview")
                self.read += 1


def main() -> None:
    """Entry point."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 s each")
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--candidates", type=int, default=200, help="that each job has when it begins")
    parser.add_argument("--seconds", type=float)
    asked = parser.parse_args()
    asked.seconds = asked.seconds or (10.0 if asked.quick else 40.0)
    with stop_signals(), tempfile.TemporaryDirectory(prefix="adhop-page-") as name:
        stack = Stack(Path(name) / "stack", _SETTINGS)
        try:
            stack.start_servers()
            found = _measured(stack, asked)
        finally:
            stack.stop()
            stack.postgres.remove()
    rows = [[name, value] for name, value in found.items()]
    report.show(f"{asked.pages} open pages", ["", ""], rows)
    report.finish(found)


def _measured(stack: Stack, asked: Namespace) -> dict[str, Any]:
    engine = connect(stack.postgres.url(stack.database), statement_timeout_s=600)
    try:
        key = prepare(engine)
        fill(engine, Size(2 * asked.pages, asked.candidates))
        with engine.begin() as connection:
            jobs = [str(one) for one in connection.scalars(_OPENED, {"user": USER, "pages": asked.pages})]
            connection.execute(_WALKING)
        child = stack.start(processes.API)
        server = Server(stack.port, {"Authorization": f"Bearer {key}"})
        server.wait()
        first = Connection(server)
        sizes = {what: len(json.dumps(first.ask("GET", f"/v1/jobs/{jobs[0]}{what}")[1])) for what in ("", "/overview")}
        resting = _used(child.process.pid, 5.0)
        over, reads = threading.Event(), threading.Event()
        pages = [Page(server, job, over, reads) for job in jobs]
        for page in pages:
            page.start()
        made = _go_on(engine, over)
        time.sleep(6)  # all are open
        streams = _used(child.process.pid, asked.seconds)
        reads.set()
        cores = _used(child.process.pid, asked.seconds)
        over.set()
        return {
            "pages": len(pages),
            "percent_of_a_core": round(100 * cores, 1),
            "percent_of_a_core_streams_alone": round(100 * streams, 1),
            "percent_of_a_core_resting": round(100 * resting, 1),
            "looks_a_page_and_second": round(sum(page.read for page in pages) / len(pages) / asked.seconds, 3),
            "heard_after_s_median": round(_behind(pages, made), 2),
            "job_bytes": sizes[""],
            "overview_bytes": sizes["/overview"],
            "script_and_style_bytes": _weight(),
            "first_look_ms": _first_look(stack.url),
            "load": os.getloadavg()[0],
        }
    finally:
        engine.dispose()


def _first_look(url: str) -> float | None:
    """From the address to the page that asks for a key, by the clock, in a browser that has nothing of it yet, ms: the median. None
    where there is no Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    waits = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(LOOKS):
            context = browser.new_context()
            page = context.new_page()
            began = time.perf_counter()
            page.goto(f"{url}/")
            page.locator("#key").wait_for()
            waits.append(1000 * (time.perf_counter() - began))
            context.close()
        browser.close()
    return round(float(np.median(waits)))


def _go_on(engine: Engine, over: threading.Event) -> list[float]:
    """Each job gets a candidate a second; when that was, by time.monotonic()."""
    made: list[float] = []

    def work() -> None:
        while not over.wait(1.0):
            with engine.begin() as connection:
                connection.execute(_GOES_ON, {"hop": 10_000 + len(made)})
            made.append(time.monotonic())
            beat_on(engine)

    threading.Thread(target=work, daemon=True).start()
    return made


def _behind(pages: list[Page], made: list[float]) -> float:
    """Median of how long after a candidate was stored a page heard of as many, s."""
    least = min(min(page.heard) for page in pages if page.heard)
    waits = [
        heard - made[index]
        for page in pages
        for total, heard in page.heard.items()
        if 0 <= (index := total - least - 1) < len(made) and heard >= made[index]
    ]
    return float(np.median(waits)) if waits else float("nan")


def _used(pid: int, seconds: float) -> float:
    """Processor time of a process over a while, in cores."""

    def ticks() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    before, began = ticks(), time.monotonic()
    time.sleep(seconds)
    return (ticks() - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - began)


def _weight() -> int:
    """Script and style that a browser loads before the first structure is shown."""
    files = [one for one in (BUILT / "assets").iterdir() if one.suffix in (".js", ".css") and "3Dmol" not in one.name]
    return sum(one.stat().st_size for one in files)


if __name__ == "__main__":
    main()
