"""What an adsorption energy is relative to: the relaxed clean slab, and OC20's gas-phase scale.

E_ads = E(adslab) - E(slab) - Σ n_i μ_i with μ_H = E(H2)/2, μ_O = E(H2O) - E(H2), μ_C = E(CO) - μ_O, μ_N = E(N2)/2.
Other elements take the references that the job brings, energies by each member, and say so in the statement.
Chanussot et al., ACS Catal. 11, 6059 (2021), doi:10.1021/acscatal.0c04525.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from ase.build import molecule
from ase.data import atomic_numbers, chemical_symbols

from shared.errors import InvalidInput
from shared.parameters import NO_REFERENCES, OwnReference
from shared.references import CHEMICAL_POTENTIALS, COVERED, GAS, in_gas, in_words
from shared.structures import Structure

BOX = 15.0
"""Å: edge of the box that holds a gas molecule; no potential in use sees across it."""


def coefficients(numbers: Sequence[int], own: Mapping[str, OwnReference] = NO_REFERENCES) -> dict[str, float]:
    """How many of each reference the adsorbate's atoms are worth; zeros left out, in the order of GAS, then one's own by label.

    own: references by element symbol, for what the gas molecules don't cover. Raises InvalidInput for an element without a reference.
    """
    counts = Counter(int(number) for number in numbers)
    extra = {atomic_numbers[symbol]: reference for symbol, reference in own.items()}
    unknown = sorted(chemical_symbols[number] for number in counts.keys() - COVERED - extra.keys())
    if unknown:
        raise InvalidInput(
            f"no reference for {', '.join(unknown)}: adsorption energies are on the scale of {in_words(GAS)}, which cover "
            f"{in_words(sorted(CHEMICAL_POTENTIALS))}; give one of your own in parameters.references",
            field="adsorbate",
        )
    totals = dict.fromkeys(GAS, 0.0)
    theirs: dict[str, float] = {}
    for number, count in counts.items():
        if number in extra:
            theirs[extra[number].label] = count / extra[number].atoms
        for gas, share in CHEMICAL_POTENTIALS.get(chemical_symbols[number], {}).items():
            totals[gas] += count * share
    return {name: total for name, total in (totals | dict(sorted(theirs.items()))).items() if total != 0.0}


def own_energies(own: Mapping[str, OwnReference], member: str) -> dict[str, float]:
    """Total energies of one's own references by this member, eV, by label. Raises InvalidInput for one that lacks it."""
    lacking = sorted(reference.label for reference in own.values() if member not in reference.energies)
    if lacking:
        raise InvalidInput(
            f"no energy of {', '.join(lacking)} by {member}: each member needs its own, or mixed scales would be compared",
            field="parameters.references",
        )
    return {reference.label: reference.energies[member] for reference in own.values()}


def gas_start(name: str, pbc: tuple[bool, bool, bool]) -> Structure:
    """One reference molecule in its box, with the periodicity of the slab it will be compared with. Nothing is fixed,
    and no atom is called adsorbate: there is no slab for it to be one of."""
    if name not in GAS:
        raise InvalidInput(f"{name} is not one of the reference molecules {', '.join(GAS)}")
    atoms = molecule(name)
    atoms.set_cell(np.eye(3) * BOX)
    atoms.center()
    atoms.pbc = pbc
    none = np.zeros(len(atoms), dtype=bool)
    return Structure.from_atoms(atoms, adsorbate=none, surface=none)


def adsorption_energy(
    adslab: float, slab: float, energies: Mapping[str, float], coefficients: Mapping[str, float]
) -> float:
    """eV per adslab, from total energies by one member, eV: of the adslab, the slab, and each reference."""
    return adslab - slab - sum(count * energies[name] for name, count in coefficients.items())


def statement(coefficients: Mapping[str, float]) -> str:
    """The reference in words, equal for equal references: `relaxed clean slab + CO(g) + 0.125 S8(g)`."""
    words = ["relaxed clean slab"]
    for name in (*GAS, *sorted(coefficients.keys() - set(GAS))):
        count = coefficients.get(name, 0.0)
        if count:
            size = "" if abs(count) == 1 else f"{abs(count):g} "
            words.append(f"{'+' if count > 0 else '-'} {size}{in_gas(name) if name in GAS else name}")
    return " ".join(words)
