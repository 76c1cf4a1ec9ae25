"""Checkpoint files: another file, another family, code in a pickle, the format of 2022."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from shared.errors import MachineryFailure, Misconfigured
from tests.worker.potentials.oc20.test_potentials import ENTRIES, NAMES, TWENTY
from worker.potentials import registry

pytestmark = pytest.mark.potentials
torch = import_module("torch")


def entry_of(file, family="escn"):
    identity = import_module("worker.potentials.identity")
    return replace(ENTRIES["escn-small"], path=file, family=family, sha256=identity.sha256(file))


@pytest.mark.parametrize("name", NAMES)
def test_another_file_under_a_members_name_is_refused_before_it_is_read(name, tmp_path):
    file = tmp_path / "checkpoint.pt"
    file.write_bytes(ENTRIES[name].path.read_bytes() + b"\0")
    with pytest.raises(MachineryFailure, match=f"not the registered {ENTRIES[name].sha256}"):
        registry.load(replace(ENTRIES[name], path=file))


def test_a_file_of_another_family_is_refused():
    with pytest.raises(MachineryFailure, match="holds the network gemnet_oc, and is registered as escn"):
        registry.load(entry_of(ENTRIES["gemnet-oc-small"].path))


def test_an_entry_that_promises_too_much_is_refused():
    with pytest.raises(Misconfigured, match="names U"):
        registry.load(replace(ENTRIES["escn-small"], elements=frozenset({1, 92})))


class Runs:
    """Pickled, it would make a folder when it is read."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return Path.mkdir, (self.folder,)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    contents = torch.load(ENTRIES["escn-small"].path, weights_only=True)
    torch.save({**contents, "extra": Runs(tmp_path / "made")}, tmp_path / "file.pt")
    with pytest.raises(MachineryFailure, match="is not read"):
        registry.load(entry_of(tmp_path / "file.pt"))
    assert not (tmp_path / "made").exists()


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    torch.save({"weights": torch.zeros(3)}, tmp_path / "file.pt")
    with pytest.raises(MachineryFailure, match="not a checkpoint of fairchem"):
        registry.load(entry_of(tmp_path / "file.pt"))
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(MachineryFailure, match="is not read"):
        registry.load(entry_of(tmp_path / "text.pt"))


@pytest.mark.parametrize("name", NAMES)
def test_checkpoints_of_2022_are_read(name, tmp_path):
    """Their layout: the network's name alone, losses inside the optimiser's settings, two `module.` before each weight, normalisers
    by other names, a file of scale factors that is long gone, numbers of numpy and a path among the settings."""
    entry = ENTRIES[name]
    contents = torch.load(entry.path, weights_only=True)
    config = contents["config"]
    network = dict(config["model"])
    normalizers = contents["normalizers"]
    old = {
        "epoch": np.float64(3.5),
        "state_dict": {f"module.module.{key}": value for key, value in contents["state_dict"].items()},
        "normalizers": {
            "target": {"mean": normalizers["energy"]["mean"], "std": normalizers["energy"]["rmsd"]},
            "grad_target": {"mean": normalizers["forces"]["mean"], "std": normalizers["forces"]["rmsd"]},
        },
        "config": {
            "task": {"dataset": "trajectory_lmdb", "type": "regression", "train_on_free_atoms": True},
            "trainer": "equiformerv2_forces" if name == "eqv2-small" else "forces",
            "model": network.pop("name"),
            "model_attributes": {**network, "scale_file": "configs/s2ef/all/gemnet/scaling_factors/gemnet-oc.pt"}
            if name == "gemnet-oc-small"
            else network,
            "dataset": {
                "src": Path("/checkpoint/s2ef/2M/train"),
                "normalize_labels": True,
                "target_mean": np.float64(1),
            },
            "optim": {"force_coefficient": 100, "energy_coefficient": 4, "loss_energy": "mae", "loss_force": "l2mae"},
            "logger": "wandb",
            "amp": True,
            "cmd": {"seed": 0},
        },
        "amp": {"scale": 65536.0},
    }
    torch.save(old, tmp_path / "old.pt")
    again = registry.load(entry_of(tmp_path / "old.pt", entry.family))
    today = registry.load(entry).evaluate(TWENTY[:2])
    for one, other in zip(again.evaluate(TWENTY[:2]), today, strict=True):
        assert one.energy == other.energy
        assert np.array_equal(one.forces, other.forces)


# Searches
