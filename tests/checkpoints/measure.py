"""How good the small checkpoints are: `python -m tests.checkpoints.measure [FRAMES]` prints what README.md beside it says.

Frames are held-out ones with SevenNet-0's labels; left out, those of held_out.extxyz beside this file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read
from scipy.stats import pearsonr, spearmanr

from shared.structures import Floats, Structure
from worker.potentials import registry

HERE = Path(__file__).parent
MEMBERS = HERE / "members.toml"
NAMES = ("eqv2-small", "gemnet-oc-small", "escn-small")


def frames(file: Path = HERE / "held_out.extxyz") -> list[Atoms]:
    """Labelled frames of walkers that no network was trained on."""
    found: list[Atoms] = read(file, index=":", format="extxyz")
    return found


def predictions(labelled: list[Atoms]) -> tuple[Floats, list[Floats]]:
    """Energies, eV [n_members, n_frames], and for each member the errors of its forces on free atoms, eV/Å [n, 3]."""
    known = registry.read(MEMBERS)
    structures = [Structure.from_oc_atoms(atoms) for atoms in labelled]
    energies, force_errors = [], []
    for name in NAMES:
        answers = registry.load(known[name]).evaluate(structures)
        energies.append([answer.energy for answer in answers])
        wrong = [
            (answer.forces - atoms.get_forces(apply_constraint=False))[structure.free]
            for answer, atoms, structure in zip(answers, labelled, structures, strict=True)
        ]
        force_errors.append(np.concatenate(wrong))
    return np.array(energies), force_errors


def figures(labelled: list[Atoms]) -> dict[str, Any]:
    """Errors of each member and of their mean, and how the spread goes with the error of the mean."""
    energies, force_errors = predictions(labelled)
    errors = energies - np.array([atoms.get_potential_energy() for atoms in labelled])
    mean = np.abs(errors.mean(axis=0))
    spread = energies.std(axis=0, ddof=1)
    agreed = spread <= np.median(spread)
    return {
        "frames": len(labelled),
        "energy_mae": dict(zip(NAMES, np.abs(errors).mean(axis=1).round(3).tolist(), strict=True)),
        "force_mae": dict(zip(NAMES, [round(float(np.abs(one).mean()), 3) for one in force_errors], strict=True)),
        "mean_energy_mae": round(float(mean.mean()), 3),
        "spread_pearson": round(float(pearsonr(spread, mean).statistic), 2),
        "spread_spearman": round(float(spearmanr(spread, mean).statistic), 2),
        "within_0.1_eV": round(float((mean < 0.1).mean()), 2),
        "within_0.1_eV_of_the_half_that_agrees_best": round(float((mean[agreed] < 0.1).mean()), 2),
    }


if __name__ == "__main__":
    asked = frames(Path(sys.argv[1])) if len(sys.argv) > 1 else frames()
    sys.stdout.write(json.dumps(figures(asked), indent=2) + "\n")
