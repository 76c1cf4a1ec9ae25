"""How far members are from labelled frames, and whether their spread tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from scipy.stats import pearsonr, spearmanr

from services.forces.potential import Potential
from shared.structures import Floats, Structure


def predictions(labelled: Sequence[Atoms], members: Mapping[str, Potential]) -> tuple[Floats, list[Floats]]:
    """Energies, eV [n_members, n_frames], and for each member the errors of its forces on free atoms, eV/Å [n, 3]."""
    structures = [Structure.from_oc_atoms(atoms) for atoms in labelled]
    energies, force_errors = [], []
    for potential in members.values():
        answers = potential.evaluate(structures)
        energies.append([answer.energy for answer in answers])
        wrong = [
            (answer.forces - atoms.get_forces(apply_constraint=False))[structure.free]
            for answer, atoms, structure in zip(answers, labelled, structures, strict=True)
        ]
        force_errors.append(np.concatenate(wrong))
    return np.array(energies), force_errors


def figures(labelled: Sequence[Atoms], members: Mapping[str, Potential]) -> dict[str, Any]:
    """Errors of each member and of their mean, and how the spread goes with the error of the mean."""
    energies, force_errors = predictions(labelled, members)
    errors = energies - np.array([atoms.get_potential_energy() for atoms in labelled])
    mean = np.abs(errors.mean(axis=0))
    spread = energies.std(axis=0, ddof=1)
    agreed = spread <= np.median(spread)
    return {
        "frames": len(labelled),
        "energy_mae": dict(zip(members, np.abs(errors).mean(axis=1).round(3).tolist(), strict=True)),
        "force_mae": dict(zip(members, [round(float(np.abs(one).mean()), 3) for one in force_errors], strict=True)),
        "mean_energy_mae": round(float(mean.mean()), 3),
        "spread_pearson": round(float(pearsonr(spread, mean).statistic), 2),
        "spread_spearman": round(float(spearmanr(spread, mean).statistic), 2),
        "within_0.1_eV": round(float((mean < 0.1).mean()), 2),
        "within_0.1_eV_of_the_half_that_agrees_best": round(float((mean[agreed] < 0.1).mean()), 2),
    }
