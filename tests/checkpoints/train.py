"""Trains the small checkpoints: `python -m tests.checkpoints.train [NETWORK...] [--work FOLDER]`. See README.md beside it.

Labels are made first and kept in the folder (a quarter of an hour on one core), then each network takes 5 to 15 minutes.
"""

from __future__ import annotations

import pickle
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import torch
from ase import Atoms
from ase.io import write

from tests.checkpoints import labels
from tests.checkpoints.networks import ENERGY_GAIN, GAIN, NETWORKS, TRAINING
from worker.potentials.identity import sha256
from worker.potentials.oc20.fairchem import quiet, registry

HERE = Path(__file__).parent
MEMBERS = {"equiformer_v2": "eqv2-small", "gemnet_oc": "gemnet-oc-small", "escn": "escn-small"}
"""What they are called as members."""
SEED = 1
BATCH = 8


def store(frames: Sequence[Atoms], file: Path) -> Path:
    """The frames as the LMDB that fairchem's trainer reads."""
    to_graphs = import_module("fairchem.core.preprocessing").AtomsToGraphs  # which needs the stand-in in its place
    if not file.exists():
        convert = to_graphs(r_energy=True, r_forces=True, r_distances=False, r_edges=False, r_pbc=True).convert
        with lmdb.open(str(file), map_size=1 << 30, subdir=False, lock=False) as db, db.begin(write=True) as opened:
            for index, atoms in enumerate(frames):
                opened.put(f"{index}".encode(), pickle.dumps(convert(atoms, sid=index), protocol=-1))
            opened.put(b"length", pickle.dumps(len(frames), protocol=-1))
    return file


def settings(name: str, train: Sequence[Atoms], file: Path, run_dir: Path) -> dict[str, Any]:
    """What fairchem's trainer is made with."""
    pace = TRAINING[name]
    energies = np.array([atoms.get_potential_energy() for atoms in train])
    forces = np.concatenate([np.delete(atoms.get_forces(), atoms.constraints[0].index, axis=0) for atoms in train])
    normalizer = {
        "energy": {"mean": float(energies.mean()), "rmsd": float(energies.std())},
        "forces": {"mean": 0.0, "rmsd": float(np.sqrt((forces**2).mean()))},
    }
    steps = int(pace["epochs"]) * -(-len(train) // BATCH)
    return {
        "task": {},
        "model": {**NETWORKS[name], "otf_graph": True},
        "outputs": {
            "energy": {"shape": 1, "level": "system"},
            "forces": {"irrep_dim": 1, "level": "atom", "train_on_free_atoms": True, "eval_on_free_atoms": True},
        },
        "dataset": {"train": {"format": "lmdb", "src": str(file), "transforms": {"normalizer": normalizer}}},
        "optimizer": {
            "batch_size": BATCH,
            "eval_batch_size": BATCH,
            "num_workers": 0,
            "lr_initial": pace["lr"],
            "optimizer": "AdamW",
            "optimizer_params": {"amsgrad": True, "weight_decay": 0.0},
            "scheduler": "OneCycleLR",
            "max_lr": pace["lr"],
            "total_steps": steps + 1,
            "pct_start": 0.1,
            "max_epochs": int(pace["epochs"]),
            "clip_grad_norm": 10,
            "ema_decay": 0.99,
            "checkpoint_every": 10**9,
            "eval_every": 10**9,
        },
        "loss_functions": [
            {"energy": {"fn": "mae", "coefficient": pace["energy_coefficient"]}},
            {"forces": {"fn": "l2mae", "coefficient": pace["force_coefficient"]}},
        ],
        "evaluation_metrics": {"metrics": {"energy": ["mae"], "forces": ["mae"]}, "primary_metric": "forces_mae"},
        "identifier": name,
        "run_dir": str(run_dir),
        "local_rank": 0,
        "is_debug": False,
        "logger": "tensorboard",
        "name": "ocp",
        "seed": SEED,
        "cpu": True,
        "print_every": 10**9,
    }


def enlarge(network: Any, name: str) -> None:
    """First weights of a network that needs them larger."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.mul_(GAIN.get(name, 1.0))
        if name in ENERGY_GAIN:
            network.energy_block.fc3.weight.mul_(ENERGY_GAIN[name])


def train(name: str, frames: Sequence[Atoms], folder: Path) -> Path:
    """Train one network and write its checkpoint beside this script."""
    file = store(frames, folder / "train.lmdb")
    made = settings(name, frames, file, folder / name)
    with quiet():
        trainer = registry.get_trainer_class("ocp")(**made)
        for module in trainer.model.modules():
            if type(module).__name__ == "ScaleFactor":  # GemNet's, fitted on far more data in print
                module.set_(1.0)
        enlarge(trainer.model, name)
        trainer.train(disable_eval_tqdm=True)
        if trainer.ema is not None:
            trainer.ema.copy_to()
        trainer.ema = None
        saved = Path(trainer.save(checkpoint_file="final.pt", training_state=False))
    return published(saved, HERE / f"{name}.pt")


def published(saved: Path, file: Path) -> Path:
    """The checkpoint without the folders of the machine that made it."""
    contents = torch.load(saved, map_location="cpu", weights_only=True)
    config = contents["config"]
    config["dataset"]["src"] = "train.lmdb"
    config["cmd"] = {"seed": SEED, "version": config["cmd"]["version"]}
    torch.save(contents, file)
    return file


def register(file: Path = HERE / "members.toml") -> None:
    """The checkpoints as the administrator's file of members names them."""
    tables = [
        f"""[[member]]
name = "{member}"
family = "{name}"
path = "{name}.pt"
sha256 = "{sha256(HERE / f"{name}.pt")}"
energy_kind = "adsorption"
elements = ["H", "O", "C", "Ni", "Cu", "Pd", "Ag", "Pt"]
trained_on = "1.5 thousand small adslabs labelled by SevenNet-0: a test instrument, not for science"
license = "MIT"
"""
        for name, member in MEMBERS.items()
    ]
    file.write_text("# Written by train.py beside it.\n\n" + "\n".join(tables))


def main() -> None:
    """Entry point."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--work", type=Path, default=Path(".adhop/checkpoints"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    frames, held_out = labels.make(asked.work)
    write(HERE / "held_out.extxyz", held_out[::3], format="extxyz")
    for name in asked.networks:
        began = time.monotonic()
        file = train(name, frames, asked.work)
        print(f"{name}: {file}, {file.stat().st_size / 1e6:.2f} MB, {(time.monotonic() - began) / 60:.0f} minutes")  # noqa: T201
    if all((HERE / f"{name}.pt").exists() for name in MEMBERS):
        register()


if __name__ == "__main__":
    main()
