"""`python3 tests/gpu/run.py --wheels FOLDER --out FILE`: the whole proof in one call of ten minutes, on a machine with a GPU,
Python 3.12 and torch, and nothing else of ours: no PostgreSQL, no network, no environment. tests/gpu/wheels.py makes the folder.

Each step is a process of its own with a limit of its own; what it printed is kept, so a step that is cut costs its rest alone. FILE
is written after each. `--device cpu --quick` rehearses it without a GPU. Nothing but the standard library is imported here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from argparse import ArgumentParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FAULTS = ("eager", "scripted", "limited", "handle", "asserted", "after_assert")
MEMBERS = ("chgnet-0.3.0", "sevennet-0", "eqv2-small", "gemnet-oc-small", "escn-small")
NETWORKS = ("EquiformerV2-31M", "GemNet-OC", "eSCN-L6-M2-Lay12")
SEEN = """
import json, torch
from worker.members import devices
found = devices.cuda_devices()
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "driver": [vars(one) for one in found],
  "seen": [str(torch.cuda.get_device_properties(i).uuid) for i in range(torch.cuda.device_count())],
  "own": devices.own("cuda").title if found else "CPU"}))
"""
PYTEST = (
    "-m",
    "pytest",
    "-q",
    "-p",
    "no:cacheprovider",
    "-c",
    "tests/gpu/pytest.ini",
    "--noconftest",
    "tests/gpu",
    "-rs",
)


class Proof:
    """What was run, and how it ended."""

    def __init__(self, out: Path, until: float, environment: dict[str, str], patience: float) -> None:
        self._out, self._until, self._environment, self._patience = out, until, environment, patience
        self._steps: list[dict[str, Any]] = []

    def step(self, name: str, words: tuple[str, ...], limit_s: float, **variables: str) -> dict[str, Any]:
        """Run Python on these words; what it printed as JSON is in `told`."""
        limit = min(limit_s * self._patience, self._until - time.monotonic())
        began = time.monotonic()
        record: dict[str, Any] = {"step": name}
        if limit < 5:
            record["skipped"] = "no time was left"
        else:
            record |= _ran([sys.executable, *words], {**self._environment, **variables}, limit)
        record["took_s"] = round(time.monotonic() - began, 1)
        self._steps.append(record)
        self._out.write_text(json.dumps(self._steps, indent=1))
        print(f"{record['took_s']:6.1f} s  {name}: {record.get('exit', record.get('skipped'))}", flush=True)  # noqa: T201
        return record

    def failed(self) -> list[str]:
        return [step["step"] for step in self._steps if step.get("exit") not in (0, None)]


def _ran(words: list[str], environment: dict[str, str], limit: float) -> dict[str, Any]:
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=printed, stderr=errors)
        try:
            exit_status: int | str = child.wait(limit)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            exit_status = f"cut after {limit:.0f} s"
        for file in (printed, errors):
            file.seek(0)
        lines = printed.read().splitlines()
        record: dict[str, Any] = {
            "exit": exit_status,
            "told": [json.loads(one) for one in lines if one.startswith("{")],
        }
        if exit_status != 0:
            record["printed"] = lines[-30:]
            record["errors"] = errors.read()[-2000:]
        elif not record["told"]:
            record["printed"] = lines[-10:]
        return record


def main() -> int:
    """Entry point; the exit status is 1 where a step failed."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", type=Path, help="a folder of wheels, unpacked for these processes alone")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--seconds", type=float, default=560.0, help="for all of it")
    parser.add_argument("--quick", action="store_true", help="small batches, no network of the published size but one")
    asked = parser.parse_args()
    until = time.monotonic() + asked.seconds
    with tempfile.TemporaryDirectory() as site:
        if find_spec("wandb") is None:  # fairchem imports it, and logs nothing here
            Path(site, "wandb.py").write_text("")
        for wheel in sorted(asked.wheels.glob("*.whl")) if asked.wheels else ():
            with zipfile.ZipFile(wheel) as opened:
                opened.extractall(site)
        paths = os.pathsep.join([str(ROOT), site])
        environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        proof = Proof(asked.out, until, environment, patience=1.0 if asked.device == "cuda" else 5.0)
        _prove(proof, asked.device, quick=asked.quick)
        return 1 if proof.failed() else 0


def _prove(proof: Proof, device: str, *, quick: bool) -> None:
    seen = proof.step("devices", ("-c", SEEN), 60)
    for one in seen["told"][0]["driver"] if seen.get("told") else ():
        proof.step(f"pinned to {one['uuid']}", ("-c", SEEN), 60, CUDA_VISIBLE_DEVICES=one["uuid"])
    for name in FAULTS:
        proof.step(f"fault {name}", ("-m", "tests.gpu.faults", name), 60)
    proof.step("tests", PYTEST, 120)
    batches = ("--batches", "1,2") if quick else ()
    common = ("--device", device, "--seconds", "0.2" if quick else "2", *batches)
    for name in MEMBERS:
        proof.step(f"measure {name}", ("-m", "tests.gpu.measure", name, *common), 60)
    for name in NETWORKS[1:2] if quick else NETWORKS:
        proof.step(f"measure {name}", ("-m", "tests.gpu.measure", name, *common), 90)
    walkers = ("--device", device, "--seconds", "5" if quick else "20", *(("--batch", "2") if quick else ()))
    for name in MEMBERS[:1] if quick else (*MEMBERS[:2], *NETWORKS):
        proof.step(f"walks on {name}", ("-m", "tests.gpu.walks", name, *walkers), 60)
    if device == "cuda":
        for name in (*NETWORKS, *MEMBERS[:2]):
            words = ("-m", "tests.gpu.measure", name, "--tf32", "--batches", "1,32", "--seconds", "1")
            proof.step(f"measure {name}, tf32", words, 45)


if __name__ == "__main__":
    raise SystemExit(main())
