"""POSCAR and CONTCAR (VASP 5): flags, labels and what follows the positions are accounted for.

https://vasp.at/wiki/POSCAR
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from api.parsing.elements import Elements
from api.parsing.reading import Reading, fixed_by
from shared.errors import InvalidInput
from shared.structures import Floats, Mask

_FLAG_FORM = (
    "the three coordinates are followed by three flags T or F, the element's symbol behind them if at all: '{}'"
)

_FLAGS = ("T", "F", "TRUE", "FALSE")
"""As Fortran reads them, with dots or without."""


def read(text: str, max_atoms: int) -> Reading:
    """The structure. Raises InvalidInput with the line at fault. What the text declares was looked at before."""
    lines = text.rstrip("\n").split("\n")
    elements = Elements()
    symbols = _symbols(lines, elements)
    cell, scale = _lattice(lines)
    selective = lines[7].strip()[:1] in ("S", "s")
    mode_line = 8 if selective else 7
    first = mode_line + 1
    if len(lines) < first + len(symbols):
        raise InvalidInput(f"the POSCAR declares {len(symbols)} atoms, but fewer lines of positions follow")
    rows = [_row(lines, first + index, symbol, selective) for index, symbol in enumerate(symbols)]
    positions = np.array([row.position for row in rows])
    atoms = Atoms(symbols=symbols, cell=cell, pbc=True)
    if _cartesian(lines, mode_line):
        atoms.set_positions(positions * scale)
    else:
        atoms.set_scaled_positions(positions)
    notes = [*elements.notes, *_tail(lines, first + len(symbols), len(symbols))]
    return Reading(atoms, None, _fixed(rows, first) if selective else None, notes)


@dataclass(frozen=True)
class _Row:
    position: list[float]
    """As written, times no scale [3]."""
    flags: list[str]
    """Three of T or F; empty without selective dynamics."""


def _symbols(lines: list[str], elements: Elements) -> list[str]:
    """The element of each atom [n_atoms]."""
    words, counts = lines[5].split(), lines[6].split("!")[0].split()
    found: list[str] = []
    for word, count in zip(words, counts, strict=True):
        found += [elements.symbol(word, "line 6")] * int(count)
    return found


def _lattice(lines: list[str]) -> tuple[Floats, Floats]:
    """Scaled lattice vectors as rows, Å [3, 3], and the scale [1] or [3]. A negative one is the cell's volume, Å^3."""
    words = lines[1].split("!")[0].split()
    scale = np.array(_floats(words[: 3 if len(words) >= 3 else 1], 2))
    if not len(scale):
        raise InvalidInput("line 2 of the POSCAR must give the scale, one number or three")
    cell = np.array([_floats(lines[line].split()[:3], line + 1) for line in (2, 3, 4)])
    if cell.shape != (3, 3):
        raise InvalidInput("lines 3 to 5 of the POSCAR must hold three numbers each, the lattice vectors")
    volume = abs(float(np.linalg.det(cell)))
    if (scale == 0).any() or (len(scale) == 3 and (scale < 0).any()) or (scale[0] < 0 and volume == 0):
        raise InvalidInput(
            "line 2 of the POSCAR: a scale is not zero; three of them are positive, one negative one is the cell's volume in Å^3"
        )
    if scale[0] < 0:
        scale = np.cbrt(-scale / volume)
    return cell * scale, scale


def _cartesian(lines: list[str], index: int) -> bool:
    """Whether the coordinates are Cartesian; line `index` says it."""
    mode = lines[index].strip()[:1].lower()
    if mode in ("c", "k"):
        return True
    if mode == "d":
        return False
    raise InvalidInput(
        f"line {index + 1} of the POSCAR must say Direct or Cartesian, not {lines[index].strip()[:40]!r}"
    )


def _row(lines: list[str], index: int, symbol: str, selective: bool) -> _Row:
    """An atom's line."""
    place = f"line {index + 1}"
    words = lines[index].split("!")[0].split("#")[0].split()
    if len(words) < 3:
        raise InvalidInput(f"{place} must hold the three coordinates of an atom, not {lines[index].strip()[:60]!r}")
    position, rest = _floats(words[:3], index + 1), words[3:]
    flags: list[str] = []
    if selective:
        flags, rest = rest[:3], rest[3:]
        if len(flags) != 3 or any(flag.strip(".").upper() not in _FLAGS for flag in flags):
            said = " ".join([*words[:3], "F F F", symbol])
            raise InvalidInput(f"{place}: {_FLAG_FORM.format(said)}, not {' '.join(words)[:80]!r}")
        flags = [flag.strip(".")[:1].upper() for flag in flags]
    if rest and Elements.is_symbol(rest[0]) and _plain(rest[0]) != symbol:
        raise InvalidInput(
            f"{place} names {rest[0]}, but by the counts of line 7 this atom is {symbol}: list the atoms in the order of line 6"
        )
    return _Row(position, flags)


def _plain(word: str) -> str:
    return Elements().symbol(word, "")


def _fixed(rows: list[_Row], first: int) -> Mask:
    places = [f"line {first + index + 1} (atom {index})" for index in range(len(rows))]
    return fixed_by("selective_dynamics", [row.flags for row in rows], places)


def _tail(lines: list[str], start: int, n_atoms: int) -> list[str]:
    """What is said of the lines behind the positions."""
    tail = lines[start:]
    if any(line.strip().lower().startswith("direct configuration") for line in tail):
        raise InvalidInput(
            "the text holds several configurations, as an XDATCAR does: send the one you mean as a POSCAR"
        )
    words = tail[0].split() if tail else []
    if len(words) >= 3 and all(_is_number(word) for word in words[:3]):
        raise InvalidInput(
            f"line {start + 1} looks like another atom, but line 7 counts {n_atoms}: correct the counts, or leave a blank line "
            "before velocities"
        )
    return ["not used: the velocities or MD data behind the positions"] if any(line.strip() for line in tail) else []


def _floats(words: list[str], line: int) -> list[float]:
    try:
        return [float(word.lower().replace("d", "e")) for word in words]
    except ValueError:
        raise InvalidInput(f"line {line} must hold numbers, not {' '.join(words)[:60]!r}") from None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
