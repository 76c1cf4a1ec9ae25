"""The command as people call it: every kind of output, and what it refuses."""

import csv
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from evaluation.__main__ import main

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def table(tmp_path) -> Path:
    """Forty systems of three candidates by three members; no DFT."""
    rng = np.random.default_rng(0)
    lines = ["system,candidate,energy:a,energy:b,energy:c,reference,method,anomalies"]
    for system in range(40):
        for candidate in range(3):
            width = rng.uniform(0, 0.3)
            energies = ",".join(f"{-1 + candidate * 0.2 + rng.normal(0, width):.4f}" for _ in range(3))
            method = ("BFGS", "BFGS + restraints")[candidate % 2]
            lines.append(f"s{system},{candidate},{energies},,{method},{'desorbed' if rng.random() < 0.1 else ''}")
    (tmp_path / "set.csv").write_text("\n".join(lines))
    return tmp_path / "set.csv"


def test_every_output_says_what_stands_for_dft(table, tmp_path, capsys):
    outputs = {kind: tmp_path / f"out.{kind}" for kind in ("json", "csv", "png", "html")}
    options = [part for kind, path in outputs.items() for part in (f"--{kind}", str(path))]
    assert main(["--table", str(table), "--stand-in", "c", *options]) == 0
    words = "stand-in: c, a potential and not DFT"
    shown = " ".join(capsys.readouterr().out.split())
    for part in (words, "1. Anomalies", "2. Search", "3. Energies", "Challenge", "Pearson", "random halves"):
        assert part in shown
    (body,) = json.loads(outputs["json"].read_text())
    assert body["evaluation"]["reference"] == words
    assert body["evaluation"]["members"] == ["a", "b"]
    assert body["calibration"]["target"] == {"share": 0.9, "error": 0.1}
    rows = list(csv.DictReader(outputs["csv"].read_text().splitlines()))
    assert {row["reference"] for row in rows} == {words}
    share = next(row for row in rows if row["table"] == "3. Energies" and row["row"].startswith("ensemble,"[:-1]))
    assert float(share["share"]) == pytest.approx(int(share["hits"]) / int(share["count"]), abs=1e-6)
    assert outputs["png"].read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    page = outputs["html"].read_text()
    assert words in page
    assert "<svg" in page
    assert not re.search(r"<script|<link|<img|src=|url\(http", page)  # nothing is loaded from elsewhere


def test_no_reference_and_no_stand_in_is_an_error(table, capsys):
    assert main(["--table", str(table)]) == 2
    assert "--stand-in" in capsys.readouterr().err
    assert main(["--table", str(table), "--stand-in", "x"]) == 2
    assert "none of the members a, b, c" in capsys.readouterr().err
    assert main(["--table", str(table.with_name("missing.csv"))]) == 2


def test_the_script_runs_from_any_folder(table, tmp_path):
    done = subprocess.run(
        [ROOT / "evaluation" / "adhop-evaluate", "--table", table, "--stand-in", "a"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "stand-in: a" in done.stdout


GOOD = "system,candidate,energy:a,energy:b,reference\ns,0,-1,-1.1,-1.05\n"


def refused(capsys, *words: str) -> str:
    """What is said of a command line that can't be used: one line."""
    assert main(list(words)) == 2
    said = capsys.readouterr()
    assert said.err.startswith("adhop-evaluate: ")
    assert said.err.count("\n") == 1, said.err
    return said.err


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("set.csv", "", "has no rows"),
        ("set.csv", GOOD.split("\n")[0], "has no rows"),
        ("set.csv", "system,candidate,reference\ns,0,-1\n", "lacks a column energy:MEMBER"),
        ("set.csv", "candidate,energy:a\n0,-1\n", "lacks a system"),
        ("set.csv", GOOD + ",1,-1,-1,-1\n", "lacks a system"),
        ("set.csv", GOOD.replace("-1.05", "low"), "reference 'low' of s is no finite number"),
        ("set.csv", GOOD.replace("-1.05", "inf"), "reference 'inf' of s is no finite number"),
        ("set.csv", GOOD.replace("-1.1", "1e999"), "energy:b '1e999' of s is no finite number"),
        ("set.csv", b"\xff\xfe\x00", "is no CSV file"),
        ("set.csv", "system,candidate\n" + 'x"' * 200_000, "is no CSV file"),
        ("set.extxyz", "no frames\n", "can't be read as extxyz"),
        ("set.extxyz", '2\nLattice="1 2\nPt 0 0\n', "can't be read as extxyz"),
        ("set.extxyz", b"\xff\xfe\x00", "can't be read as extxyz"),
    ],
)
def test_a_table_that_cannot_be_used_is_said_in_one_line(tmp_path, capsys, name, content, said):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert said in refused(capsys, "--table", str(path))


def test_a_table_that_is_none_or_of_nobody_is_said_in_one_line(tmp_path, capsys):
    assert "is a directory" in refused(capsys, "--table", str(tmp_path)).lower()
    assert "No such file" in refused(capsys, "--table", str(tmp_path / "none.extxyz"))
    (tmp_path / "set.csv").write_text(GOOD)
    for limit in ("nan", "-1", "0", "inf"):
        assert "above 0 eV" in refused(capsys, "--table", str(tmp_path / "set.csv"), f"--limit={limit}")


