"""Reference energies from files: the filled-in energies.csv of a hand-off, a table of adsorption energies, or extxyz.

energies.csv: `name,total_energy_eV`, with rows rankN-candidateM, slab, gas-NAME. A table: `candidate,adsorption_energy` and,
where they differ by row, `functional`, `code`, `provenance`. extxyz: frames with `name` (as above) and an energy, or
`candidate` and `adsorption_energy`.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ase.io import iread

from adhop.errors import AdhopError

_COLUMNS = ("functional", "code", "provenance")
_NAME = re.compile(r"(?:rank\d+-)?candidate(\d+)$")


def read(path: Path, *, functional: str | None, code: str | None, provenance: str) -> list[tuple[int, dict[str, Any]]]:
    """Candidate ids, and what to post for each. Rows without an energy are left out. Raises AdhopError with the row that is wrong."""
    try:
        rows = list(_frames(path) if path.suffix in (".xyz", ".extxyz") else _table(path))
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, KeyError) as error:
        raise AdhopError(f"{path} can't be read: {error}") from None
    given = {"functional": functional, "code": code, "provenance": provenance}
    if any("name" in row for row in rows):
        found = _totals(path, rows)
    else:
        found = [(_candidate(path, row), row, _energy(path, row, "adsorption_energy")) for row in rows]
    bodies = []
    for candidate, row, energies in found:
        if energies is None:
            continue
        body: dict[str, Any] = {
            column: row.get(column) or given[column] for column in _COLUMNS if row.get(column) or given[column]
        }
        missing = [column for column in ("functional", "code") if column not in body]
        if missing:
            raise AdhopError(f"{path}: say which {' and '.join(missing)} the energies are by (--functional, --code)")
        body["totals" if isinstance(energies, dict) else "adsorption_energy"] = energies
        bodies.append((candidate, body))
    if not bodies:
        raise AdhopError(f"{path} holds no energies: fill in total_energy_eV, or adsorption_energy")
    return bodies


def _table(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as text:
        for row in csv.DictReader(text):
            clean = {(key or "").strip(): (value or "").strip() for key, value in row.items() if isinstance(value, str)}
            if not {"name", "candidate"} & clean.keys():
                raise ValueError(
                    "the first line must name the columns: name,total_energy_eV or candidate,adsorption_energy"
                )
            yield clean


def _frames(path: Path) -> Iterator[dict[str, str]]:
    for atoms in iread(path, format="extxyz"):
        row = {key: str(value) for key, value in atoms.info.items()}
        if "name" in row and atoms.calc is not None:
            row["total_energy_eV"] = str(atoms.get_potential_energy())
        if not {"name", "candidate"} & row.keys():
            raise ValueError("a frame has neither `name` nor `candidate` in its comment line")
        yield row


def _totals(path: Path, rows: list[dict[str, str]]) -> list[tuple[int, Mapping[str, str], Any]]:
    energies = {row["name"]: _energy(path, row, "total_energy_eV") for row in rows}
    slab = energies.get("slab")
    gas = {name[4:]: value for name, value in energies.items() if name.startswith("gas-") and value is not None}
    found: list[tuple[int, Mapping[str, str], Any]] = []
    for row in rows:
        name, energy = _NAME.match(row["name"]), energies[row["name"]]
        if name is None or energy is None:
            continue
        if slab is None:
            raise AdhopError(f"{path}: the total energy of the slab is missing")
        found.append((int(name[1]), row, {"adslab": energy, "slab": slab, "gas": gas}))
    return found


def _candidate(path: Path, row: Mapping[str, str]) -> int:
    try:
        return int(row["candidate"])
    except (KeyError, ValueError):
        raise AdhopError(f"{path}: {row.get('candidate')!r} is no candidate's number") from None


def _energy(path: Path, row: Mapping[str, str], column: str) -> float | None:
    text = row.get(column, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise AdhopError(f"{path}: {column} {text!r} of {row.get('name') or row.get('candidate')} is no number")
    return value
