"""How good the small checkpoints are: `python -m tests.checkpoints.measure [FRAMES]` prints what README.md beside it says.

Frames are held-out ones with SevenNet-0's labels; left out, those of held_out.extxyz beside this file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.io import read

from benchmarks.challenge import accuracy
from worker.potentials import registry

HERE = Path(__file__).parent
MEMBERS = HERE / "members.toml"
NAMES = ("eqv2-small", "gemnet-oc-small", "escn-small")


def frames(file: Path = HERE / "held_out.extxyz") -> list[Atoms]:
    """Labelled frames of walkers that no network was trained on."""
    found: list[Atoms] = read(file, index=":", format="extxyz")
    return found


def figures(labelled: list[Atoms]) -> dict[str, Any]:
    """Errors of each member and of their mean, and how the spread goes with the error of the mean."""
    known = registry.read(MEMBERS)
    return accuracy.figures(labelled, {name: registry.load(known[name]) for name in NAMES})


if __name__ == "__main__":
    asked = frames(Path(sys.argv[1])) if len(sys.argv) > 1 else frames()
    sys.stdout.write(json.dumps(figures(asked), indent=2) + "\n")
