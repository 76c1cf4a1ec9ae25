"""What an adsorption energy is relative to: the relaxed clean slab, and OC20's gas-phase scale.

E_ads = E(adslab) - E(slab) - Σ n_i μ_i with μ_H = E(H2)/2, μ_O = E(H2O) - E(H2), μ_C = E(CO) - μ_O, μ_N = E(N2)/2.
The energies of these molecules are each member's own, or its scale has μ as constants (shared.scales). Other elements take the
references that the job brings, energies by each member, and say so in the statement; so may these four.
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
from shared.scales import Scale
from shared.structures import Structure

BOX = 15.0
"""Å: edge of the box that holds a gas molecule; no potential in use sees across it."""


def coefficients(numbers: Sequence[int], own: Mapping[str, OwnReference] = NO_REFERENCES) -> dict[str, float]:
    """How many of each reference the adsorbate's atoms are worth; zeros left out, in the order of GAS, then one's own by label.

    own: references by element symbol, which come before the gas molecules. Raises InvalidInput for an element without a reference.
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
            continue
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


def words(numbers: Sequence[int], scale: Scale, own: Mapping[str, OwnReference] = NO_REFERENCES) -> str:
    """The member's scale in words, as far as the adsorbate needs it; empty where the job brings all references."""
    return scale.words([number for number in numbers if chemical_symbols[number] not in own])


def molecules(numbers: Sequence[int], scale: Scale, own: Mapping[str, OwnReference] = NO_REFERENCES) -> list[str]:
    """The gas molecules whose energies by the member itself are needed, in the order of GAS: those of the elements that neither the
    scale nor the job has an energy of."""
    symbols = set(scale.own_molecules(numbers)) - own.keys()
    needed = coefficients([atom for atom in numbers if chemical_symbols[atom] in symbols])
    return [name for name in GAS if name in needed]


def gas_energy(
    numbers: Sequence[int],
    scale: Scale,
    relaxed: Mapping[str, float],
    own: Mapping[str, OwnReference],
    member: str,
) -> float:
    """Σ n_i μ_i of the adsorbate by this member, eV. relaxed: energies of `molecules`, eV, by name.

    Raises InvalidInput for a reference of the job's that lacks the member's energy.
    """
    constants = {atomic_numbers[symbol]: energy for symbol, energy in scale.energies.items() if symbol not in own}
    energies = dict(relaxed) | own_energies(own, member)
    others = coefficients([number for number in numbers if number not in constants], own)
    total = sum(constants[number] for number in numbers if number in constants)
    return total + sum(count * energies[name] for name, count in others.items())


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


def statement(coefficients: Mapping[str, float], *, slab_as_given: bool = False) -> str:
    """The reference in words, equal for equal references: `relaxed clean slab + CO(g) + 0.125 S8(g)`."""
    words = ["clean slab as given" if slab_as_given else "relaxed clean slab"]
    for name in (*GAS, *sorted(coefficients.keys() - set(GAS))):
        count = coefficients.get(name, 0.0)
        if count:
            size = "" if abs(count) == 1 else f"{abs(count):g} "
            words.append(f"{'+' if count > 0 else '-'} {size}{in_gas(name) if name in GAS else name}")
    return " ".join(words)
