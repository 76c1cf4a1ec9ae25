"""Minima as extended XYZ, by ASE's writer.

Per frame, in the comment line: `job`, `candidate` (ids), `rank`, `site`, `found_by` (member), `low_confidence`, `verdict`,
`reference`, `n_members`, `passes`, and in eV `adsorption_energy_mean`, `adsorption_energy_std`, `adsorption_energy_range`,
`adsorption_energy_<member>` with every character of the member's name outside [A-Za-z0-9_] written as `_`. Per atom: positions
in Å, `move_mask` (F: fixed; only where an atom is), `tags` (OC20).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from io import StringIO
from typing import Any

from ase import Atoms
from ase.io.extxyz import write_extxyz

from api.results.queries import Chosen

MEDIA_TYPE = "chemical/x-xyz"


def minima_text(minima: Iterable[Chosen]) -> str:
    """One frame per minimum, by rank."""
    written = StringIO()
    frames = [_frame(one) for one in minima]
    if frames:
        write_extxyz(written, frames)
    return written.getvalue()


def _frame(chosen: Chosen) -> Atoms:
    finding, minimum = chosen.finding, chosen.minimum
    info: dict[str, Any] = {
        "job": str(finding.candidate.job_id),
        "candidate": finding.candidate.id,
        "rank": minimum.rank,
        "site": finding.candidate.site,
        "found_by": finding.candidate.member,
        "low_confidence": minimum.low_confidence,
        "verdict": minimum.reason,
    }
    if finding.score is not None:
        info |= {"n_members": finding.score.n, "passes": finding.score.passes}
        for name in ("mean", "std", "range"):
            value = getattr(finding.score, name)
            if value is not None:
                info[f"adsorption_energy_{name}"] = value
    for energy in finding.energies:
        if energy.adsorption_energy is not None:
            info[f"adsorption_energy_{re.sub(r'[^A-Za-z0-9_]', '_', energy.member)}"] = energy.adsorption_energy
            info["reference"] = energy.reference
    atoms = finding.structure.to_atoms()
    atoms.info = {key: value for key, value in info.items() if value != ""}
    return atoms
