"""OC20's adsorbates by name, from the list that fairchem-data-oc carries.

Chanussot et al., ACS Catal. 11, 6059 (2021), doi:10.1021/acscatal.0c04525.
"""

from __future__ import annotations

import pickle
import re
from collections import Counter
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files

from ase.data import atomic_numbers

from shared.errors import InvalidInput
from shared.submissions import Adsorbate

_PART = re.compile(r"([A-Z][a-z]?)([1-9]\d?)?")
_FORMULA = re.compile(r"(?:[A-Z][a-z]?(?:[1-9]\d?)?){1,20}")
_MOST = 4
"""Names that are suggested."""


@lru_cache(maxsize=1)
def _table() -> dict[str, Adsorbate]:
    # A file of an installed, pinned package; nothing that users send is ever unpickled.
    packed = files("fairchem.data.oc").joinpath("databases", "pkls", "adsorbates.pkl").read_bytes()
    table = {}
    for atoms, name, binding, *_ in pickle.loads(packed).values():
        table[str(name)] = Adsorbate(
            name=str(name),
            numbers=tuple(int(number) for number in atoms.numbers),
            positions=tuple((float(x), float(y), float(z)) for x, y, z in atoms.positions),
            binding=tuple(int(index) for index in binding),
            oriented=True,
        )
    return table


def names() -> tuple[str, ...]:
    """All names, such as `*CO`, in OC20's order."""
    return tuple(_table())


def lookup(name: str) -> Adsorbate:
    """The adsorbate of that name. Raises InvalidInput, with the names that come close, for any other."""
    table = _table()
    if name in table:
        return table[name]
    atoms = _atoms_of(name)
    alike = _of_composition(atoms)
    if alike:
        hint = f"did you mean {' or '.join(alike)} (the same atoms)?"
    elif atoms:
        hint = "and none of OC20's has these atoms."
    else:
        word = name if name.startswith("*") or not name else f"*{name}"
        close = get_close_matches(word, table, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(close)}?" if close else "names look like *CO, *OH, *CH3."
    raise InvalidInput(
        f"no adsorbate is called {name[:40]!r}; {hint} Any other molecule is given as a structure, with its binding atoms",
        field="adsorbate",
    )


def _atoms_of(name: str) -> Counter[int]:
    """How many atoms of each atomic number a formula names; none where it is no formula."""
    formula = name.strip().lstrip("*")
    found: Counter[int] = Counter()
    if not _FORMULA.fullmatch(formula):
        return found
    for symbol, count in _PART.findall(formula):
        if symbol not in atomic_numbers:
            return Counter()
        found[atomic_numbers[symbol]] += int(count or 1)
    return found


def _of_composition(atoms: Counter[int]) -> list[str]:
    """Names of the adsorbates that have these atoms, those of one binding atom first: `*OH2` for H2O."""
    found = [one for one in _table().values() if atoms and Counter(one.numbers) == atoms]
    return [one.name for one in sorted(found, key=lambda one: len(one.binding))][:_MOST]
