"""Extended XYZ: the last frame of the text, or all of them, with all columns accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.io.extxyz import key_val_str_to_dict

from api.parsing import declared
from api.parsing.elements import Elements
from api.parsing.reading import Reading, fixed_by, means_constraint, refuse_disorder, unused, whole
from shared.errors import InvalidInput

_PLAIN = "species:S:1:pos:R:3"
_ALIASES = {"symbols": "species", "numbers": "Z", "positions": "pos"}
_USED = frozenset({"species", "Z", "pos", "tags"})
_NAMES = ("label", "name", "id", "unique_id")
"""Keys that call a frame something, the first one there counts."""
_READ_KEYS = frozenset({"Lattice", "Properties", "pbc"})

Columns = dict[str, list[list[str]]]
"""By name: the words of each atom."""


def read(text: str, max_atoms: int) -> Reading:
    """The last frame. Raises InvalidInput with the line at fault."""
    lines = text.rstrip("\n").split("\n")
    starts = declared.frames(lines, max_atoms)
    reading, _ = _frame(lines, starts[-1])
    if len(starts) > 1:
        reading.notes.insert(0, f"the last of {len(starts)} frames was read")
    return reading


def read_all(text: str, max_atoms: int) -> list[tuple[Reading, str | None]]:
    """Every frame, each with what its comment line calls it. Raises InvalidInput with the line at fault."""
    lines = text.rstrip("\n").split("\n")
    return [_frame(lines, start) for start in declared.frames(lines, max_atoms)]


def _frame(lines: list[str], start: int) -> tuple[Reading, str | None]:
    """The frame that starts at this line, and what its comment line calls it."""
    n_atoms, first = int(lines[start]), start + 2
    keys = key_val_str_to_dict(lines[first - 1]) if lines[first - 1].strip() else {}
    columns = _columns(str(keys.get("Properties", _PLAIN)), lines[first : first + n_atoms], first + 1)
    places = [f"line {first + 1 + index} (atom {index})" for index in range(n_atoms)]
    elements = Elements()
    cell, pbc = _cell(keys)
    atoms = Atoms(numbers=_numbers(columns, elements, places), positions=_positions(columns), cell=cell, pbc=pbc)
    fixed = np.zeros(n_atoms, dtype=bool)
    for name in filter(means_constraint, columns):
        fixed |= fixed_by(name, columns[name], places)
    refuse_disorder(keys.get("occupancy"))
    ignored = [name for name in columns if name not in _USED and not means_constraint(name)]
    ignored += [key for key in keys if key not in _READ_KEYS and _given_a_value(key, lines[first - 1])]
    called = next((str(keys[name]) for name in _NAMES if name in keys), None)
    return Reading(atoms, _tags(columns), fixed, [*elements.notes, *unused(ignored)]), called


def _given_a_value(key: str, comment: str) -> bool:
    """Whether it is a key of its own, not a word of a comment in prose."""
    return f"{key}=" in comment.replace(" =", "=")


def _columns(properties: str, rows: list[str], first_line: int) -> Columns:
    """The words of each column, by its name."""
    layout = list(_layout(properties))
    n_words = sum(width for _, width in layout)
    if n_words > declared.MAX_COLUMNS:
        raise InvalidInput(f"Properties declares more than {declared.MAX_COLUMNS} columns")
    columns: Columns = {name: [] for name, _ in layout}
    if len(columns) != len(layout):
        raise InvalidInput("Properties names a column twice")
    for line, row in enumerate(rows, start=first_line):
        words = row.split()
        if len(words) < n_words:
            raise InvalidInput(
                f"line {line} has {len(words)} columns where {n_words} are declared: {row.strip()[:80]!r}"
            )
        at = 0
        for name, width in layout:
            columns[name].append(words[at : at + width])
            at += width
    return columns


def _layout(properties: str) -> Iterator[tuple[str, int]]:
    """Names and widths of the columns that `Properties=name:type:width:...` declares."""
    parts = properties.split(":")
    if len(parts) % 3:
        raise InvalidInput("Properties must read name:type:columns")
    for name, kind, width in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        if kind not in ("R", "I", "S", "L") or not width.isdecimal() or not 1 <= len(width) <= 6:
            raise InvalidInput("Properties must read name:type:columns, with the types R, I, S and L")
        yield _ALIASES.get(name, name), int(width)


def _numbers(columns: Columns, elements: Elements, places: list[str]) -> Any:
    if "species" in columns:
        words = zip(columns["species"], places, strict=True)
        return [atomic_numbers[elements.symbol(row[0], place)] for row, place in words]
    if "Z" in columns:
        return whole([row[0] for row in columns["Z"]], "atomic numbers")
    raise InvalidInput("Properties names neither species nor Z: which elements are the atoms of?")


def _positions(columns: Columns) -> Any:
    if "pos" not in columns or len(columns["pos"][0]) != 3:
        raise InvalidInput("Properties must name the positions: pos:R:3")
    return np.array(columns["pos"], dtype=np.float64)


def _tags(columns: Columns) -> list[int] | None:
    if "tags" not in columns:
        return None
    rows = columns["tags"]
    if len(rows[0]) != 1:
        raise InvalidInput("tags must be one whole number for each atom")
    tags: list[int] = whole([row[0] for row in rows], "tags").tolist()
    return tags


def _cell(keys: dict[str, Any]) -> tuple[Any, Any]:
    """Lattice vectors as rows, Å [3, 3], and pbc [3]; as ASE has it, all directions are periodic where a lattice is given."""
    for key in keys:
        if key.lower() in ("lattice", "properties") and key not in _READ_KEYS:
            raise InvalidInput(f"the comment line says {key}=...: it is written {key.capitalize()}=...")
    if "Lattice" not in keys:
        return np.zeros((3, 3)), keys.get("pbc", [False] * 3)
    lattice = np.asarray(keys["Lattice"], dtype=np.float64)
    if lattice.shape != (3, 3):
        raise InvalidInput('Lattice must hold nine numbers, Å: Lattice="ax ay az bx by bz cx cy cz"')
    return lattice.T, keys.get("pbc", [True] * 3)
