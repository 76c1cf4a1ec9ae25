"""What a text declares of itself, looked at before any parser believes it.

A POSCAR of 200 bytes may declare 4e8 atoms and an extended XYZ a billion columns: the parser would allocate first.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from shared.errors import InvalidInput

MAX_COLUMNS = 64
MAX_CIF_LINES = 50_000
MAX_COMMENT = 20_000
MAX_FRAMES = 10_000
_PROPERTIES = re.compile(r'Properties\s*=\s*"?([^\s"]+)', re.IGNORECASE)


def check(form: str, text: str, max_atoms: int) -> None:
    """Raise InvalidInput for a text that declares more than is allowed, or that plainly isn't of this format."""
    if not text.strip():
        raise InvalidInput("the text is empty")
    if "\0" in text:
        raise InvalidInput("the text holds NUL characters: send the plain text of the file, not a packed one")
    scan = _SCANS.get(form)
    if scan is not None:
        scan(text, max_atoms)


def _extxyz(text: str, max_atoms: int) -> None:
    lines = text.rstrip("\n").split("\n")  # as the parsers see lines
    for start in frames(lines, max_atoms):
        comment = lines[start + 1]
        if len(comment) > MAX_COMMENT:
            raise InvalidInput(f"the comment line is longer than {MAX_COMMENT} characters")
        for properties in _PROPERTIES.findall(comment):
            widths = properties.split(":")[2::3]
            if sum(_whole(width, "Properties must read name:type:columns") for width in widths) > MAX_COLUMNS:
                raise InvalidInput(f"Properties declares more than {MAX_COLUMNS} columns")


def frames(lines: list[str], max_atoms: int) -> list[int]:
    """At which of these lines each frame of an extended XYZ starts."""
    starts: list[int] = []
    at = 0
    while at < len(lines) and (not starts or lines[at].strip()):
        expected = (
            f"line {at + 1} should be the number of atoms of a further frame (line {starts[-1] + 1} declares "
            f"{at - starts[-1] - 2} atoms)"
            if starts
            else "an extended XYZ starts with the number of atoms"
        )
        n_atoms = _whole(lines[at], expected)
        _check_count(n_atoms, max_atoms)
        left = max(len(lines) - at - 2, 0)
        if left < n_atoms:
            line = "the first line" if not starts else f"line {at + 1}"
            raise InvalidInput(f"{line} declares {n_atoms} atoms, but only {left} lines follow")
        if len(starts) == MAX_FRAMES:
            raise InvalidInput(f"the text holds more than {MAX_FRAMES} frames: send the one you mean")
        starts.append(at)
        at += n_atoms + 2
    if any(line.strip() for line in lines[at:]):
        raise InvalidInput(f"line {at + 1} is blank, and more follows: a frame has no blank lines behind it")
    return starts


def _poscar(text: str, max_atoms: int) -> None:
    lines = text.rstrip("\n").split("\n")  # as the parsers see lines
    if len(lines) < 8:
        raise InvalidInput("a POSCAR has at least eight lines")
    symbols, counts = lines[5].split(), lines[6].split("!")[0].split()
    if len(symbols) > max_atoms:
        raise InvalidInput(f"{len(symbols)} elements are too many: at most {max_atoms} atoms fit here")
    if not symbols or any(symbol[0].isdigit() for symbol in symbols):
        raise InvalidInput("line 6 of the POSCAR must name the elements (the VASP 5 form)")
    atoms = [_whole(count, "line 7 of the POSCAR must count the atoms of each element") for count in counts]
    if len(atoms) != len(symbols):
        raise InvalidInput(f"the POSCAR names {len(symbols)} elements and counts {len(atoms)}")
    _check_count(sum(atoms), max_atoms)
    if len(lines) < 8 + sum(atoms):
        raise InvalidInput(
            f"the POSCAR declares {sum(atoms)} atoms, but only {len(lines) - 8} lines of positions follow"
        )


def _cif(text: str, max_atoms: int) -> None:
    if "_cell_length_a" not in text:
        raise InvalidInput("the CIF has no _cell_length_a: is it a crystal structure?")
    if text.count("\n") > MAX_CIF_LINES:
        raise InvalidInput(f"the CIF has more than {MAX_CIF_LINES} lines")


def _check_count(declared: int, max_atoms: int) -> None:
    if declared < 1:
        raise InvalidInput("the text declares no atoms")
    if declared > max_atoms:
        raise InvalidInput(f"{declared} atoms are too many: at most {max_atoms} fit here")


def _whole(word: str, expected: str) -> int:
    # int() of a long digit string is quadratic, and Python refuses it with a message about its own limits.
    if not re.fullmatch(r"\s*\d{1,12}\s*", word):
        raise InvalidInput(f"{expected}, not {word.strip()[:40]!r}")
    return int(word)


_SCANS: dict[str, Callable[[str, int], None]] = {"extxyz": _extxyz, "poscar": _poscar, "cif": _cif}
