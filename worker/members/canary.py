"""The canary: one structure whose answer is known. It is evaluated before a member's first work in a process, and so after every
fault that ended one: a device in a bad state shows here, not in someone's job.

What is known is what the same checkpoint answered before: on this device, or, the first time on it, on any other. The very first
answer must repeat itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.build import add_adsorbate, fcc111
from ase.data import chemical_symbols

from services.forces.potential import Evaluation, Potential
from shared.errors import MachineryFailure
from shared.structures import Structure
from worker.members.device_records import DeviceRecord

ENERGY_TOLERANCE = 2e-3
"""eV, on 13 atoms. The float32 noise of our members is below a tenth of it (docs/decisions/0005)."""
FORCE_TOLERANCE = 2e-2
"""eV/Å, on any component."""

_METALS = ("Pt", "Cu", "Ni", "Pd", "Ag", "Au", "Al", "Fe", "Ti")
_LATTICE_CONSTANT = 3.9
_ADSORBED = ("O", "H", "C", "N")


def structure(elements: frozenset[int]) -> Structure:
    """An atom in the hollow of a small slab, shaken so that no two distances are equal; of elements that the member knows."""
    known = [chemical_symbols[number] for number in sorted(elements)]
    metal = next((symbol for symbol in _METALS if symbol in known), known[-1])
    adsorbed = next((symbol for symbol in _ADSORBED if symbol in known), known[0])
    atoms = fcc111(metal, (2, 2, 3), a=_LATTICE_CONSTANT, vacuum=7.0, periodic=True)
    add_adsorbate(atoms, adsorbed, 1.3, "fcc")
    atoms.rattle(0.05, seed=7)
    atoms.set_tags([*([0] * 8), *([1] * 4), 2])
    return Structure.from_oc_atoms(atoms)


def check(potential: Potential, known: Sequence[DeviceRecord], device: str) -> Evaluation:
    """The member's answer. Raises MachineryFailure where it isn't finite, or isn't the known one."""
    asked = structure(potential.card.elements)
    answer = potential.evaluate([asked])[0]
    if not np.isfinite(answer.energy) or not np.isfinite(answer.forces).all():
        raise MachineryFailure(f"{potential.card.name} gives no finite answer to its canary on {device}")
    expected = next((one for one in known if one.device == device), next(iter(known), None))
    if expected is None:
        again = potential.evaluate([asked])[0]
        expected = DeviceRecord(device, 0.0, 0, again.energy, again.forces)
    energy = abs(answer.energy - expected.energy)
    force = float(np.abs(answer.forces - expected.forces).max())
    if energy > ENERGY_TOLERANCE or force > FORCE_TOLERANCE:
        raise MachineryFailure(
            f"{potential.card.name} on {device} answers its canary {energy:.3g} eV and {force:.3g} eV/Å away from what it answered "
            f"on {expected.device}; {ENERGY_TOLERANCE:g} eV and {FORCE_TOLERANCE:g} eV/Å are allowed: "
            "the device miscomputes, or the package changed"
        )
    return answer
