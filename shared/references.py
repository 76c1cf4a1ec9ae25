"""What adsorption energies are relative to: the relaxed clean slab, and OC20's gas-phase scale.

Chanussot et al., ACS Catal. 11, 6059 (2021), doi:10.1021/acscatal.0c04525. The arithmetic is in services.scoring.references.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType

from ase.data import atomic_numbers


class EnergyKind(StrEnum):
    """What a potential's energy means."""

    TOTAL = "total"
    ADSORPTION = "adsorption"  # relative to the relaxed clean slab and the molecules of `GAS`


class ReferenceKind(StrEnum):
    """What a reference is of: each is relaxed by the member whose energies it is for."""

    SLAB = "slab"  # the clean slab
    GAS = "gas"  # one molecule of `GAS`


CHEMICAL_POTENTIALS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "H": {"H2": 0.5},
        "C": {"CO": 1.0, "H2O": -1.0, "H2": 1.0},
        "N": {"N2": 0.5},
        "O": {"H2O": 1.0, "H2": -1.0},
    }
)
"""How many of each reference molecule one atom of an element is worth."""
COVERED = frozenset(atomic_numbers[symbol] for symbol in CHEMICAL_POTENTIALS)
"""Atomic numbers of these elements; others need references of the job's own."""
GAS = tuple(sorted({molecule for share in CHEMICAL_POTENTIALS.values() for molecule in share}))
"""The reference molecules, CO, H2, H2O and N2: in the order that statements name them."""


def in_gas(molecule: str) -> str:
    """A reference molecule as a statement names it: `CO(g)`."""
    return f"{molecule}(g)"


def in_words(names: Iterable[str]) -> str:
    """`CO, H2, H2O and N2`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
