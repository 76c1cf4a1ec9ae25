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
    rows = list(_frames(path) if path.suffix in (".xyz", ".extxyz") else _lines(path))
    members = sorted({column[7:] for row in rows for column in row if column.startswith("energy:")})
    if not rows or not members or any(not row.get("system") for row in rows):
        lack = (
            "has no rows"
            if not rows
            else "lacks a column energy:MEMBER"
            if not members
            else "lacks a system in some row"
        )
        raise InvalidInput(f"{path} {lack}; adhop-evaluate --help lists the columns")
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
    try:
        with path.open(newline="", encoding="utf-8-sig") as text:
            for row in csv.DictReader(text):
                yield {(key or "").strip(): value.strip() for key, value in row.items() if isinstance(value, str)}
    except OSError as error:
        raise InvalidInput(f"{path} can't be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"{path} is no CSV file: {error}") from None


def _frames(path: Path) -> Iterator[Row]:
    try:
        for atoms in iread(path, format="extxyz"):
            yield {re.sub(r"^adsorption_energy_", "energy:", str(key)): str(value) for key, value in atoms.info.items()}
    except Exception as error:  # noqa: BLE001 - ASE raises whatever it stumbles over
        why = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        raise InvalidInput(f"{path} can't be read as extxyz: {why}") from None


def _number(path: Path, row: Row, column: str) -> float:
    text = row.get(column, "")
    if not text:
        return float("nan")
    try:
        number = float(text)
    except ValueError:
        number = float("inf")
    if np.isinf(number):
        raise InvalidInput(
            f"{path}: {column} {text!r} of {row['system']} is no finite number; leave it empty where there is none"
        )
    return number


def _true(text: str) -> bool:
    return text.strip().lower() not in ("false", "f", "0", "no")


def jobs(client: Client, ids: Sequence[str], functional: str | None = None) -> Labelled:
    """Candidates of jobs, with their members' energies and the reference energies that were fed back, the newest of the functional.

    Raises InvalidInput where a reference energy is measured against something else than the members' energies.
    """
    try:
        rows = [row for job_id in ids for row in _candidates(client, job_id)]
        return _of_jobs(rows, len(ids), functional)
    except (AttributeError, KeyError, TypeError) as error:
        raise InvalidInput(f"the server's answer is not that of an Adhop server of this version ({error})") from None


def _candidates(client: Client, job_id: str) -> list[tuple[str, dict[str, Any]]]:
    job = client.job(job_id)
    name = f"{job.body['adsorbate']} on {job.body['surface']} ({job_id[:8]})"
    return [(name, one) for one in job.candidates() if one["duplicate_of"] is None]


def _of_jobs(rows: list[tuple[str, dict[str, Any]]], n_jobs: int, functional: str | None) -> Labelled:
    members = sorted({energy["member"] for _, one in rows for energy in one["energies"]})
    if not members:
        raise InvalidInput("these jobs have no scored candidates")
    return Labelled(
        name=f"{n_jobs} job{'s' if n_jobs > 1 else ''}",
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
    for row in _lines(path):
        if missing := [name for name in ("system", "candidate", "energy") if name not in row]:
            raise InvalidInput(f"{path} needs the columns system, candidate, energy; a row has no {missing[0]}")
        found.setdefault(row["system"], {})[row["candidate"]] = _number(path, row, "energy")
    if not found:
        raise InvalidInput(f"{path} has no rows; it needs the columns system, candidate, energy")
    return found
