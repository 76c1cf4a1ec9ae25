"""Structures with adsorption energies by DFT, as sets of the community bring them: each on the scale of the service, with its slab.

A reaction `* + gas -> X* (+ gas)` has the energy E(X*) - E(*) + Σ s E(gas). The service measures against CO, H2, H2O and N2
(services/scoring/references.py): a reaction of these alone is on its scale as it stands; one of other molecules is brought there by
DFT's own energies of both, where the set has them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.formula import Formula
from ase.geometry import find_mic
from scipy.optimize import linear_sum_assignment

from services.scoring.references import coefficients
from shared.errors import InvalidInput
from shared.references import GAS
from shared.structures import Floats, Integers, Structure

_SAME_CELL = 1e-4
_SMALL = 1e-6
_FURTHEST = 3.0
"""Å: an atom of the clean slab that is further than this from every one of the adslab's isn't found again."""


@dataclass(frozen=True, eq=False)
class Label:
    """An adslab with DFT's adsorption energy."""

    system: str
    """What is on which surface: `CO on Ag(100)`."""
    name: str
    """Of the entry, in its set."""
    adslab: Structure
    """The slab's atoms first, in the order of the clean slab."""
    slab: Structure
    energy: float
    """eV per adslab, relative to the clean slab and CO, H2, H2O, N2."""

    @property
    def kind(self) -> str:
        """Equal for labels that differ in their positions alone, and have one clean slab."""
        return f"{self.adslab.topology_digest} {self.slab.digest}"


@dataclass
class LabelledSet:
    """What a file holds, and what of it can't be used."""

    name: str
    reference: str
    """By what: code and functional."""
    labels: list[Label] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Entries that can't be used, each with the reason."""

    def add(self, entry: str, make: Callable[[], Label]) -> None:
        """A label, or the reason why there is none."""
        try:
            self.labels.append(make())
        except InvalidInput as refusal:
            self.left_out.append(f"{entry}: {refusal}")

    def checked(self) -> LabelledSet:
        """Itself. Raises InvalidInput where nothing can be used."""
        if not self.labels:
            first = f"; the first of {len(self.left_out)}: {self.left_out[0]}" if self.left_out else ""
            raise InvalidInput(f"{self.name}: no entry can be used{first}")
        return self


def label(
    system: str, name: str, adslab: Atoms, slab: Atoms, energy: float, indices: Sequence[int] | None = None
) -> Label:
    """Of an adslab and its clean slab, whatever order their atoms have. indices: of the adsorbate, where the set says so.

    Raises InvalidInput where one is no slab of the other.
    """
    if not np.isfinite(energy):
        raise InvalidInput(f"its energy is {energy}: give a number in eV")
    if not np.allclose(adslab.cell.array, slab.cell.array, atol=_SAME_CELL, rtol=0.0):
        raise InvalidInput("the adslab and its clean slab have different cells: give both in one")
    order = _matched(adslab, slab, indices)
    n_slab = len(slab)
    inside, pbc = adslab[order], [True, True, bool(slab.pbc[2] or not slab.pbc[:2].any())]
    fixed = _fixed(inside) | np.append(_fixed(slab), np.zeros(len(order) - n_slab, dtype=bool))
    adsorbate = np.arange(len(order)) >= n_slab
    if fixed.all():
        raise InvalidInput("every atom is fixed: free the adsorbate at least")
    whole = Structure(
        numbers=inside.numbers,
        positions=inside.positions,
        cell=slab.cell.array,
        pbc=np.array(pbc),
        adsorbate=adsorbate,
        surface=np.zeros(len(order), dtype=bool),
        fixed=fixed,
    )
    return Label(system, name, whole, whole.only(~adsorbate).moved(slab.positions), float(energy))


def on_scale(energy: float, gas: Mapping[str, float], adslab: Atoms, slab: Atoms, totals: Mapping[str, float]) -> float:
    """The adsorption energy relative to CO, H2, H2O and N2, eV, of a reaction's energy, eV.

    gas: molecules of the reaction by formula, positive where they are made. totals: total energies by DFT, eV, by formula. Raises
    InvalidInput where the reaction isn't balanced, or a total energy is missing.
    """
    adsorbed = _adsorbed(adslab, slab)
    balance = {symbol: float(count) for symbol, count in adsorbed.items()}
    for name, count in gas.items():
        for symbol, number in _formula(name).count().items():
            balance[symbol] = balance.get(symbol, 0.0) + count * number
    if odd := sorted(symbol for symbol, left in balance.items() if abs(left) > _SMALL):
        raise InvalidInput(
            f"its reaction isn't balanced in {', '.join(odd)}: correct its molecules and how many they are"
        )
    change = {_plain(name): float(count) for name, count in gas.items()}
    for name, count in _worth(adsorbed).items():
        change[name] = change.get(name, 0.0) + count
    needed = {name: count for name, count in change.items() if abs(count) > _SMALL}
    if missing := sorted(needed.keys() - totals.keys()):
        raise InvalidInput(
            f"its reaction takes other molecules than {', '.join(GAS)}, and the set has no total energy by DFT of "
            f"{', '.join(missing)}: add these, or give the energy relative to {', '.join(GAS)}"
        )
    return energy - sum(count * totals[name] for name, count in needed.items())


