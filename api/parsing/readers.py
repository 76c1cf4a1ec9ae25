"""From a text to atoms, in the child process. ASE reads from memory with the format named; it never sees a file name."""

from __future__ import annotations

import json
import math
from io import StringIO
from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from ase.data import chemical_symbols
from ase.io import read as ase_read

from api.parsing import declared
from shared.errors import InvalidInput
from shared.structures import Integers, Structure

_MOST_INTEGER = 2**31
_ASE_FORMATS = {"extxyz": "extxyz", "poscar": "vasp", "cif": "cif"}


def document(form: str, text: str, max_atoms: int) -> dict[str, Any]:
    """`Structure.to_document()` of the text's one structure, with the tags as they came, or None where it has none.

    Raises InvalidInput for whatever the text does wrong.
    """
    declared.check(form, text, max_atoms)
    try:
        atoms = _ase_json(text) if form == "ase-json" else _read(form, text)
        nobody = np.zeros(len(atoms), dtype=bool)
        plain = Structure.from_atoms(atoms, adsorbate=nobody, surface=nobody).to_document()
        plain["tags"] = _whole(atoms.get_tags(), "tags").tolist() if atoms.has("tags") else None
        _check_elements(plain["numbers"])
    except (InvalidInput, MemoryError):
        raise
    except Exception as error:  # parsers of foreign text raise anything
        reason = (str(error).splitlines() or [""])[0][:200]
        raise InvalidInput(f"the text can't be read as {form}: {reason or type(error).__name__}") from error
    return plain


def _read(form: str, text: str) -> Atoms:
    atoms = ase_read(StringIO(text), index=0, format=_ASE_FORMATS[form], do_not_split_by_at_sign=True)
    if not isinstance(atoms, Atoms):
        raise InvalidInput("the text holds no structure")
    return atoms


def _ase_json(text: str) -> Atoms:
    """ASE's JSON, of a file or of `ase.io.jsonio.encode`. Arrays are built from their data, never from the shape alone."""
    whole = json.loads(text, parse_constant=_refuse_constant)
    if not isinstance(whole, dict):
        raise InvalidInput("ASE JSON is an object with numbers, positions and cell")
    if "ids" in whole:
        if not isinstance(whole["ids"], list) or len(whole["ids"]) != 1:
            raise InvalidInput("the ASE JSON must hold exactly one structure")
        whole = whole[str(whole["ids"][0])]
    atoms = Atoms(
        numbers=_whole(_array(whole["numbers"]), "numbers"),
        positions=_array(whole["positions"]),
        cell=_array(whole["cell"]),
        pbc=_array(whole.get("pbc", [False] * 3)).astype(bool),
    )
    if "tags" in whole:
        atoms.set_tags(_whole(_array(whole["tags"]), "tags"))
    atoms.set_constraint([_fixed(entry) for entry in whole.get("constraints", [])])
    return atoms


def _refuse_constant(name: str) -> float:
    raise InvalidInput(f"{name} is not a number that a structure may hold")


def _array(value: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    if isinstance(value, dict) and "array" in value:  # a Cell object
        value = value["array"]
    if not isinstance(value, dict):
        return np.array(value, dtype=np.float64)
    shape, _, data = value["__ndarray__"]
    if not isinstance(data, list) or math.prod(int(n) for n in shape) != len(data):
        raise InvalidInput(f"an array declares the shape {str(shape)[:60]} but doesn't bring as many numbers")
    return np.array(data, dtype=np.float64).reshape(shape)


def _whole(values: Any, name: str) -> Integers:
    """Tags and atomic numbers as integers; whatever a text makes of them else is refused, not rounded."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not (np.abs(array) < _MOST_INTEGER).all() or (array != np.round(array)).any():
        raise InvalidInput(f"{name} must be one whole number for each atom")
    return array.astype(np.int64)


def _check_elements(numbers: list[int]) -> None:
    unknown = sorted({number for number in numbers if not 1 <= number < len(chemical_symbols)})
    if unknown:
        raise InvalidInput(f"atomic numbers {unknown[:5]} are no elements")


def _fixed(entry: dict[str, Any]) -> FixAtoms:
    if entry["name"] != "FixAtoms":
        raise InvalidInput(f"constraint {str(entry['name'])[:40]} is not supported: fix whole atoms with FixAtoms")
    return FixAtoms(indices=entry["kwargs"]["indices"])
