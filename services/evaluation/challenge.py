"""The metric of the Open Catalyst Challenge 2023.

For each system the submitted candidate with the lowest ML energy counts. It fails if its ML energy is more than 0.1 eV from
the DFT energy of the same structure; otherwise it succeeds if its ML energy is no more than 0.1 eV above the lowest DFT energy
known of the system. A system without a candidate fails. Success as in AdsorbML, Lan et al., npj Comput. Mater. 9, 172 (2023),
doi:10.1038/s41524-023-01121-5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from services.evaluation.shares import Share, share

THRESHOLD = 0.1
"""eV."""
MISSING = 1.0e10
"""What OC20-Dense writes where a DFT calculation gave no energy."""

Energies = Mapping[str, Mapping[str, float]]
"""eV by system and candidate."""


@dataclass(frozen=True)
class Verdict:
    """How one system went."""

    system: str
    candidate: str | None
    """The lowest by ML; None where there is none."""
    energy: float | None
    """Its ML energy, eV."""
    succeeds: bool
    why: str


def judge(ml: Energies, dft: Energies, lowest: Mapping[str, float]) -> list[Verdict]:
    """Every system of `lowest`, in its order.

    ml: energies of the submitted candidates; dft: of the same structures; lowest: the lowest known DFT energy of each system, eV.
    Entries that are not finite or `MISSING` count as missing. Of candidates with the same ML energy the first one submitted counts.
    """
    return [_judge(system, ml.get(system, {}), dft.get(system, {}), lowest[system]) for system in lowest]


def success(verdicts: list[Verdict], *, seed: int = 0) -> Share:
    """The share of systems that succeed."""
    return share(np.array([one.succeeds for one in verdicts], dtype=np.bool_), seed=seed)


def there(energy: float) -> bool:
    """Whether an entry is an energy."""
    return bool(np.isfinite(energy)) and energy < MISSING / 2


def _judge(system: str, ml: Mapping[str, float], dft: Mapping[str, float], lowest: float) -> Verdict:
    given = {name: energy for name, energy in ml.items() if there(energy)}
    if not given:
        return Verdict(system, None, None, False, "no candidate")
    name = min(given, key=lambda one: given[one])
    energy = given[name]
    if not there(lowest):
        return Verdict(system, name, energy, False, "no reference energy of the system")
    if not there(dft.get(name, MISSING)):
        return Verdict(system, name, energy, False, "no reference energy of this structure")
    if abs(energy - dft[name]) > THRESHOLD:
        return Verdict(system, name, energy, False, f"{energy - dft[name]:+.2f} eV from the reference")
    above = energy - lowest
    return Verdict(system, name, energy, above <= THRESHOLD, f"{above:+.2f} eV from the lowest")
