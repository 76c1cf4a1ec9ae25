"""Calculations by VASP: a folder for each system, with a folder for each calculation in it: `slab`, `gas-H2O` and the like, and any
other name for an adslab, as `adhop dft-inputs` lays them out. Gas molecules may also stand beside the systems' folders, once for all.

Of each calculation the last step is read, from vasprun.xml or OUTCAR: its structure, and its energy for sigma -> 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from ase import Atoms
from ase.io import read

from evaluation.labels import Label, LabelledSet, from_totals, gas_name, label
from shared.errors import InvalidInput

_FILES = (("vasprun.xml", "vasp-xml"), ("OUTCAR", "vasp-out"))
_GAS = "gas-"


def load(folders: Sequence[Path], reference: str | None = None) -> LabelledSet:
    """All adslabs of these systems. Raises InvalidInput, with the folder, where one has no clean slab or nothing can be used."""
    found = LabelledSet(", ".join(folder.name for folder in folders), reference or "DFT (VASP)")
    for folder in folders:
        if not folder.is_dir():
            raise InvalidInput(
                f"{folder} is no folder: give one for each system, with the folders of its calculations in it"
            )
        calculations = dict(_calculations(folder))
        if "slab" not in calculations:
            raise InvalidInput(
                f"{folder} holds no calculation of the clean slab: put it into {folder}/slab, and each adslab and gas molecule "
                f"(gas-H2O, ...) into a folder of its own ({' or '.join(name for name, _ in _FILES)})"
            )
        totals = {gas_name(name.removeprefix(_GAS)): _read(path)[1] for name, path in _gases(folder)}
        slab, clean = _read(calculations.pop("slab"))
        for name, path in sorted(calculations.items()):
            if not name.startswith(_GAS):
                found.add(
                    str(folder / name),
                    lambda name=name, path=path, folder=folder, slab=slab, clean=clean, totals=totals: _label(  # type: ignore[misc]
                        folder, name, path, slab, clean, totals
                    ),
                )
    return found.checked()


def _label(folder: Path, name: str, path: Path, slab: Atoms, clean: float, totals: dict[str, float]) -> Label:
    adslab, total = _read(path)
    return label(folder.name, name, adslab, slab, from_totals(total, clean, adslab, slab, totals))


def _calculations(folder: Path) -> Iterator[tuple[str, Path]]:
    for one in sorted(folder.iterdir()):
        if one.is_dir() and any((one / name).is_file() for name, _ in _FILES):
            yield one.name, one


def _gases(folder: Path) -> Iterator[tuple[str, Path]]:
    """Those of the system come after those beside it, and count."""
    for place in (folder.resolve().parent, folder):
        yield from ((name, path) for name, path in _calculations(place) if name.startswith(_GAS))


def _read(folder: Path) -> tuple[Atoms, float]:
    """The last step of a calculation, and its energy, eV."""
    name, form = next((name, form) for name, form in _FILES if (folder / name).is_file())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            atoms = cast("Atoms", read(folder / name, index=-1, format=form))
        return atoms, float(atoms.get_potential_energy())
    except Exception as error:  # noqa: BLE001 - ASE raises whatever it stumbles over in half a file
        why = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise InvalidInput(
            f"{folder / name} can't be read ({why}): is the calculation finished? Run it on, or leave it out"
        ) from None
