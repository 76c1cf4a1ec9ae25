"""Structures that are given together are of one system, and each has a name. Pure checks: no database, no HTTP. Lengths in Å."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from api.parsing.pool import Parsed
from api.parsing.readers import ONE_SYSTEM, SAME_CELL
from shared.errors import InvalidInput
from shared.plain_text import shown
from shared.structures import Structure

_LONGEST = 100
"""Characters of a label."""


def check_like(first: Parsed, other: Parsed, field: str) -> None:
    """Raise InvalidInput where another text, or set of arrays, is not of the system of the first one."""
    if other is first:
        return
    if sorted(first.numbers) != sorted(other.numbers):
        different = "other atoms than"
    elif first.numbers != other.numbers:
        different = "its atoms in another order than"
    elif not np.allclose(first.cell, other.cell, atol=SAME_CELL, rtol=0.0) or first.pbc != other.pbc:
        different = "another cell than"
    elif first.tags != other.tags or first.fixed != other.fixed:
        different = "other atoms marked, by tags or as fixed, than"
    else:
        return
    raise InvalidInput(f"this one has {different} the first: {ONE_SYSTEM}", field=field)


def labels(asked: Sequence[str] | None, found: Sequence[str | None]) -> tuple[str, ...]:
    """What each structure is called [n]: as asked; else as its text calls it, if all do; else its number. Raises InvalidInput for a
    wrong number of names, and for a name that two have."""
    if asked is not None and len(asked) != len(found):
        raise InvalidInput(
            f"{len(asked)} labels for {len(found)} structures: give one for each, or none", field="input.labels"
        )
    if asked is None and any(label is None or not label.strip() or len(label) > _LONGEST for label in found):
        return tuple(map(str, range(len(found))))
    names = [" ".join(shown(str(label)).split()) for label in (found if asked is None else asked)]
    name, times = Counter(names).most_common(1)[0]
    if times > 1 and asked is None:
        return tuple(f"{name} #{index}" for index, name in enumerate(names))
    if times > 1:
        raise InvalidInput(
            f"{times} structures are called {name!r}: give each a label of its own", field="input.labels"
        )
    return tuple(names)


def clean_slab(structure: Structure, clean: Structure) -> Structure:
    """The clean slab of these structures, with their roles. Raises InvalidInput for one of other atoms, order or cell."""
    field, inside = "input.slab", structure.only(structure.slab)
    if len(clean) != len(inside) or (clean.numbers != inside.numbers).any():
        how = (
            "their order"
            if sorted(clean.numbers) == sorted(inside.numbers)
            else f"{clean.formula}, those of the structures without the adsorbate {inside.formula}"
        )
        raise InvalidInput(
            f"the clean slab's atoms are not the structures' slab atoms, by {how}: give it in the order of the structures, "
            "or leave it out",
            field=field,
        )
    if not np.allclose(clean.cell, inside.cell, atol=SAME_CELL, rtol=0.0) or (clean.pbc != inside.pbc).any():
        raise InvalidInput(
            "the clean slab has another cell than the structures: give it in theirs, or leave it out", field=field
        )
    return inside.moved(clean.positions)
