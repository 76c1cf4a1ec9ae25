"""Reference energies from files: the filled-in energies.csv of a hand-off, a table of adsorption energies, or extxyz.

energies.csv: `name,total_energy_eV`, with rows rankN-candidateM, slab, gas-NAME. A table: `candidate,adsorption_energy` and,
where they differ by row, `functional`, `code`, `provenance`; any further columns are left alone. As a spreadsheet saves them:
separated by commas, semicolons or tabs, with decimal points or commas (adhop.spreadsheet).

extxyz: what `adhop minima --all -o FILE.extxyz` wrote, each frame with an `adsorption_energy` (eV) in its comment line; or with
a total energy, as `total_energy` there or as the frame's own energy by DFT, and frames with `name=slab` and `name=gas-NAME`
beside them. A frame's energy that is still that of a member is never taken for DFT.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.io import iread

from adhop import spreadsheet
from adhop.errors import AdhopError
from adhop.spreadsheet import Row

_SAID = ("functional", "code", "provenance")
_ENERGIES = ("adsorption_energy", "total_energy")
_COLUMNS = ("name", "candidate", *_ENERGIES, *_SAID)
_NAME = re.compile(r"(?:rank\d+-)?candidate(\d+)$")
_ID = re.compile(r"(?:(?:rank\d+-)?candidate)?(\d+)(?:[.,]0+)?$")
_UNCHANGED = 1e-6
"""eV: closer than this, an energy is that of the member that the file came with."""


def read(path: Path, *, functional: str | None, code: str | None, provenance: str) -> list[tuple[int, dict[str, Any]]]:
    """Candidate ids, and what to post for each. Rows without an energy are left out. Raises AdhopError with the line, or frame, and
    the column that is wrong."""
    try:
        rows = list(_frames(path)) if path.suffix.lower() in (".xyz", ".extxyz") else _table(path)
        given = {"functional": functional, "code": code, "provenance": provenance}
        bodies = [(candidate, _said(row, given) | energies) for candidate, row, energies in _energies(rows)]
    except AdhopError as error:
        raise AdhopError(f"{path}: {error}") from None
    except OSError as error:
        raise AdhopError(f"{path} can't be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error, ValueError, KeyError) as error:
        raise AdhopError(f"{path} can't be read: {error}") from None
    if not bodies:
        raise AdhopError(f"{path} holds no energies: fill in total_energy_eV, or adsorption_energy")
    return bodies


def _table(path: Path) -> list[Row]:
    return spreadsheet.read(path, _COLUMNS, ("name", "candidate"))


def _frames(path: Path) -> Iterator[Row]:
    for number, atoms in enumerate(iread(path, format="extxyz"), start=1):
        cells = {str(key): str(value).strip() for key, value in atoms.info.items()}
        if not {"name", "candidate"} & cells.keys():
            raise AdhopError(f"frame {number} has neither `name` nor `candidate` in its comment line")
        total = cells.pop("total_energy_eV", None) or _own_energy(atoms)
        yield Row(f"frame {number}", cells | ({"total_energy": total} if total and "total_energy" not in cells else {}))


def _own_energy(atoms: Atoms) -> str | None:
    """The energy that the frame brings, unless a member's: frames of a job's minima hold those."""
    if atoms.calc is None or "energy" not in atoms.calc.results:
        return None
    energy = float(atoms.get_potential_energy())
    of_member = atoms.info.get("bare_energy")
    return None if of_member is not None and abs(energy - float(of_member)) < _UNCHANGED else repr(energy)


def _energies(rows: Sequence[Row]) -> Iterator[tuple[int, Row, dict[str, Any]]]:
    """Candidates with the adsorption energy, or the total energies, to be posted."""
    totals = _totals(rows)
    gas = {name[4:]: energy for name, energy in totals.items() if name.startswith("gas-")}
    for row in rows:
        adsorption, total = (row.number(column) for column in _ENERGIES)
        if (adsorption is None and total is None) or _is_reference(row):
            continue
        candidate = _candidate(row)
        if adsorption is not None and total is not None:
            raise AdhopError(f"{row.place} has adsorption_energy and total_energy: give one of them")
        if adsorption is not None:
            yield candidate, row, {"adsorption_energy": adsorption}
        elif "slab" in totals:
            yield candidate, row, {"totals": {"adslab": total, "slab": totals["slab"], "gas": gas}}
        else:
            raise AdhopError(
                f"{row.place} has a total energy, and the total energy of the slab is missing: add it as `slab`"
            )


def _totals(rows: Sequence[Row]) -> dict[str, float]:
    """The total energies of slab and gas molecules by name, eV."""
    found: dict[str, float] = {}
    for row in rows:
        name, energy = row.cells.get("name", ""), row.number("total_energy")
        if not _is_reference(row) or energy is None:
            continue
        if name in found:
            raise AdhopError(f"{row.place}, column name: {name} stands there for the second time")
        found[name] = energy
    return found


def _is_reference(row: Row) -> bool:
    name = row.cells.get("name", "")
    return name == "slab" or name.startswith("gas-")


def _candidate(row: Row) -> int:
    if "name" in row.cells and (found := _NAME.match(row.cells["name"])):
        return int(found[1])
    if "candidate" in row.cells:
        if found := _ID.match(row.cells["candidate"]):
            return int(found[1])
        raise AdhopError(f"{row.place}, column candidate: {row.cells['candidate']!r} is no candidate's number")
    if "name" in row.cells:
        raise AdhopError(
            f"{row.place}, column name: {row.cells['name']!r} is none of rankN-candidateM, slab and gas-NAME"
        )
    raise AdhopError(f"{row.place} has an energy, and doesn't say of which candidate")


def _said(row: Row, given: dict[str, str | None]) -> dict[str, Any]:
    body = {column: said for column in _SAID if (said := row.cells.get(column) or given[column])}
    missing = [column for column in ("functional", "code") if column not in body]
    if missing:
        raise AdhopError(f"say which {' and '.join(missing)} the energies are by (--functional, --code)")
    return body
