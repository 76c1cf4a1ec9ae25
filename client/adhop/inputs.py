"""What a user has at hand, turned into what the server reads: Atoms, pymatgen's objects, files, or names.

Nothing is interpreted here: tags, flags and columns go along as they are, and the server says what it made of them.
"""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ase import Atoms

from adhop import objects, smiles
from adhop.errors import AdhopError


class Sites(Protocol):
    """pymatgen's Structure, Slab or Molecule, or what looks like one."""

    @property
    def sites(self) -> Any: ...


StructureLike = Atoms | Sites | str | os.PathLike[str]
"""Atoms, a pymatgen object, or a file: .extxyz/.xyz, .cif, .json (ASE), POSCAR/CONTCAR/.vasp."""

_FORMATS = {
    ".xyz": "extxyz",
    ".extxyz": "extxyz",
    ".cif": "cif",
    ".json": "ase-json",
    ".vasp": "poscar",
    ".poscar": "poscar",
}


def structure(given: StructureLike) -> dict[str, Any]:
    """A structure as the server reads it. Files are sent as text, and read there."""
    if isinstance(given, Atoms):
        return objects.atoms(given)
    if isinstance(given, str | os.PathLike):
        return _file(Path(given))
    if hasattr(given, "sites"):
        return objects.sites(given)
    if isinstance(given, list | tuple):
        raise AdhopError(f"{len(given)} structures were given where one is expected: give one of them")
    raise AdhopError(f"{type(given).__name__} is no structure: give Atoms, a pymatgen Structure, or a file")


def _file(path: Path) -> dict[str, Any]:
    name = _FORMATS.get(path.suffix.lower()) or ("poscar" if re.match("POSCAR|CONTCAR", path.name.upper()) else None)
    kinds = f"use {', '.join(sorted(_FORMATS))} or POSCAR"
    if name is None and not path.is_file():
        raise AdhopError(f"{path}: unknown kind of file, and there is none of this name; {kinds}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise AdhopError(f"{path} can't be read: {error}") from None
    name = name or _format_of(text)
    if name is None:
        raise AdhopError(f"{path}: unknown kind of file; name it by its format: {kinds}")
    return {"format": name, "text": text}


def _format_of(text: str) -> str | None:
    """The format of a file whose name doesn't tell."""
    lines = text.splitlines()
    if "_cell_length_a" in text:
        return "cif"
    if text.lstrip().startswith("{"):
        return "ase-json"
    if lines and lines[0].strip().isdigit():
        return "extxyz"
    vectors = [line.split() for line in lines[2:5]]
    return (
        "poscar"
        if len(vectors) == 3 and all(len(row) >= 3 and all(map(_is_number, row[:3])) for row in vectors)
        else None
    )


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def adsorbate(given: str | StructureLike, binding: Iterable[int] | None) -> Any:
    """An OC20 name such as `*CO`, or a molecule with the indices of its binding atoms; `smiles:CCO` is one by its SMILES."""
    if isinstance(given, str) and given.startswith(smiles.PREFIX):
        given = smiles.molecule(given.removeprefix(smiles.PREFIX))
    if isinstance(given, str) and _is_name(given):
        return given
    molecule = structure(given)
    if binding is None:
        raise AdhopError("say which atoms of the molecule bind: binding=[0]")
    return {"structure": molecule, "binding": indices(binding, "binding", molecule)}


def _is_name(given: str) -> bool:
    """Whether a text names an adsorbate, not a file."""
    path = Path(given)
    return given.startswith("*") or not (path.suffix or os.sep in given or path.is_file())


def indices(given: Any, name: str, body: dict[str, Any] | None = None) -> list[int]:
    """Indices of atoms, counted from 0, from a list, a range, an array, one number, or a mask of all atoms. Where the structure that
    they are of goes as arrays, negative ones count from its end."""
    n_atoms = len(body["numbers"]) if body is not None and "numbers" in body else None
    values = np.atleast_1d(np.asarray(list(given) if isinstance(given, Iterable) else given))
    if values.dtype == bool and values.ndim == 1:
        if n_atoms is not None and len(values) != n_atoms:
            raise AdhopError(f"{name} is a mask of {len(values)} atoms, and the structure has {n_atoms}")
        return [int(index) for index in np.flatnonzero(values)]
    try:
        found = [operator.index(value) for value in values.astype(object)]
    except TypeError:
        if values.size:
            raise AdhopError(
                f"{name} must be whole numbers, the indices of atoms counted from 0: {name}=[0, 1]"
            ) from None
        found = []
    return [index + n_atoms if index < 0 and n_atoms is not None else index for index in found]


def miller(given: Any) -> list[int]:
    """A Miller index, three or four whole numbers, also as a text: `1,1,1`, `1 1 1`, `111`, `1-10`."""
    if isinstance(given, str):
        inside = given.strip().strip("()[]{}")
        apart = re.split(r"[\s,]+", inside.strip())
        words = apart if len(apart) > 1 else re.findall(r"[+-]?\d", inside)
        whole = all(re.fullmatch(r"[+-]?\d+", word) for word in words)
        if not whole or (len(apart) == 1 and "".join(words) != inside):
            raise AdhopError(f"a Miller index is written 1,1,1 or 111, not {given!r}")
        given = [int(word) for word in words]
    found = indices(given, "miller")
    if len(found) not in (3, 4):
        raise AdhopError(
            f"a Miller index has three whole numbers, such as 1,1,1 (four for a hexagonal crystal), not {len(found)}"
        )
    return found


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
