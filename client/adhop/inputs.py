"""What a user has at hand, turned into what the server reads: Atoms, pymatgen's objects, files, or names.

Nothing is interpreted here: tags, flags and columns go along as they are, and the server says what it made of them.
"""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms, FixCartesian, FixScaled

from adhop import smiles
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
_OWN_ARRAYS = frozenset({"numbers", "positions", "tags"})
_FLAGS = "selective_dynamics"
"""Column of three flags for each atom, T where it moves, as the server reads it."""
_MOST_NAMES = 200
_IN_WORDS = {
    "FixedPlane": "keeps atoms in a plane",
    "FixedLine": "keeps atoms on a line",
    "FixBondLengths": "fixes distances",
    "FixInternals": "fixes internal coordinates",
    "Hookean": "adds a spring",
}


def structure(given: StructureLike) -> dict[str, Any]:
    """A structure as the server reads it. Files are sent as text, and read there."""
    if isinstance(given, Atoms):
        return _atoms(given)
    if isinstance(given, str | os.PathLike):
        return _file(Path(given))
    if hasattr(given, "sites"):
        return _sites(given)
    if isinstance(given, list | tuple):
        raise AdhopError(f"{len(given)} structures were given where one is expected: give one of them")
    raise AdhopError(f"{type(given).__name__} is no structure: give Atoms, a pymatgen Structure, or a file")


def _atoms(given: Atoms) -> dict[str, Any]:
    body = _arrays(given.numbers, given.positions, given.cell.array, given.pbc)
    if given.has("tags"):
        body["tags"] = given.get_tags().tolist()
    columns, left = {}, [str(key) for key in given.info]
    for name, values in given.arrays.items():
        if name in _OWN_ARRAYS:
            continue
        if values.dtype.kind in "biu" and 0 < values.size <= 3 * len(given):
            columns[name] = values.reshape(len(given), -1).astype(int).tolist()
        else:
            left.append(name)
    left += list(getattr(given.calc, "results", None) or {})
    _refuse_disorder(given.info.get("occupancy"))
    fixed, flags_of_constraints = _constraints(given)
    if fixed.any():
        body["fixed"] = fixed.tolist()
    if flags_of_constraints is not None:
        columns[_FLAGS] = flags_of_constraints.tolist()
    return body | _beside(columns, left)


def _constraints(given: Atoms) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | None]:
    """Which atoms are fixed whole [n_atoms], and which directions of each may move [n_atoms, 3] where constraints say so."""
    fixed, moves = np.zeros(len(given), dtype=bool), np.ones((len(given), 3), dtype=int)
    for constraint in given.constraints:
        if isinstance(constraint, FixAtoms):
            fixed[constraint.get_indices()] = True
        elif isinstance(constraint, FixCartesian | FixScaled):
            moves[np.ix_(np.atleast_1d(constraint.index), np.asarray(constraint.mask, dtype=bool))] = 0
        else:
            what = _IN_WORDS.get(type(constraint).__name__, "is of another kind")
            raise AdhopError(
                f"a constraint of the Atoms {what}: only whole atoms can be fixed; take it off, or fix its atoms"
            )
    return fixed, None if moves.all() else moves


def _refuse_disorder(occupancy: Any) -> None:
    """As the server does with files: what ASE keeps of a disordered crystal, {site: {symbol: share}}."""
    for shares in occupancy.values() if isinstance(occupancy, dict) else []:
        if len(shares) != 1 or any(abs(float(share) - 1) > 1e-3 for share in shares.values()):
            said = ", ".join(f"{symbol} {share}" for symbol, share in shares.items())
            raise AdhopError(_disordered([f"a site with {said}"]))


def _disordered(sites: Sequence[str]) -> str:
    return (
        f"sites that are shared or partly occupied can't be computed: {'; '.join(sites[:8])}. Give an ordered cell: a supercell in "
        "which every site holds one whole atom"
    )


def _sites(given: Any) -> dict[str, Any]:
    """A pymatgen object: sites with species, coordinates and properties; a lattice, where it has one."""
    sites = list(given.sites)
    shared = [site for site in sites if len(site.species) != 1 or abs(float(site.species.num_atoms) - 1) > 1e-3]
    if shared:
        raise AdhopError(
            _disordered([f"{site.species_string} at {np.round(site.coords, 3).tolist()} Å" for site in shared])
        )
    lattice = getattr(given, "lattice", None)
    body = _arrays(
        np.array([site.specie.Z for site in sites], dtype=int),
        np.array([site.coords for site in sites], dtype=float).reshape(-1, 3),
        np.zeros((3, 3)) if lattice is None else np.asarray(lattice.matrix, dtype=float),
        np.array([False] * 3 if lattice is None else getattr(lattice, "pbc", (True,) * 3), dtype=bool),
    )
    left = ["charge"] if getattr(given, "charge", None) else []
    left += ["spin_multiplicity"] if (getattr(given, "spin_multiplicity", None) or 1) != 1 else []
    left += [name for site in sites for name in site.properties if name not in ("tags", _FLAGS)]
    left += ["oxidation_states"] if any(getattr(site.specie, "oxi_state", None) for site in sites) else []
    tags = [site.properties.get("tags") for site in sites]
    if any(tag is not None for tag in tags):
        body["tags"] = [0 if tag is None else int(tag) for tag in tags]
    flags = [site.properties.get(_FLAGS) for site in sites]
    columns = {}
    if any(flag is not None for flag in flags):
        columns[_FLAGS] = [[1, 1, 1] if flag is None else [int(bool(one)) for one in flag] for flag in flags]
    return body | _beside(columns, left)


def _arrays(numbers: Any, positions: Any, cell: Any, pbc: Any) -> dict[str, Any]:
    return {
        "format": "arrays",
        "numbers": numbers.tolist(),
        "positions": positions.tolist(),
        "cell": cell.tolist(),
        "pbc": pbc.tolist(),
    }


def _beside(columns: dict[str, Any], left: Iterable[str]) -> dict[str, Any]:
    """Further columns, and names of what stays here, where there are any."""
    body: dict[str, Any] = {"columns": columns} if columns else {}
    names = sorted({name[:100] for name in left})[:_MOST_NAMES]
    return body | ({"left_out": names} if names else {})


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