@pytest.mark.parametrize("kind", ["json", "csv", "png", "html"])
def test_an_output_that_cannot_be_written_is_said_in_one_line(table, tmp_path, capsys, kind):
    missing = tmp_path / "missing" / f"out.{kind}"
    said = refused(capsys, "--table", str(table), "--stand-in", "c", f"--{kind}", str(missing))
    assert f"{missing}: No such file or directory" in said
    if os.geteuid() == 0:
        assert "/proc/out" in refused(capsys, "--table", str(table), "--stand-in", "c", f"--{kind}", "/proc/out")


@pytest.mark.parametrize(
    ("targets", "relaxed", "said"),
    [
        (None, {}, "No such file"),
        ([], {}, "expected a dictionary of systems"),
        ({"s": [1]}, {}, "expected pairs"),
        ({"s": [("c", "low")]}, {}, "expected pairs"),
        ({"s": [("c", -1.0)]}, [], "expected a dictionary of models"),
        ({"s": [("c", -1.0)]}, {"m": {"s": 1}}, "configuration: energy in eV"),
        ({"s": [("c", -1.0)]}, {"m": {"s": {"c": "low"}}}, "configuration: energy in eV"),
        ({"s": [("c", -1.0)]}, os.system, "wants to load"),
    ],
)
def test_labels_of_oc20_dense_that_cannot_be_used(tmp_path, capsys, targets, relaxed, said):
    if targets is not None:
        (tmp_path / "oc20dense_val_targets.pkl").write_bytes(pickle.dumps(targets))
    (tmp_path / "ml_relaxed_dft_targets.pkl").write_bytes(pickle.dumps(relaxed))
    assert said in refused(capsys, "--oc20dense", str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"<html>", b"\x80\x04\x95", b"cnowhere\nnothing\n.", b"\x80\x63", b"(lp0\n"])
def test_bytes_that_are_no_pickle(tmp_path, capsys, content):
    for name in ("oc20dense_val_targets.pkl", "ml_relaxed_dft_targets.pkl"):
        (tmp_path / name).write_bytes(content)
    refused(capsys, "--oc20dense", str(tmp_path))


def test_predictions_without_their_columns(tmp_path, capsys):
    (tmp_path / "mine.csv").write_text("system,candidate\ns,c\n")
    words = ("--oc20dense", str(tmp_path), "--predictions", str(tmp_path / "mine.csv"))
    assert "a row has no energy" in refused(capsys, *words)


@pytest.fixture
def elsewhere(monkeypatch) -> Iterator[dict[str, bytes]]:
    """A server that is no Adhop server; what it answers."""
    answer = {"type": b"application/json", "body": b"{"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(int(answer.get("status", b"200")))
            self.send_header("Content-Type", answer["type"].decode())
            self.end_headers()
            self.wfile.write(answer["body"])

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("ADHOP_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("ADHOP_KEY", "adhop_0a1b2c3d_" + "e" * 64)
    yield answer
    server.shutdown()
    server.server_close()


def test_jobs_of_a_server_that_cannot_be_used(elsewhere, capsys, monkeypatch):
    assert "no JSON" in refused(capsys, "--jobs", "1")
    for kind, body in ((b"application/json", b"[]"), (b"application/json", b"{}"), (b"text/html", b"<html>")):
        elsewhere |= {"type": kind, "body": body}
        assert "not that of an Adhop server" in refused(capsys, "--jobs", "1")
    elsewhere |= {
        "status": b"401",
        "type": b"application/json",
        "body": b'{"detail": "the API key is unknown or revoked"}',
    }
    said = refused(capsys, "--jobs", "1")
    assert "unknown or revoked" in said
    assert "eeee" not in said
    assert "can't be asked" in refused(capsys, "--jobs", "1\n2")
    monkeypatch.setenv("ADHOP_URL", "not an address")
    assert "is no address of a server" in refused(capsys, "--jobs", "1")
    monkeypatch.delenv("ADHOP_URL")
    assert "set ADHOP_URL" in refused(capsys, "--jobs", "1")
    monkeypatch.setenv("ADHOP_URL", "http://x")
    monkeypatch.setenv("ADHOP_KEY", "two words")
    assert "holds no API key" in refused(capsys, "--jobs", "1")


def test_a_server_that_is_away_is_said_in_one_line(capsys, monkeypatch):
    monkeypatch.setenv("ADHOP_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert "after 5 tries" in refused(capsys, "--jobs", "1")


def test_interrupting_it_is_said_in_one_line(tmp_path):
    os.mkfifo(tmp_path / "set.csv")  # nothing comes, so it waits
    command = [sys.executable, "-m", "evaluation", "--table", str(tmp_path / "set.csv")]
    waiting = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    with (tmp_path / "set.csv").open("w"):  # opens when it reads
        waiting.send_signal(signal.SIGINT)
        _, said = waiting.communicate(timeout=60)
    assert (waiting.returncode, said) == (130, "adhop-evaluate: interrupted\n")
