"""Names and reasons of other people, shown: nothing in them steers a terminal, becomes a style, or a formula of a spreadsheet."""

import csv
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import adhop
import pytest
from adhop import Client, RequestRefused, plain, tables
from adhop.progress import Progress
from adhop.system import System
from rich.console import Console

from tests.client.test_tables import BODY, JOB

CLIENT = str(Path(adhop.__file__).parents[1])
NAMES = [
    "[/red] [bold]x[/bold] [link=http://evil]y[/link]",
    "\x1b]8;;http://evil\x07click\x1b]8;;\x07",
    "\x1b[2J\x1b[1;1Hroot@host:~#",
    "ab\u202egnp.exe\u2066",
    "zero\u200bwidth\ufeff",
    ":smile: \\[ \\",
    "two\r\nlines\x9b31m",
]


def body(name: str) -> dict[str, Any]:
    fields = {"id": "1", "name": name, "adsorbate": name, "surface": name, "waiting_for": name, "warnings": [name]}
    fields |= {"state": "failed", "stage": name, "created_at": "2026-01-31T12:00:00Z"}
    return JOB | fields | {"failure": {"kind": "broken", "reason": name}}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/v1/jobs/refused"):
            self._answer(422, {"title": "x", "detail": NAMES[1], "field": NAMES[3], "status": 422})
        elif self.path.startswith("/v1/jobs?"):
            self._answer(200, {"jobs": [body(name) for name in NAMES], "next": None})
        else:
            self._answer(200, body(NAMES[1]))

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def harmless(shown: str) -> bool:
    return all(one.isprintable() or one in "\n\t" for one in shown)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_as_it_is_but_for_what_cannot_be_seen(name):
    assert harmless(plain.text(name))
    assert plain.text(name).isprintable() or "\n" in name
    visible = "CO on Pt(111), α-Al₂O₃, Ångström 日本 🙂"
    assert plain.text(visible) == visible


def test_a_document_is_made_plain_in_all_its_texts_and_in_no_number():
    given = {"a\x1b": ["\x1b[2J", {"b": "\u202e"}, 1.5, None, True], "positions": [[0.0, 1.0]]}
    assert plain.document(given) == {
        r"a\x1b": [r"\x1b[2J", {"b": r"\u202e"}, 1.5, None, True],
        "positions": [[0.0, 1.0]],
    }


def test_adhop_jobs_lists_hostile_names(url):
    wide = os.environ | {"ADHOP_URL": url, "ADHOP_KEY": "adhop_x_y", "COLUMNS": "1000", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "adhop.cli", "jobs"]
    ended = subprocess.run(
        command, env=wide | {"PYTHONPATH": CLIENT}, capture_output=True, encoding="utf-8", timeout=60
    )
    shown = ended.stdout
    assert not ended.stderr
    assert harmless(shown)
    assert "[/red] [bold]x[/bold] [link=http://evil]y[/link]" in shown
    assert r"\x1b]8;;http://evil\x07click" in shown
    assert r"ab\u202egnp.exe\u2066" in shown
    assert ":smile: \\[ \\" in shown


def test_refusals_reasons_and_warnings_are_made_plain(url, capsys):
    with Client(url, "adhop_x_y") as client:
        with pytest.raises(RequestRefused) as refused:
            client.job("refused")
        assert harmless(str(refused.value))
        job = client.job("1")
        assert harmless(repr(job))
        job.tell_warnings()
        with pytest.raises(Exception, match="failed") as failed:
            job.wait(progress=False)
    assert harmless(str(failed.value))
    assert harmless(capsys.readouterr().err)


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_tables_and_systems_take_no_name_for_a_style(terminal):
    text = io.StringIO()
    console = Console(file=text, width=200, force_terminal=terminal, no_color=True)  # one that has markup on
    name = NAMES[0]
    with Progress(console=console) as progress:
        progress.show(JOB | {"waiting_for": name, "adsorbate": name})
    console.print(tables.table(name, BODY | {"reference": name}))
    placement = {"index": 0, "site": name, "method": name}
    system = System.__new__(System)
    system.body = {"placements": [placement]}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("adhop.system._facts", lambda _: [(name, name)])
        console.print(system.table())
    assert text.getvalue().count("[/red] [bold]x[/bold]") >= 5


def test_texts_that_a_spreadsheet_would_compute_are_marked_and_numbers_are_not():
    odd = BODY["minima"][0] | {"site": '=HYPERLINK("http://evil")', "member": "@SUM(1)"}
    written = tables.csv_text(BODY | {"minima": [odd], "reference": "+1"})
    _, row = csv.reader(io.StringIO(written))
    assert row[1] == '\'=HYPERLINK("http://evil")'
    assert "'@SUM(1)" in row
    assert "'+1" in row
    assert "-1.800000" in row
    assert not [cell for cell in row if cell.startswith(("=", "+", "@"))]