def from_totals(total: float, clean: float, adslab: Atoms, slab: Atoms, totals: Mapping[str, float]) -> float:
    """The adsorption energy relative to CO, H2, H2O and N2, eV, from total energies by DFT, eV. Raises InvalidInput where one is
    missing."""
    worth = _worth(_adsorbed(adslab, slab))
    if missing := sorted(worth.keys() - totals.keys()):
        raise InvalidInput(
            f"its energy is relative to {', '.join(worth)}, and there is no calculation of {', '.join(missing)}: add "
            f"{', '.join(f'gas-{name}' for name in missing)}"
        )
    return total - clean - sum(count * totals[name] for name, count in worth.items())


def _adsorbed(adslab: Atoms, slab: Atoms) -> dict[str, int]:
    """How many atoms of each element the adsorbate has."""
    counts = Counter(adslab.get_chemical_symbols())
    counts.subtract(slab.get_chemical_symbols())
    if min(counts.values()) < 0 or not any(counts.values()):
        raise InvalidInput(
            f"{adslab.symbols} is not {slab.symbols} and an adsorbate: give the slab that it was made of"
        )
    return {symbol: count for symbol, count in counts.items() if count}


def _worth(adsorbed: Mapping[str, int]) -> dict[str, float]:
    return coefficients([atomic_numbers[symbol] for symbol, count in adsorbed.items() for _ in range(count)])


def gas_name(name: str) -> str:
    """The molecule's formula of `H2Ogas`, or as it is: those that the service knows by one name."""
    return _plain(name.removesuffix("gas"))


def _plain(name: str) -> str:
    counts = _formula(name).count()
    return next((known for known in GAS if _formula(known).count() == counts), name)


def _formula(name: str) -> Formula:
    try:
        return Formula(name)
    except ValueError:
        raise InvalidInput(f"{name!r} is no formula of a gas molecule: name it like H2O") from None


def _fixed(atoms: Atoms) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Atoms that a constraint holds, bonds and lines left out [n_atoms]."""
    fixed = np.zeros(len(atoms), dtype=bool)
    for constraint in atoms.constraints:
        if type(constraint).__name__ in ("FixAtoms", "FixCartesian", "FixScaled"):
            fixed[constraint.get_indices()] = True
    return fixed


def _matched(adslab: Atoms, slab: Atoms, indices: Sequence[int] | None) -> Integers:
    """The adslab's atoms in the order of the clean slab's, then those of the adsorbate in their own [n_atoms]."""
    n_slab = len(slab)
    if indices is None and len(adslab) > n_slab and (adslab.numbers[:n_slab] == slab.numbers).all():
        return np.arange(len(adslab))
    everything = np.arange(len(adslab))
    if indices is None:
        theirs = everything
    else:
        try:
            theirs = np.delete(everything, list(indices))
        except IndexError:
            raise InvalidInput(f"its adsorbate_indices {list(indices)} are not among {len(adslab)} atoms") from None
    apart = _distances(adslab[theirs], slab)
    unlike = adslab.numbers[theirs][:, None] != slab.numbers[None, :]
    apart[unlike] = 1e3
    rows, columns = linear_sum_assignment(apart)
    if len(rows) < n_slab or apart[rows, columns].max(initial=0.0) > _FURTHEST:
        raise InvalidInput(
            f"the atoms of the clean slab {slab.symbols} are not found again in {adslab.symbols}: give the slab that it was made of"
        )
    found = theirs[rows[np.argsort(columns)]]
    return np.concatenate([found, np.setdiff1d(everything, found)])


def _distances(one: Atoms, other: Atoms) -> Floats:
    """Between each pair, Å [n, m]."""
    vectors = one.positions[:, None] - other.positions[None, :]
    _, lengths = find_mic(vectors.reshape(-1, 3), other.cell, pbc=[True, True, True])
    return np.asarray(lengths).reshape(len(one), len(other))
