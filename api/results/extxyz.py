"""Minima and candidates as extended XYZ, by ASE's writer.

Per frame, in the comment line: `job`, `candidate` (ids), `rank` (null where it wasn't chosen), `label` (of a structure that was
given), `site`, `found_by` (member), `hop`, `converged`, `anomalies`, `low_confidence`, `verdict`, `reference`, `n_members`,
`passes`, and in eV `adsorption_energy_mean`, `adsorption_energy_std`, `adsorption_energy_range`, `adsorption_energy_relative`
(the relative spread), `adsorption_energy_<member>`, `energy_<member>` (total, of members that predict totals) with every
character of the member's name outside [A-Za-z0-9_] written as `_`. `displacement_<member>`, Å, where the two are of a geometry of
that member's own, and how far from this frame's. `bare_energy`, and `energy`, are by the member that found it, eV. Null and empty
text are written as JSON, which ASE reads back. Per atom: positions in Å, `move_mask` (F: fixed; only where an atom is), `tags`
(OC20); atoms are in the order of the adslab that was submitted, or slab first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from io import StringIO
from typing import Any

from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io.extxyz import write_extxyz

from api.results.queries import Chosen, Finding
from shared.database.tables import Minimum

MEDIA_TYPE = "chemical/x-xyz"
_NULL = "_JSON null"
"""ASE's writer has no word for None; its reader has this one."""
_EMPTY = '_JSON ""'
"""An empty text, which its writer and its reader don't agree on."""


def minima_text(minima: Iterable[Chosen]) -> str:
    """One frame per minimum, by rank."""
    return _text(_frame(one.finding, one.minimum) for one in minima)


def candidates_text(found: Iterable[Finding], ranks: dict[int, Minimum]) -> str:
    """One frame per candidate, in the order given. ranks: the chosen ones, by the candidate's id."""
    return _text(_frame(one, ranks.get(one.candidate.id)) for one in found)


def _text(frames: Iterable[Atoms]) -> str:
    written = StringIO()
    if made := list(frames):
        write_extxyz(written, made)
    return written.getvalue()


def _frame(finding: Finding, minimum: Minimum | None) -> Atoms:
    candidate = finding.candidate
    info: dict[str, Any] = {
        "job": str(candidate.job_id),
        "candidate": candidate.id,
        "rank": _NULL if minimum is None else minimum.rank,
        "label": finding.placement.label or "",
        "site": candidate.site,
        "found_by": candidate.member,
        "hop": candidate.hop,
        "bare_energy": candidate.energy,
        "converged": candidate.converged,
        "anomalies": ", ".join(candidate.anomalies) or _EMPTY,
    }
    if minimum is not None:
        info |= {"low_confidence": minimum.low_confidence, "verdict": minimum.reason}
    elif finding.score is not None:
        info["verdict"] = finding.score.verdict
    if finding.score is not None:
        info |= {"n_members": finding.score.n, "passes": finding.score.passes}
        for name in ("mean", "std", "range", "relative"):
            value = getattr(finding.score, name)
            if value is not None:
                info[f"adsorption_energy_{name}"] = value
    info |= _energies(finding)
    atoms = finding.structure.to_atoms()
    atoms.info = {key: " ".join(value.split()) if isinstance(value, str) else value for key, value in info.items()}
    atoms.info = {key: value for key, value in atoms.info.items() if value != ""}
    atoms.calc = SinglePointCalculator(atoms, energy=candidate.energy)
    return atoms


def _energies(finding: Finding) -> dict[str, Any]:
    total = finding.kinds.get(finding.candidate.member) != "adsorption"
    found: dict[str, Any] = {_key("energy", finding.candidate.member): finding.candidate.energy} if total else {}
    for one in finding.energies:
        if one.adsorption_energy is not None:
            found |= {_key("adsorption_energy", one.member): one.adsorption_energy, "reference": one.stated}
        if one.energy is not None and finding.kinds.get(one.member) != "adsorption":
            found[_key("energy", one.member)] = one.energy
        if one.displacement is not None:
            found[_key("displacement", one.member)] = one.displacement
    return found


def _key(what: str, member: str) -> str:
    return f"{what}_{re.sub(r'[^A-Za-z0-9_]', '_', member)}"
