"""The proof's own parts, without a GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gpu import run, wheels

ROOT = Path(__file__).resolve().parents[2]


def test_every_wheel_is_pinned_to_what_the_members_run_on():
    assert [name for name in wheels.NAMES if "==" not in wheels.pinned(name)] == []


@pytest.mark.potentials
def test_a_fault_is_brought_about_and_told():
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.gpu.faults", "scripted"],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    told = json.loads(finished.stdout)
    assert (told["raised"], told["ours"]) == ("RuntimeError", "OutOfMemory")
    assert "can't allocate memory" in told["reason"]


def test_a_step_that_fails_or_hangs_costs_itself_alone(tmp_path):
    proof = run.Proof(tmp_path / "gpu.json", run.time.monotonic() + 60, dict(os.environ), patience=1.0)
    assert proof.step("well", ("-c", "print('{\"a\": 1}')"), 20)["told"] == [{"a": 1}]
    proof.step("raises", ("-c", "print('{\"b\": 2}', flush=True); raise SystemExit(3)"), 20)
    hung = proof.step("hangs", ("-c", "import time; print('{\"c\": 3}', flush=True); time.sleep(60)"), 5)
    assert (hung["exit"], hung["told"]) == ("cut after 5 s", [{"c": 3}])
    assert proof.failed() == ["raises", "hangs"]
    kept = json.loads((tmp_path / "gpu.json").read_text())
    assert [step["step"] for step in kept] == ["well", "raises", "hangs"]
