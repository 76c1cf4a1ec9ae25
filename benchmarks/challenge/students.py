"""The students: what they are trained with, how they are loaded, and the teacher's scale that they learned."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.challenge import accuracy, labels
from benchmarks.challenge.searching import Teacher
from benchmarks.challenge.systems import METALS
from benchmarks.challenge.training import MEMBERS, Pace, register, train
from services.forces.potential import Potential
from worker.potentials import registry
from worker.potentials.registry import Registry

TRAINING = {
    "equiformer_v2": Pace(epochs=5, lr=4e-3, energy_coefficient=10, force_coefficient=20, rounds=3),
    "gemnet_oc": Pace(epochs=6, lr=2e-3, energy_coefficient=10, force_coefficient=20, rounds=2),
    "escn": Pace(epochs=6, lr=4e-3, energy_coefficient=10, force_coefficient=40, rounds=2),
}
SUFFIX = "student"
NAMES = tuple(f"{name}-{SUFFIX}" for name in MEMBERS.values())


def learn(labels_in: Path, folder: Path, into: Path, *, families: Sequence[str], seed: int = 0) -> None:
    """Train those that have no checkpoint yet. folder: for what lies between; into: where checkpoints, scale and members file go."""
    learned_from, _ = labels.load(labels_in, seed=seed)
    teacher = labels.teacher_of(labels_in)
    into.mkdir(parents=True, exist_ok=True)
    scale = into / "scale.json"
    if not scale.exists():
        per_atom = labels.constants_of(learned_from).round(4).tolist()
        told = {"teacher": teacher, "elements": labels.ELEMENTS, "per_atom": per_atom, "frames": len(learned_from)}
        scale.write_text(json.dumps(told, indent=2) + "\n")
    frames = labels.on_scale(learned_from, _per_atom(into))
    for family in families:
        file = into / f"{family}.pt"
        if not file.exists():
            began = time.process_time()
            train(family, frames, TRAINING[family], folder, file, seed=seed + 1)
            took = (time.process_time() - began) / 60
            sys.stderr.write(
                f"{family}: {len(frames)} frames, {file.stat().st_size / 1e6:.2f} MB, {took:.0f} minutes\n"
            )
    trained_on = f"{len(frames)} small adslabs labelled by {teacher}: for benchmarks.challenge alone, not for science"
    register(into, SUFFIX, ["H", "C", "O", *METALS], trained_on, "benchmarks/challenge/students.py")


def _members(checkpoints: Path) -> Registry:
    return registry.read(checkpoints / "members.toml")


def digests(checkpoints: Path) -> dict[str, str]:
    """SHA-256 of each student's checkpoint. Ends the program where one isn't trained yet."""
    known = _members(checkpoints)
    if missing := [name for name in NAMES if name not in known.entries]:
        raise SystemExit(
            f"{', '.join(missing)} learned nothing yet: `python -m benchmarks.challenge train`, then the same again"
        )
    return {name: known[name].sha256 or "" for name in NAMES}


def load(checkpoints: Path) -> dict[str, Potential]:
    """All three."""
    known = _members(checkpoints)
    return {name: registry.load(known[name]) for name in NAMES}


def teacher(checkpoints: Path) -> Teacher:
    """Who labelled, with the scale that the students learned."""
    name = json.loads((checkpoints / "scale.json").read_text())["teacher"]
    return Teacher(registry.load(name), _per_atom(checkpoints))


def _per_atom(checkpoints: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array(json.loads((checkpoints / "scale.json").read_text())["per_atom"])


def measured(labels_in: Path, checkpoints: Path, *, seed: int = 0) -> dict[str, Any]:
    """How good the students are on every third frame of the held-out systems."""
    _, held_out = labels.load(labels_in, seed=seed)
    frames = labels.on_scale(held_out, _per_atom(checkpoints))[::3]
    return accuracy.figures(frames, load(checkpoints))
