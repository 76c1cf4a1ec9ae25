"""What the students are trained with, and how they are written as members."""

import numpy as np
import pytest

from benchmarks.challenge.frames import frame
from benchmarks.challenge.students import NAMES, TRAINING, digests
from benchmarks.challenge.training import BATCH, MEMBERS, Pace, register, settings
from benchmarks.systems import Case, build, starts
from services.forces.potential import EnergyKind
from worker.potentials import registry
from worker.potentials.identity import sha256


def frames():
    made = []
    for energy, one in zip((-1.0, 0.0, 1.0), starts(build(Case("Cu", "111", "*CO", (2, 2, 3))), 3, 0), strict=True):
        forces = np.where(one.free[:, None], 0.5, 7.0) * np.ones((len(one), 3))
        made.append(frame(one, energy, forces, "s"))
    return made


def test_energies_and_free_forces_alone_set_the_units(tmp_path):
    pace = Pace(epochs=3, lr=1e-3, energy_coefficient=1, force_coefficient=2)
    made = settings("escn", frames(), pace, tmp_path / "train.lmdb", tmp_path, seed=5)
    normalizer = made["dataset"]["train"]["transforms"]["normalizer"]
    assert normalizer["energy"] == {"mean": pytest.approx(0.0), "rmsd": pytest.approx(np.sqrt(2 / 3))}
    assert normalizer["forces"]["rmsd"] == pytest.approx(0.5)
    assert made["optimizer"]["total_steps"] == 3 * -(-3 // BATCH) + 1
    assert made["seed"] == 5


def test_checkpoints_are_members_that_the_registry_reads(tmp_path):
    for family in MEMBERS:
        (tmp_path / f"{family}.pt").write_bytes(family.encode())
    known = registry.read(register(tmp_path, "student", ["H", "Cu"], "a few labels", "a test"))
    for family, name in zip(MEMBERS, NAMES, strict=True):
        entry = known[name]
        assert entry.family == family
        assert entry.sha256 == sha256(tmp_path / f"{family}.pt")
        assert entry.energy_kind is EnergyKind.ADSORPTION


def test_a_checkpoint_that_is_not_there_yet_is_no_member(tmp_path):
    (tmp_path / "escn.pt").write_bytes(b"escn")
    known = registry.read(register(tmp_path, "student", ["H"], "a few labels", "a test"))
    assert "escn-student" in known.entries
    assert "eqv2-student" not in known.entries
    with pytest.raises(SystemExit, match="eqv2-student, gemnet-oc-student learned nothing yet"):
        digests(tmp_path)


def test_there_is_a_pace_for_each():
    assert set(TRAINING) == set(MEMBERS)
