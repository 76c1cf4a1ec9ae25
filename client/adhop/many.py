"""Many structures of one system, as the server reads them: what is no text becomes frames of one, which holds a thousand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from os import PathLike
from typing import Any

from ase import Atoms
from ase.data import chemical_symbols

from adhop import inputs
from adhop.errors import AdhopError
from adhop.inputs import StructureLike

_NAMES = ("label", "name", "id", "unique_id")
"""Keys of atoms.info that call a structure something, the first one there counts."""


def structures(given: StructureLike | Iterable[StructureLike]) -> tuple[list[dict[str, Any]], list[str] | None]:
    """Bodies of the structures of a file, or of a list of Atoms, pymatgen's objects and files; and what they are called, where each
    of a list says so. Coordinates go along to the last bit."""
    one = isinstance(given, Atoms | str | PathLike) or hasattr(given, "sites")
    listed: list[Any] = [given] if one else list(given)  # type: ignore[arg-type]
    if not listed:
        raise AdhopError("there are no structures: give a list of Atoms, or a file of many frames")
    bodies: list[dict[str, Any]] = []
    for arrays, run in groupby(map(inputs.structure, listed), key=lambda body: body["format"] == "arrays"):
        found = list(run)
        bodies += [{"format": "extxyz", "text": "".join(map(_frame, found))}] if arrays else found
    return bodies, _called(listed)


def _called(listed: Sequence[Any]) -> list[str] | None:
    names = [
        next((str(info[key]) for key in _NAMES if key in info), None)
        for info in (getattr(one, "info", None) or {} for one in listed)
    ]
    if any(name is None for name in names):
        return None
    if max(Counter(names).values()) > 1:
        return [f"{name} #{index}" for index, name in enumerate(names)]
    return [str(name) for name in names]


def _frame(body: Mapping[str, Any]) -> str:
    """Arrays as a frame of extended XYZ."""
    columns = {name: body[name] for name in ("tags", "fixed") if name in body}
    columns |= {name: rows for name, rows in body.get("columns", {}).items() if name.replace("_", "").isalnum()}
    properties, rows = ["species:S:1", "pos:R:3"], []
    for name, values in columns.items():
        width = len(values[0]) if values and isinstance(values[0], list) else 1
        properties.append(f"{name}:{'L' if name == 'fixed' else 'I'}:{width}")
    for index, (number, position) in enumerate(zip(body["numbers"], body["positions"], strict=True)):
        words = [chemical_symbols[number], *map(repr, position)]
        words += [word for values in columns.values() for word in _words(values[index])]
        rows.append(" ".join(words))
    lattice = " ".join(repr(value) for vector in body["cell"] for value in vector)
    pbc = " ".join("T" if periodic else "F" for periodic in body["pbc"])
    left = " ".join(f"{name}=T" for name in body.get("left_out", ()) if name.isidentifier() and name not in _NAMES)
    comment = f'Lattice="{lattice}" Properties={":".join(properties)} pbc="{pbc}" {left}'.rstrip()
    return "\n".join([str(len(rows)), comment, *rows, ""])


def _words(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        yield "FT"[one] if isinstance(one, bool) else str(one)
