"""The command as people call it: every kind of output, and what it refuses."""

import csv
import json
import re
import subprocess
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
    assert main(["--table", str(table)]) == 1
    assert "--stand-in" in capsys.readouterr().err
    assert main(["--table", str(table), "--stand-in", "x"]) == 1
    assert "none of the members a, b, c" in capsys.readouterr().err
    assert main(["--table", str(table.with_name("missing.csv"))]) == 1


def test_the_script_runs_from_any_folder(table, tmp_path):
    done = subprocess.run(
        [ROOT / "evaluation" / "adhop-evaluate", "--table", table, "--stand-in", "a"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "stand-in: a" in done.stdout
