"""Live progress of a job: a panel on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from adhop.console import console as make_console

_LINE_EVERY_S = 10.0


class Progress:
    """Shows what the server says of a job each time `show` is called."""

    def __init__(self, *, enabled: bool = True, console: Console | None = None) -> None:
        self._console = console or make_console()
        self._enabled = enabled
        self._began = time.monotonic()
        self._live: Live | None = None
        self._last_line = 0.0
        self._last_stage = ""

    def __enter__(self) -> Progress:
        if self._enabled and self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4)
            self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.__exit__(None, None, None)

    def show(self, job: dict[str, Any]) -> None:
        """Bring the display up to date."""
        if not self._enabled:
            return
        if self._live is not None:
            self._live.update(self._panel(job))
            return
        stage = f"{job['state']}/{job['stage']}"
        now = time.monotonic()
        if stage != self._last_stage or now - self._last_line >= _LINE_EVERY_S:
            self._console.print(Text(self._line(job)), soft_wrap=True)
            self._last_stage, self._last_line = stage, now

    def _panel(self, job: dict[str, Any]) -> Panel:
        progress = job["progress"]
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim")
        grid.add_column()
        for label, value in _facts(job):
            grid.add_row(label, Text(value))
        hops = progress["hops"]
        bar = ProgressBar(total=max(hops["most"], 1), completed=hops["done"], width=60)
        seconds = time.monotonic() - self._began
        title = f"{job['adsorbate']} on {job['surface']}  ·  {_stage(job)}  ·  {seconds:.0f} s"
        return Panel(Group(bar, grid), title=Text(title), title_align="left", expand=False)

    def _line(self, job: dict[str, Any]) -> str:
        facts = "".join(f", {label} {value}" for label, value in _facts(job))
        return f"[{time.monotonic() - self._began:4.0f} s] {_stage(job)}{facts}"


def _stage(job: dict[str, Any]) -> str:
    return str(job["stage"] if job["state"] == "running" else job["state"])


def _facts(job: dict[str, Any]) -> list[tuple[str, str]]:
    """What there is to tell, as label and value."""
    progress = job["progress"]
    walkers, hops, references = progress["walkers"], progress["hops"], progress["references"]
    evaluations, candidates = progress["evaluations"], progress["candidates"]
    failed = f", {walkers['failed']} failed" if walkers["failed"] else ""
    if not references["total"]:
        return [("waiting", job["waiting_for"])] if job["waiting_for"] else []
    facts = [
        ("references", f"{references['done']} of {references['total']}"),
        ("walkers", f"{walkers['succeeded']} of {walkers['total']} done, {walkers['running']} running{failed}"),
        ("hops", f"{hops['done']} of at most {hops['most']}"),
        ("force calls", f"{progress['force_calls']}"),
        ("candidates", f"{candidates['total']}, {candidates['distinct']} distinct"),
        ("energies", f"{evaluations['done']} of {evaluations['total']}"),
    ]
    best = progress["best"]
    if best is not None:
        members = best.get("n_members", 1)
        by = f"mean of {members} members" if members > 1 else f"by {best.get('member', 'one member')}"
        facts.append(("best so far", f"{best['adsorption_energy']:.2f} eV ({by})"))
    if job["waiting_for"]:
        facts.append(("waiting", job["waiting_for"]))
    return facts
