"""MACE and UMA, each in its own environment, on checkpoints of random weights made on the spot."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from services.forces.potential import EnergyKind
from tests.worker.potentials.systems import twenty
from worker.potentials import identity

pytestmark = pytest.mark.potentials

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(__file__).parent / "environments"
PRECISIONS = {"mace": "float64", "uma": "float64"}


def python_of(environment: str) -> Path:
    """The interpreter of another environment; skips the test where it isn't built."""
    found = ROOT / f".venv-{environment}" / "bin" / "python"
    if not found.exists():
        pytest.skip(f"the environment {environment} isn't built: `make env-{environment}` builds it")
    return found


def run(python: Path, *words: str, given: str = "") -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore", "CUDA_VISIBLE_DEVICES": ""}
    finished = subprocess.run(
        [str(python), *words], input=given, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=580
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    return finished.stdout


def make_checkpoint(family: str, file: Path, *words: str) -> str:
    """A tiny checkpoint of the family in `file`; its SHA-256."""
    run(python_of(family), str(FOLDER / f"tiny_{family}.py"), str(file), *words)
    return identity.sha256(file)


@pytest.fixture(scope="module", params=["mace", "uma"])
def probed(request, tmp_path_factory) -> dict:
    """What the member and its package's own calculator answer on twenty structures, in float64."""
    family = request.param
    file = tmp_path_factory.mktemp(family) / f"tiny.{family}"
    sha256 = make_checkpoint(family, file)
    entry = {
        "name": f"tiny-{family}",
        "family": family,
        "path": str(file),
        "sha256": sha256,
        "energy_kind": "total",
        "elements": ["H", "C", "O", "Ni", "Cu", "Pd", "Pt"],
        "precision": PRECISIONS[family],
    }
    documents = json.dumps([one.to_document() for one in twenty()])
    answer = run(python_of(family), str(FOLDER / "probe.py"), json.dumps(entry), given=documents)
    return json.loads(answer.splitlines()[-1]) | {"entry": entry}


def furthest(one: list, other: list) -> tuple[float, float]:
    """Largest difference of energies, eV, and of force components, eV/Å."""
    energy = max(abs(a[0] - b[0]) for a, b in zip(one, other, strict=True))
    force = max(float(np.abs(np.array(a[1]) - np.array(b[1])).max()) for a, b in zip(one, other, strict=True))
    return energy, force


def test_answers_are_those_of_the_packages_own_calculator(probed):
    assert len(probed["single"]) == 20
    assert np.ptp([energy for energy, _ in probed["single"]]) > 0.1
    energy, force = furthest(probed["single"], probed["native"])
    assert energy < 1e-5
    assert force < 1e-5


def test_a_batch_gives_each_structure_its_own_answer(probed):
    energy, force = furthest(probed["single"], probed["batched"])
    assert energy < 1e-8
    assert force < 1e-8


def test_order_and_history_change_no_bit(probed):
    assert probed["again"] == probed["single"][:3]


def test_forces_are_the_gradient_of_the_energy(probed):
    forces = probed["single"][-1][1][-1]
    assert np.abs(forces).max() > 1e-3
    assert np.abs(np.array(forces) - probed["differences"]).max() < 1e-4


def test_the_card_is_that_of_its_entry(probed):
    card, entry = probed["card"], probed["entry"]
    assert (card["name"], card["sha256"]) == (entry["name"], entry["sha256"])
    assert card["energy_kind"] == EnergyKind.TOTAL
    assert card["elements"] == [1, 6, 8, 28, 29, 46, 78]
    assert card["cutoff"] == {"mace": 4.5, "uma": 5.0}[entry["family"]]
