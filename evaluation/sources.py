"""Labelled sets from tables, from extxyz, and from an Adhop server's own jobs."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from adhop import Client
from ase.io import iread

from services.evaluation.labelled import Labelled
from shared.errors import InvalidInput
from shared.soundness import Anomaly, is_sound

COLUMNS = f"""\
system, candidate     names
energy:MEMBER         adsorption energy by a member, eV; one column for each
reference             reference energy of the same structure, eV
lowest                lowest reference energy known of the system, eV (optional)
method                search method that found it first (optional)
anomalies             {", ".join(Anomaly)} (optional)
converged             true or false (optional)
In extxyz: the same as keys of the comment line, members' energies as adsorption_energy_MEMBER."""

Row = Mapping[str, str]


def table(path: Path, reference_name: str | None = None) -> Labelled:
    """A CSV file or extxyz with the columns of `COLUMNS`. Raises InvalidInput with the row that is wrong."""
    try:
        rows = list(_frames(path) if path.suffix in (".xyz", ".extxyz") else _lines(path))
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, KeyError) as error:
        raise InvalidInput(f"{path} can't be read: {error}") from None
    members = sorted({column[7:] for row in rows for column in row if column.startswith("energy:")})
    if not rows or not members or any("system" not in row for row in rows):
        raise InvalidInput(f"{path} needs these columns:\n{COLUMNS}")
    methods = tuple(dict.fromkeys(row.get("method", "") for row in rows))
    lowest = {row["system"]: _number(path, row, "lowest") for row in rows if row.get("lowest")}
    return Labelled(
        name=path.name,
        reference_name=reference_name or "the table's own reference",
        systems=[row["system"] for row in rows],
        candidates=[row.get("candidate") or str(index) for index, row in enumerate(rows)],
        members=tuple(members),
        energies=np.array([[_number(path, row, f"energy:{member}") for member in members] for row in rows]),
        reference=np.array([_number(path, row, "reference") for row in rows]),
        methods=methods if methods != ("",) else (),
        method=np.array([methods.index(row.get("method", "")) for row in rows]),
        sound=np.array([is_sound(_true(row.get("converged", "true")), row.get("anomalies", "")) for row in rows]),
        anomalies=[row.get("anomalies", "") for row in rows],
        lowest=lowest,
    )


def _lines(path: Path) -> Iterator[Row]:
    with path.open(newline="") as text:
        for row in csv.DictReader(text):
            yield {(key or "").strip(): value.strip() for key, value in row.items() if isinstance(value, str)}


def _frames(path: Path) -> Iterator[Row]:
    for atoms in iread(path, format="extxyz"):
        yield {re.sub(r"^adsorption_energy_", "energy:", str(key)): str(value) for key, value in atoms.info.items()}


def _number(path: Path, row: Row, column: str) -> float:
    text = row.get(column, "")
    if not text:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(f"{path}: {column} {text!r} of {row['system']} is no number") from None


def _true(text: str) -> bool:
    return text.strip().lower() not in ("false", "f", "0", "no")


def jobs(client: Client, ids: Sequence[str], functional: str | None = None) -> Labelled:
    """Candidates of jobs, with their members' energies and the reference energies that were fed back, the newest of the functional.

    Raises InvalidInput where a reference energy is measured against something else than the members' energies.
    """
    rows: list[tuple[str, dict[str, Any]]] = []
    for job_id in ids:
        body = client.job(job_id).body
        name = f"{body['adsorbate']} on {body['surface']} ({job_id[:8]})"
        rows += [(name, one) for one in client.job(job_id).candidates() if one["duplicate_of"] is None]
    members = sorted({energy["member"] for _, one in rows for energy in one["energies"]})
    if not members:
        raise InvalidInput("these jobs have no scored candidates")
    return Labelled(
        name=f"{len(ids)} job{'s' if len(ids) > 1 else ''}",
        reference_name=functional or "reference energies that were fed back",
        systems=[name for name, _ in rows],
        candidates=[str(one["id"]) for _, one in rows],
        members=tuple(members),
        energies=np.array([_energies(one, members) for _, one in rows]),
        reference=np.array([_fed_back(one, functional) for _, one in rows]),
        sound=np.array([is_sound(one["converged"], one["anomalies"]) for _, one in rows]),
        anomalies=[", ".join(one["anomalies"]) for _, one in rows],
    )


def _energies(candidate: Mapping[str, Any], members: Sequence[str]) -> list[float]:
    known = {one["member"]: one["adsorption_energy"] for one in candidate["energies"]}
    return [float("nan") if known.get(member) is None else float(known[member]) for member in members]


def _fed_back(candidate: Mapping[str, Any], functional: str | None) -> float:
    stated = {one["reference"] for one in candidate["energies"] if one["reference"] is not None}
    for one in candidate["reference_energies"]:
        if functional in (None, one["functional"]):
            if stated and stated != {one["reference"]}:
                raise InvalidInput(
                    f"candidate {candidate['id']}: the members' energies are relative to {'; '.join(stated)}, the one fed back to "
                    f"{one['reference']}"
                )
            return float(one["adsorption_energy"])
    return float("nan")


def predictions(path: Path) -> dict[str, dict[str, float]]:
    """ML energies, eV, by system and candidate: a CSV file with the columns system, candidate, energy."""
    found: dict[str, dict[str, float]] = {}
    try:
        for row in _lines(path):
            found.setdefault(row["system"], {})[row["candidate"]] = _number(path, row, "energy")
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise InvalidInput(f"{path} needs the columns system, candidate, energy: {error}") from None
    return found
