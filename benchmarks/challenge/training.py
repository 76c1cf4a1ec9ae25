"""Small EquiformerV2, GemNet-OC and eSCN trained on labelled frames by fairchem-core's own trainer, and written as members."""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import torch
from ase import Atoms

from benchmarks.challenge.networks import ENERGY_GAIN, GAIN, NETWORKS
from worker.potentials.identity import sha256

MEMBERS = {"equiformer_v2": "eqv2", "gemnet_oc": "gemnet-oc", "escn": "escn"}
"""What they are called as members, by family; a suffix tells one set of checkpoints from another."""
SEED = 1
BATCH = 8


@dataclass(frozen=True)
class Pace:
    """How long and how fast."""

    epochs: int
    lr: float
    energy_coefficient: float
    force_coefficient: float
    rounds: int = 1
    """Times that it goes through its epochs, from what the round before learned, at half the rate of that."""


def store(frames: Sequence[Atoms], file: Path) -> Path:
    """The frames as the LMDB that fairchem's trainer reads; processes that train side by side may share it."""
    import_module("worker.potentials.oc20.fairchem")  # the stand-in in its place
    to_graphs = import_module("fairchem.core.preprocessing").AtomsToGraphs
    if not file.exists():
        convert = to_graphs(r_energy=True, r_forces=True, r_distances=False, r_edges=False, r_pbc=True).convert
        part = file.with_suffix(f".{os.getpid()}")
        with lmdb.open(str(part), map_size=1 << 30, subdir=False, lock=False) as db, db.begin(write=True) as opened:
            for index, atoms in enumerate(frames):
                opened.put(f"{index}".encode(), pickle.dumps(convert(atoms, sid=index), protocol=-1))
            opened.put(b"length", pickle.dumps(len(frames), protocol=-1))
        part.replace(file)
    return file


def settings(family: str, train: Sequence[Atoms], pace: Pace, file: Path, run_dir: Path, seed: int) -> dict[str, Any]:
    """What fairchem's trainer is made with."""
    energies = np.array([atoms.get_potential_energy() for atoms in train])
    forces = np.concatenate([np.delete(atoms.get_forces(), atoms.constraints[0].index, axis=0) for atoms in train])
    normalizer = {
        "energy": {"mean": float(energies.mean()), "rmsd": float(energies.std())},
        "forces": {"mean": 0.0, "rmsd": float(np.sqrt((forces**2).mean()))},
    }
    return {
        "task": {},
        "model": {**NETWORKS[family], "otf_graph": True},
        "outputs": {
            "energy": {"shape": 1, "level": "system"},
            "forces": {"irrep_dim": 1, "level": "atom", "train_on_free_atoms": True, "eval_on_free_atoms": True},
        },
        "dataset": {"train": {"format": "lmdb", "src": str(file), "transforms": {"normalizer": normalizer}}},
        "optimizer": _optimizer(pace, pace.epochs * -(-len(train) // BATCH)),
        "loss_functions": [
            {"energy": {"fn": "mae", "coefficient": pace.energy_coefficient}},
            {"forces": {"fn": "l2mae", "coefficient": pace.force_coefficient}},
        ],
        "evaluation_metrics": {"metrics": {"energy": ["mae"], "forces": ["mae"]}, "primary_metric": "forces_mae"},
        "identifier": family,
        "run_dir": str(run_dir),
        "local_rank": 0,
        "is_debug": False,
        "logger": "tensorboard",
        "name": "ocp",
        "seed": seed,
        "cpu": True,
        "print_every": 10**9,
    }


def _optimizer(pace: Pace, steps: int) -> dict[str, Any]:
    return {
        "batch_size": BATCH,
        "eval_batch_size": BATCH,
        "num_workers": 0,
        "lr_initial": pace.lr,
        "optimizer": "AdamW",
        "optimizer_params": {"amsgrad": True, "weight_decay": 0.0},
        "scheduler": "OneCycleLR",
        "max_lr": pace.lr,
        "total_steps": steps + 1,
        "pct_start": 0.1,
        "max_epochs": pace.epochs,
        "clip_grad_norm": 10,
        "ema_decay": 0.99,
        "checkpoint_every": 10**9,
        "eval_every": 10**9,
    }


def train(family: str, frames: Sequence[Atoms], pace: Pace, folder: Path, file: Path, *, seed: int = SEED) -> Path:
    """Train one network and write its checkpoint. folder: for what lies between; a round that is there already isn't made again."""
    begins = None
    for number in range(pace.rounds):
        after = folder / f"{family}-round-{number}.pt" if number + 1 < pace.rounds else file
        if after is file or not after.exists():
            mine = replace(pace, lr=pace.lr / 2**number)
            _round(family, frames, mine, folder, after, begins=begins, seed=seed + number)
        begins = after
    return file


def _round(
    family: str, frames: Sequence[Atoms], pace: Pace, folder: Path, file: Path, *, begins: Path | None, seed: int
) -> Path:
    """begins: whose weights it goes on from."""
    fairchem = import_module("worker.potentials.oc20.fairchem")
    source = store(frames, folder / f"train-{len(frames)}.lmdb")
    made = settings(family, frames, pace, source, folder / family, seed)
    with fairchem.quiet():
        trainer = fairchem.registry.get_trainer_class("ocp")(**made)
        for module in trainer.model.modules():
            if type(module).__name__ == "ScaleFactor":  # GemNet's, fitted on far more data in print
                module.set_(1.0)
        if begins is None:
            _enlarge(trainer.model, family)
        else:
            trainer.model.load_state_dict(torch.load(begins, map_location="cpu", weights_only=True)["state_dict"])
        trainer.train(disable_eval_tqdm=True)
        if trainer.ema is not None:
            trainer.ema.copy_to()
        trainer.ema = None
        saved = Path(trainer.save(checkpoint_file="final.pt", training_state=False))
    return _published(saved, file, seed)


def _enlarge(network: Any, family: str) -> None:
    """First weights of a network that needs them larger."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.mul_(GAIN.get(family, 1.0))
        if family in ENERGY_GAIN:
            network.energy_block.fc3.weight.mul_(ENERGY_GAIN[family])


def _published(saved: Path, file: Path, seed: int) -> Path:
    """The checkpoint without the folders of the machine that made it."""
    contents = torch.load(saved, map_location="cpu", weights_only=True)
    config = contents["config"]
    config["dataset"]["src"] = "train.lmdb"
    config["cmd"] = {"seed": seed, "version": config["cmd"]["version"]}
    part = file.with_suffix(".part")
    torch.save(contents, part)
    return part.replace(file)


def register(folder: Path, suffix: str, elements: Sequence[str], trained_on: str, by: str) -> Path:
    """The folder's checkpoints as the administrator's file of members names them."""
    quoted = ", ".join(f'"{element}"' for element in elements)
    tables = [
        f"""[[member]]
name = "{name}-{suffix}"
family = "{family}"
path = "{family}.pt"
sha256 = "{sha256(folder / f"{family}.pt")}"
energy_kind = "adsorption"
elements = [{quoted}]
trained_on = "{trained_on}"
license = "MIT"
"""
        for family, name in MEMBERS.items()
        if (folder / f"{family}.pt").exists()
    ]
    file = folder / "members.toml"
    file.write_text(f"# Written by {by}.\n\n" + "\n".join(tables))
    return file
