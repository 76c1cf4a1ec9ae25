"""Trains the small checkpoints: `python -m tests.checkpoints.train [NETWORK...] [--work FOLDER]`. See README.md beside it.

Labels are made first and kept in the folder (a quarter of an hour on one core), then each network takes 5 to 15 minutes.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from pathlib import Path

import torch
from ase.io import write

from benchmarks.challenge.networks import NETWORKS
from benchmarks.challenge.training import MEMBERS, register, train
from tests.checkpoints import labels
from tests.checkpoints.networks import TRAINING

HERE = Path(__file__).parent
ELEMENTS = ("H", "O", "C", "Ni", "Cu", "Pd", "Ag", "Pt")
TRAINED_ON = "1.5 thousand small adslabs labelled by SevenNet-0: a test instrument, not for science"


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
        file = train(name, frames, TRAINING[name], asked.work, HERE / f"{name}.pt")
        print(f"{name}: {file}, {file.stat().st_size / 1e6:.2f} MB, {(time.monotonic() - began) / 60:.0f} minutes")  # noqa: T201
    if all((HERE / f"{name}.pt").exists() for name in MEMBERS):
        register(HERE, "small", ELEMENTS, TRAINED_ON, "train.py beside it")


if __name__ == "__main__":
    main()
