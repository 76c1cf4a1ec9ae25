"""What a user has at hand, turned into what the server reads: Atoms, files, or names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms

from adhop.errors import AdhopError

StructureLike = Atoms | str | Path
"""Atoms, or a file: .extxyz/.xyz, .cif, .json (ASE), POSCAR/CONTCAR/.vasp."""

_FORMATS = {
    ".xyz": "extxyz",
    ".extxyz": "extxyz",
    ".cif": "cif",
    ".json": "ase-json",
    ".vasp": "poscar",
    ".poscar": "poscar",
}


def structure(given: StructureLike, *, adsorbate_indices: Sequence[int] | None = None) -> dict[str, Any]:
    """A structure as the server reads it. Files are sent as text, and read there.

    Tags go along only where they can be OC20's (2 = adsorbate): ASE's builders put layer numbers there, and the server finds the
    surface by itself.
    """
    if not isinstance(given, Atoms):
        return _file(Path(given))
    body: dict[str, Any] = {
        "format": "arrays",
        "numbers": given.numbers.tolist(),
        "positions": given.positions.tolist(),
        "cell": given.cell.array.tolist(),
        "pbc": given.pbc.tolist(),
    }
    tags = given.get_tags()
    if adsorbate_indices is None and np.isin(tags, (0, 1, 2)).all() and (tags == 2).any() and not _layers(given):
        body["tags"] = tags.tolist()
    fixed = np.zeros(len(given), dtype=bool)
    for constraint in given.constraints:
        if not isinstance(constraint, FixAtoms):
            raise AdhopError(f"constraint {type(constraint).__name__} can't be sent: fix whole atoms with FixAtoms")
        fixed[constraint.get_indices()] = True
    if fixed.any():
        body["fixed"] = fixed.tolist()
    return body


def _layers(atoms: Atoms) -> bool:
    """Whether the tags look like layer numbers from the top, as ASE's surface builders set them: tag 2 below tag 1."""
    tags, heights = atoms.get_tags(), atoms.positions[:, 2]
    return bool((tags == 1).any() and heights[tags == 2].max() < heights[tags == 1].min() - 0.5)


def _file(path: Path) -> dict[str, Any]:
    name = _FORMATS.get(path.suffix.lower()) or (
        "poscar" if path.name.upper().startswith(("POSCAR", "CONTCAR")) else None
    )
    if name is None:
        raise AdhopError(f"{path}: unknown kind of file; use {', '.join(sorted(_FORMATS))} or POSCAR")
    try:
        return {"format": name, "text": path.read_text()}
    except (OSError, UnicodeDecodeError) as error:
        raise AdhopError(f"{path} can't be read: {error}") from None


def adsorbate(given: str | Atoms | Path, binding: Sequence[int] | None) -> Any:
    """An OC20 name such as `*CO`, or a molecule with the indices of its binding atoms."""
    if isinstance(given, str) and not Path(given).suffix:
        return given
    if binding is None:
        raise AdhopError("say which atoms of the molecule bind: binding=[0]")
    return {"structure": structure(given), "binding": list(binding)}


def bulk(given: str | StructureLike, crystal: str | None, a: float | None) -> dict[str, Any]:
    """A crystal: atoms, a file, or an element (with its crystal and lattice constant, Å, where not the usual ones)."""
    if isinstance(given, str) and not Path(given).suffix and len(given) <= 2:
        body: dict[str, Any] = {"element": given}
        if crystal is not None:
            body["crystal"] = crystal
        if a is not None:
            body["a"] = a
        return body
    return structure(given)
