"""OC20's adsorbates by name, from the list that fairchem-data-oc carries.

Chanussot et al., ACS Catal. 11, 6059 (2021), doi:10.1021/acscatal.0c04525.
"""

from __future__ import annotations

import pickle
from difflib import get_close_matches
from functools import lru_cache
from importlib.resources import files

from shared.errors import InvalidInput
from shared.submissions import Adsorbate


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
    close = get_close_matches(name, table, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(close)}?" if close else "names look like *CO, *OH, *CH3."
    raise InvalidInput(f"no adsorbate is called {name!r}; {hint}", field="adsorbate")
