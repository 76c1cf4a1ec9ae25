"""Effective medium theory, as ASE ships it: milliseconds a call, for tests and for trying the service out.

K. W. Jacobsen, P. Stoltze, J. K. Nørskov, Surf. Sci. 366, 394 (1996), doi:10.1016/0039-6028(96)00816-3.
Good for close-packed Al, Ni, Cu, Pd, Ag, Pt, Au; its H, C, N, O are toys ("just for fun", says the source).
"""

from __future__ import annotations

from collections.abc import Sequence

import ase
import numpy as np
from ase import Atoms
from ase.calculators import emt
from ase.data import atomic_numbers

from services.forces.potential import Card, Evaluation
from shared.structures import Structure
from worker.potentials.entry import RegistryEntry
from worker.potentials.identity import agreed, fingerprint
from worker.potentials.inputs import refuse_unknown_elements


class EmtPotential:
    """ASE's EMT behind the protocol of potentials."""

    def __init__(self, card: Card) -> None:
        self.card = card

    def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
        """Energies and forces, one structure after the other. Raises InvalidInput for an element EMT lacks."""
        refuse_unknown_elements(self.card, structures)
        return [_evaluate(structure) for structure in structures]


def load(entry: RegistryEntry, *, device: str) -> EmtPotential:
    """EMT, which runs on the CPU whatever the device and needs no files."""
    probe = emt.EMT()
    probe.initialize(Atoms("Cu"))
    return EmtPotential(
        Card(
            name=entry.name,
            family="EMT",
            version=ase.__version__,
            sha256=fingerprint(entry),
            energy_kind=entry.energy_kind,
            elements=agreed(entry, frozenset(atomic_numbers[symbol] for symbol in emt.parameters)),
            cutoff=float(probe.rc_list),
            trained_on=entry.trained_on,
            license=entry.license,
        )
    )


def _evaluate(structure: Structure) -> Evaluation:
    """A fresh calculator each time: one that is kept carries its neighbour list from geometry to geometry, and
    the last bits of a sum would depend on what was asked before."""
    atoms = Atoms(numbers=structure.numbers, positions=structure.positions, cell=structure.cell, pbc=structure.pbc)
    atoms.calc = emt.EMT()
    return Evaluation(
        energy=float(atoms.get_potential_energy()),
        forces=np.array(atoms.get_forces(), dtype=np.float64),
    )
