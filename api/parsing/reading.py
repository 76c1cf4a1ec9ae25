"""What a reader makes of a text, and what it says about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms

from shared.errors import InvalidInput
from shared.structures import Integers, Mask

_MOST_INTEGER = 2**31
_HARMLESS = frozenset(
    {
        "adsorbate_info",
        "spacegroup",
        "spacegroup_kinds",
        "unit_cell",
        "occupancy",
        "comment",
        "name",
        "label",
        "id",
        "unique_id",
    }
)
"""Names that say nothing that a job could miss."""
_ELECTRONIC = frozenset(
    {
        "charge", "charges", "initial_charges", "total_charge", "oxi_states", "oxidation_state", "oxidation_states",
        "spin", "spins", "multiplicity", "spin_multiplicity", "magmom", "magmoms", "initial_magmoms",
    }
)  # fmt: skip
_MOST_NAMES = 8
_MOVES = frozenset({"move_mask", "selective_dynamics", "movable", "moveable", "mobile"})
"""Columns whose T says that an atom moves."""
_FIXES = frozenset({"fixed", "fix", "fixed_mask", "fix_mask", "frozen", "freeze"})
"""Columns whose T says that it doesn't."""
_FLAGS = {"T": True, "F": False, "1": True, "0": False, "True": True, "False": False, ".TRUE.": True, ".FALSE.": False}


@dataclass(frozen=True)
class Reading:
    """A structure as a text gave it."""

    atoms: Atoms
    """Elements, positions, cell and pbc."""
    tags: list[int] | None = None
    """[n_atoms]; None where the text had none."""
    fixed: Sequence[bool] | Mask | None = None
    """Mask [n_atoms]; None where the text had none."""
    notes: list[str] = field(default_factory=list)
    """What was ignored, simplified or decided."""


def whole(values: Any, name: str) -> Integers:
    """Tags and atomic numbers as integers [n]; whatever a text makes of them else is refused, not rounded."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not (np.abs(array) < _MOST_INTEGER).all() or (array != np.round(array)).any():
        raise InvalidInput(f"{name} must be one whole number for each atom")
    return array.astype(np.int64)


def means_constraint(name: str) -> bool:
    """Whether a column of this name says which atoms are fixed."""
    return name.lower() in _MOVES | _FIXES


def fixed_by(name: str, rows: Sequence[Sequence[object]], places: Sequence[str]) -> Mask:
    """The fixed atoms by a column of this name [n_atoms].

    rows: one flag, or three, of each atom. places: what to call each atom in a refusal. Raises InvalidInput for an atom that is fixed
    along some directions only, and for what is no flag.
    """
    fixed = np.zeros(len(rows), dtype=bool)
    for index, (row, place) in enumerate(zip(rows, places, strict=True)):
        flags = {_flag(value, name, place) for value in row}
        if len(flags) != 1:
            said = " ".join("T" if _flag(value, name, place) else "F" for value in row)
            raise InvalidInput(
                f"{place}: {name} {said} fixes the atom along some directions only; only whole atoms can be fixed here: "
                "give its three flags alike"
            )
        fixed[index] = flags.pop() == (name.lower() in _FIXES)
    return fixed


def _flag(value: object, name: str, place: str) -> bool:
    flag = _FLAGS.get(str(value)) if str(value) in _FLAGS else _FLAGS.get(str(value).upper())
    if flag is None:
        raise InvalidInput(f"{place}: {name} must be T or F (or 1 or 0), not {str(value)[:20]!r}")
    return flag


def unused(names: Iterable[str]) -> list[str]:
    """Sentences that name what isn't used; none for names that nothing hangs on."""
    left = sorted({name for name in names if name not in _HARMLESS}, key=str.lower)
    electronic = [name for name in left if name.lower() in _ELECTRONIC]
    others = [name for name in left if name.lower() not in _ELECTRONIC]
    notes = [f"not used: {_listed(others)}"] if others else []
    if electronic:
        notes.append(
            f"not used: {_listed(electronic)}; the members compute neutral systems and take no charges or spins"
        )
    return notes


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(name[:40] for name in names[:_MOST_NAMES])
    return shown + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")


def refuse_disorder(occupancy: Any) -> None:
    """Raise InvalidInput where the occupancies that ASE keeps with a crystal, {site: {symbol: share}}, say that sites are shared
    or partly empty."""
    shares = occupancy.values() if isinstance(occupancy, dict) else []
    for site in shares:
        if isinstance(site, dict) and (len(site) != 1 or any(abs(float(share) - 1) > 1e-3 for share in site.values())):
            said = ", ".join(f"{symbol} {share}" for symbol, share in site.items())
            raise InvalidInput(disordered([f"a site with {said}"]))


def disordered(sites: Sequence[str]) -> str:
    """What is said of a crystal with such sites."""
    shown = "; ".join(sites[:_MOST_NAMES]) + ("; …" if len(sites) > _MOST_NAMES else "")
    return (
        f"sites that are shared or partly occupied can't be computed: {shown}. Give an ordered cell: a supercell in which every "
        "site holds one whole atom (pymatgen's OrderDisorderedStructureTransformation or icet make such cells)"
    )
