"""Constants per element for a member, fitted to adsorption energies by DFT.

A lab's own labels are one extended XYZ file. Adslabs as DFT relaxed them: in the comment line `adsorption_energy` (eV, relative to
the clean slab and CO, H2, H2O, N2 by the same DFT) and `slab`, the name of its clean slab; `tags` 2 on the adsorbate's atoms, which
come after the slab's. The clean slabs as DFT relaxed them, with their `name`. Adsorbates are of H, C, N and O. `metal` in the comment
line says which labels are left out together; it is the slab's commonest element where it isn't there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.io import iread

from services.forces.potential import Potential
from services.scoring import constants
from shared.errors import InvalidInput
from shared.references import CHEMICAL_POTENTIALS
from shared.scales import Fit, Scale, ScaleKind
from shared.structures import Floats, Structure

_DIGITS = 3


@dataclass(frozen=True, eq=False)
class FitLabel:
    """An adsorption energy by DFT, and its structures."""

    adslab: Structure
    slab: Structure
    energy: float
    """eV per adslab, relative to the clean slab and CO, H2, H2O, N2."""
    metal: str
    adsorbate: str


def read(file: Path) -> list[FitLabel]:
    """The labels of a file. Raises InvalidInput with the frame and what to change."""
    frames: list[Atoms] = list(iread(str(file), index=":", format="extxyz"))
    slabs = {str(one.info["name"]): one for one in frames if "adsorption_energy" not in one.info and "name" in one.info}
    found = [
        _label(number, one, slabs, file)
        for number, one in enumerate(frames, start=1)
        if "adsorption_energy" in one.info
    ]
    if not found:
        raise InvalidInput(f"{file}: no frame has an adsorption_energy in its comment line")
    return found


def _label(number: int, atoms: Atoms, slabs: Mapping[str, Atoms], file: Path) -> FitLabel:
    named = str(atoms.info.get("slab", ""))
    if named not in slabs:
        raise InvalidInput(
            f"{file}, frame {number}: slab={named!r} in its comment line is the name of no frame; name its clean slab"
        )
    slab, adsorbed = slabs[named], atoms.get_tags() == 2
    if not adsorbed.any() or (atoms.numbers[: len(slab)] != slab.numbers).any() or adsorbed[: len(slab)].any():
        raise InvalidInput(
            f"{file}, frame {number}: the atoms of the slab {named} must come first, in its order, and the adsorbate's after them "
            "with tag 2"
        )
    none, surface = np.zeros(len(slab), dtype=bool), np.zeros(len(atoms), dtype=bool)
    metal = Counter(slab.get_chemical_symbols()).most_common(1)[0][0]
    return FitLabel(
        Structure.from_atoms(atoms, adsorbate=adsorbed, surface=surface),
        Structure.from_atoms(slab, adsorbate=none, surface=none),
        float(atoms.info["adsorption_energy"]),
        str(atoms.info.get("metal", metal)),
        atoms[adsorbed].get_chemical_formula(),
    )


def fitted(potential: Potential, labels: Sequence[FitLabel], *, set: str, functional: str, made: date) -> Scale:
    """The member's scale. set: what the labels are called. Raises InvalidInput where they don't tell the elements apart, or hold
    others than H, C, N, O."""
    counts = np.array([_counts(label.adslab) for label in labels])
    there = counts.any(axis=0)
    symbols = [symbol for symbol, used in zip(CHEMICAL_POTENTIALS, there, strict=True) if used]
    counts = counts[:, there]
    differences = np.array([_difference(potential, label) for label in labels])
    labelled = np.array([label.energy for label in labels])
    solved = constants.fit(counts, differences - labelled)
    errors = {
        name: np.abs(constants.held_out(counts, differences - labelled, [getattr(label, name) for label in labels]))
        for name in ("metal", "adsorbate")
    }
    fit: dict[str, Any] = {
        "set": set,
        "functional": functional,
        "made": made,
        "labels": len(labels),
        "checkpoint": potential.card.sha256,
    }
    for name, sizes in errors.items():
        if np.isnan(sizes).all():
            raise InvalidInput(
                f"labels of one {name} alone: nothing is left to fit to where it is left out; give labels of several"
            )
        fit[f"{name}_left_out"] = round(float(np.nanmean(sizes)), _DIGITS)
        fit[f"by_{name}"] = _by([getattr(label, name) for label in labels], sizes)
    energies = {symbol: round(float(value), _DIGITS) for symbol, value in zip(symbols, solved, strict=True)}
    return Scale.model_validate({"kind": ScaleKind.FITTED, "energies": energies, "fit": Fit(**fit)})


def _counts(adslab: Structure) -> list[int]:
    numbers = Counter(chemical_symbols[number] for number in adslab.numbers[adslab.adsorbate].tolist())
    if strange := sorted(numbers.keys() - CHEMICAL_POTENTIALS.keys()):
        raise InvalidInput(
            f"an adsorbate holds {', '.join(strange)}: constants are of H, C, N and O; leave such labels out"
        )
    return [numbers.get(symbol, 0) for symbol in CHEMICAL_POTENTIALS]


def _difference(potential: Potential, label: FitLabel) -> float:
    adslab, slab = (potential.evaluate([one])[0].energy for one in (label.adslab, label.slab))
    return float(adslab - slab)


def _by(groups: Sequence[str], sizes: Floats) -> dict[str, float]:
    """Mean error of each group, eV, by its name; those that can't be told are left out."""
    names = np.array(groups)
    found = {str(name): sizes[(names == name) & ~np.isnan(sizes)] for name in np.unique(names)}
    return {name: round(float(own.mean()), _DIGITS) for name, own in found.items() if len(own)}
