"""Candidates as ASE Atoms, and as extended XYZ that can be read back, and fed back with reference energies."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.io.extxyz import write_extxyz

from adhop import tables

_NULL, _EMPTY = "_JSON null", '_JSON ""'
"""What ASE's writer has no words for, in words that its reader knows."""


def atoms(finding: Mapping[str, Any], *, job: str, reference: str, unit: str = "eV") -> Atoms:
    """A candidate as the server tells it: `Job.structures` says what info and calc hold. reference: of all its energies."""
    raw = finding["structure"]
    made = Atoms(numbers=raw["numbers"], positions=raw["positions"], cell=raw["cell"], pbc=raw["pbc"], tags=raw["tags"])
    if any(raw["fixed"]):
        made.set_constraint(FixAtoms(mask=np.array(raw["fixed"], dtype=bool)))
    score = finding["score"] or {}
    made.info = {
        "job": job,
        "candidate": finding["id"],
        "rank": finding.get("rank"),
        **({"label": finding["label"]} if finding.get("label") is not None else {}),
        "site": finding["site"],
        "verdict": tables.verdict(finding),
        "anomalies": list(finding["anomalies"]),
        "converged": finding["converged"],
        "found_by": finding["member"],
        "hop": finding["hop"],
        "bare_energy": finding["energy"],
        "unit": unit,
        "reference": reference,
        **{key: score[key] for key in tables.SUMMARY if score.get(key) is not None},
        **_by_member(finding),
    }
    made.calc = SinglePointCalculator(made, energy=finding["energy"])
    return made


def _by_member(finding: Mapping[str, Any]) -> dict[str, float]:
    found = {} if finding.get("energy_kind") == "adsorption" else {f"energy_{finding['member']}": finding["energy"]}
    for one in finding["energies"]:
        if one["adsorption_energy"] is not None:
            found[f"adsorption_energy_{one['member']}"] = one["adsorption_energy"]
        if one["energy"] is not None and one.get("energy_kind") != "adsorption":
            found[f"energy_{one['member']}"] = one["energy"]
        if one.get("displacement") is not None:
            found[f"displacement_{one['member']}"] = one["displacement"]
    return found


def text(frames: Sequence[Atoms]) -> str:
    """Extended XYZ, energy included. Keys have `_` for every character outside [A-Za-z0-9_], as a member's name may hold; null,
    lists and empty text are written so that ASE reads them back, lists as text with commas."""
    written = io.StringIO()
    copies = []
    for frame in frames:
        one = frame.copy()
        one.calc = frame.calc
        one.info = {re.sub(r"[^A-Za-z0-9_]", "_", key): _plain(value) for key, value in frame.info.items()}
        copies.append(one)
    if copies:
        write_extxyz(written, copies)
    return written.getvalue()


def _plain(value: Any) -> Any:
    if value is None:
        return _NULL
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return (" ".join(value.split()) or _EMPTY) if isinstance(value, str) else value
