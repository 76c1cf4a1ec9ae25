"""ASE's JSON, of a file or of `ase.io.jsonio.encode`. Arrays are built from their data, never from the shape alone."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from ase import Atoms

from api.parsing.reading import Reading, fixed_by, refuse_disorder, unused, whole
from shared.errors import InvalidInput
from shared.structures import Mask

_READ = frozenset({"numbers", "positions", "cell", "pbc", "tags", "constraints", "info"})
_OF_THE_FILE = frozenset(
    {"ctime", "mtime", "user", "unique_id", "id", "calculator", "calculator_parameters", "__ase_objtype__", "key_value_pairs", "data"}
)  # fmt: skip
"""What says something of the file or of how it came to be."""
_PARTIAL = frozenset({"FixCartesian", "FixScaled"})
_IN_WORDS = {
    "FixedPlane": "keeps atoms in a plane",
    "FixedLine": "keeps atoms on a line",
    "FixBondLength": "fixes a distance",
    "FixBondLengths": "fixes distances",
    "FixInternals": "fixes internal coordinates",
    "Hookean": "adds a spring",
}


def read(text: str, max_atoms: int) -> Reading:
    """The text's one structure. Raises InvalidInput for several."""
    whole_text = json.loads(text, parse_constant=_refuse_constant)
    if not isinstance(whole_text, dict):
        raise InvalidInput("ASE JSON is an object with numbers, positions and cell")
    row = _one(whole_text)
    atoms = Atoms(
        numbers=whole(_array(row["numbers"]), "numbers"),
        positions=_array(row["positions"]),
        cell=_array(row["cell"]),
        pbc=_array(row.get("pbc", [False] * 3)).astype(bool),
    )
    tags = whole(_array(row["tags"]), "tags").tolist() if "tags" in row else None
    info = row.get("info") if isinstance(row.get("info"), dict) else {}
    refuse_disorder((info or {}).get("occupancy"))
    ignored = [key for key in row if key not in _READ | _OF_THE_FILE] + list(info or {})
    for further in ("key_value_pairs", "data"):
        ignored += list(row[further]) if isinstance(row.get(further), dict) else []
    return Reading(atoms, tags, _fixed(row.get("constraints", []), len(atoms)), unused(ignored))


def _one(text: dict[str, Any]) -> dict[str, Any]:
    if "ids" not in text:
        return text
    ids = text["ids"]
    if not isinstance(ids, list) or len(ids) != 1:
        n = len(ids) if isinstance(ids, list) else 0
        raise InvalidInput(f"the ASE JSON holds {n} structures, and must hold exactly one: send the one you mean")
    row: dict[str, Any] = text[str(ids[0])]
    return row


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


def _fixed(entries: list[dict[str, Any]], n_atoms: int) -> Mask:
    """The fixed atoms by the constraints [n_atoms]."""
    fixed = np.zeros(n_atoms, dtype=bool)
    for entry in entries:
        name, kwargs = str(entry["name"]), entry["kwargs"]
        if name == "FixAtoms":
            indices = kwargs["indices"]
        elif name in _PARTIAL:
            indices = np.atleast_1d(kwargs["a"]).tolist()
            flags = [[not held for held in kwargs["mask"]]] * len(indices)
            fixed_by("move_mask", flags, [f"atom {int(index)}" for index in indices])
        else:
            what = _IN_WORDS.get(name, "is of another kind")
            raise InvalidInput(
                f"a constraint {what}: only whole atoms can be fixed here; take it off, or fix its atoms"
            )
        at = np.asarray(indices, dtype=np.float64)
        if at.ndim != 1 or (at != np.round(at)).any() or (np.abs(at) >= max(n_atoms, 1)).any():
            raise InvalidInput(f"a constraint fixes atoms that aren't there: indices lie below {n_atoms}")
        fixed[at.astype(np.int64)] = True
    return fixed
