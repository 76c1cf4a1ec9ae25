"""Tables that people and their spreadsheets write: any of the usual separators, decimal commas, byte-order marks, spaces.

Columns are known by name, however it is written (`Adsorption energy [eV]` is `adsorption_energy`). Raises AdhopError with the line
and the column that is wrong.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adhop.errors import AdhopError

_SEPARATORS = ";\t,|"
_SPACES = re.compile(r"[\s\u00a0\u2007\u202f\u200b\ufeff']")
"""What spreadsheets put between thousands and around cells."""
_UNIT = re.compile(r"[\s_]*(?:[(\[]\s*([^)\]]*?)\s*[)\]]|[_ ](ev|mev|ha|hartree|ry|rydberg|kj/mol|kcal/mol))$")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}([.,]\d{3})+")


@dataclass(frozen=True)
class Row:
    """A row of a table, or a frame of a file."""

    place: str
    """For messages: `line 3`."""
    cells: dict[str, str]
    """By the column's name, without spaces around; empty cells are left out."""
    comma: bool = False
    """Whether numbers of the table are written with a decimal comma."""

    def number(self, column: str) -> float | None:
        """The number in a column; None where there is none. Raises AdhopError."""
        text = self.cells.get(column, "")
        if text in ("", "-", "–"):
            return None
        try:
            value = float(_pointed(text, comma=self.comma))
        except ValueError as error:
            why = str(error) if isinstance(error, _Ambiguous) else "is no number"
            raise AdhopError(f"{self.place}, column {column}: {text!r} {why}") from None
        if not math.isfinite(value):
            raise AdhopError(f"{self.place}, column {column}: {text!r} is no number")
        return value


class _Ambiguous(ValueError):
    """A number that can be read in two ways."""


_ENERGIES = "name,total_energy_eV or candidate,adsorption_energy"


def read(path: Path, known: Collection[str], needed: Collection[str], *, example: str = _ENERGIES) -> list[Row]:
    """The rows that hold anything. known: names of the columns that are used; needed: the first line must name one of these, as the
    example does."""
    text = _decoded(path.read_bytes())
    if re.match(r"sep=.\s*\n", text):  # spreadsheets write this for each other; the line stays, for the count
        text = text[text.index("\n") :]
    separator, columns = _header(text, known, needed, example)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    lines = [(reader.line_num, cells) for cells in reader if any(_bare(cell) for cell in cells)]
    rows = list(_rows(lines[1:], columns, separator))
    numbers = [row[name] for _, row in rows for name in row if name in known and name.endswith("energy")]
    comma = any("," in text and "." not in text and not (separator == "," and _grouped(text)) for text in numbers)
    return [Row(f"line {line}", cells, comma) for line, cells in rows]


def _decoded(raw: bytes) -> str:
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise AdhopError("this is a workbook: save the sheet as CSV")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252")  # what older spreadsheets write


def _header(text: str, known: Collection[str], needed: Collection[str], example: str) -> tuple[str, list[str]]:
    """The separator, and the name of each column."""
    first = next((line for line in text.splitlines() if _bare(line)), "")
    for separator in _SEPARATORS:
        columns = [_column(cell, known) for cell in next(csv.reader([first], delimiter=separator), [])]
        if set(columns) & set(needed):
            twice = [name for name in known if columns.count(name) > 1]
            if twice:
                raise AdhopError(f"line 1: there are two columns {twice[0]}")
            return separator, columns
    raise AdhopError(f"the first line must name the columns: {example}; it is {first[:80]!r}")


def _column(cell: str, known: Collection[str]) -> str:
    """`Total energy (eV)` is total_energy; names that aren't known stay as they are."""
    plain = _bare(cell)
    name = plain.lower().removeprefix("#").strip()
    unit = _UNIT.search(name)
    name = re.sub(r"[\s-]+", "_", name[: unit.start()] if unit else name)
    if name not in known:
        return plain
    if unit and (said := unit[1] or unit[2]).lower() != "ev":
        raise AdhopError(f"line 1, column {plain}: energies are in eV here, not in {said}")
    return name


def _rows(
    lines: Sequence[tuple[int, list[str]]], columns: Sequence[str], separator: str
) -> Iterator[tuple[int, dict[str, str]]]:
    for line, cells in lines:
        if any(_bare(cell) for cell in cells[len(columns) :]):
            hint = (
                "write -1.42 with a point, or separate cells with ;"
                if separator == ","
                else "quote a cell that holds one"
            )
            raise AdhopError(
                f"line {line} has {len(cells)} cells, and the first line names {len(columns)} columns: is a decimal comma or a "
                f"separator in one of them? {hint}"
            )
        yield line, {name: bare for name, cell in zip(columns, cells, strict=False) if name and (bare := _bare(cell))}


def _bare(cell: str) -> str:
    return cell.replace("\ufeff", "").strip().strip("\u00a0\u2007\u202f\u200b").strip()


def _grouped(text: str) -> bool:
    """Whether a number's marks may stand between thousands."""
    return _THOUSANDS.fullmatch(_SPACES.sub("", text)) is not None


def _pointed(text: str, *, comma: bool) -> str:
    """A number as Python writes it. comma: the table writes decimal commas."""
    plain = _SPACES.sub("", re.sub(r"\s*ev$", "", text, flags=re.IGNORECASE)).replace("−", "-").replace("–", "-")
    if "," in plain and "." in plain:
        decimal, other = (",", ".") if plain.rfind(",") > plain.rfind(".") else (".", ",")
        whole, _, fraction = plain.partition(decimal)
        if not _grouped(whole):
            raise ValueError(text)
        return f"{whole.replace(other, '')}.{fraction}"
    if _grouped(plain) and (comma if "." in plain else not comma):
        raise _Ambiguous("may be a thousand or a fraction: write it with a point for decimals and no other marks")
    return plain.replace(",", ".")
