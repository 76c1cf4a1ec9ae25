"""Crystals by the name of their structure: elements with ASE's lattice data, and common compounds.

Each is built in the cell that its Miller indices are usually given in: the cubic cell of cubic crystals, the hexagonal one of
wurtzite and hcp, the face-centred tetragonal one, of four atoms, of L1_0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import atomic_numbers, reference_states

from api.jobs.requests import BulkPrototype, CompoundPrototype
from shared.errors import InvalidInput

_FIELD = "input.bulk"
_IDEAL = float(np.sqrt(8 / 3))
"""c / a of close-packed spheres."""

_Site = tuple[float, float, float]


@dataclass(frozen=True)
class Built:
    """A crystal."""

    atoms: Atoms
    conventional: bool = False
    """Whether it is to be brought to its standard conventional cell before it is cut."""
    notes: tuple[str, ...] = ()
    """What was taken for granted, in sentences."""


@dataclass(frozen=True)
class _Kind:
    """A structure of several elements."""

    formula: str
    """What the elements are, in their order."""
    sites: tuple[tuple[_Site, ...], ...]
    """Fractional coordinates of each element's atoms; None of them depends on u."""
    moved_by_u: tuple[tuple[_Site, ...], ...] = ()
    """How they move with u: added u times, where given."""
    u: float | None = None
    """The internal coordinate where none is given; None: the structure has none."""
    ratio: float | None = None
    """c / a where no c is given; None: c must be given, or the structure is cubic."""
    shape: str = "cubic"


_FCC = ((0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))


def _shifted(sites: Sequence[_Site], by: _Site) -> tuple[_Site, ...]:
    return tuple((x + by[0], y + by[1], z + by[2]) for x, y, z in sites)


_STILL = ((0.0, 0.0, 0.0),)
_HCP = ((1 / 3, 2 / 3, 0.0), (2 / 3, 1 / 3, 0.5))
_B2 = _Kind("AB", (((0.0, 0.0, 0.0),), ((0.5, 0.5, 0.5),)))
_KINDS = {
    "rocksalt": _Kind("AB", (_FCC, _shifted(_FCC, (0.5, 0.5, 0.5)))),
    "zincblende": _Kind("AB", (_FCC, _shifted(_FCC, (0.25, 0.25, 0.25)))),
    "fluorite": _Kind("AX2", (_FCC, (*_shifted(_FCC, (0.25, 0.25, 0.25)), *_shifted(_FCC, (0.75, 0.75, 0.75))))),
    "cesiumchloride": _B2,
    "B2": _B2,
    "wurtzite": _Kind(
        "AB", (_HCP, _HCP), (_STILL * 2, ((0.0, 0.0, 1.0),) * 2), u=0.375, ratio=_IDEAL, shape="hexagonal"
    ),
    "rutile": _Kind(
        "AX2",
        (((0.0, 0.0, 0.0), (0.5, 0.5, 0.5)), ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))),
        (_STILL * 2, ((1.0, 1.0, 0.0), (-1.0, -1.0, 0.0), (-1.0, 1.0, 0.0), (1.0, -1.0, 0.0))),
        u=0.305,
        shape="tetragonal",
    ),
    "perovskite": _Kind("ABX3", (((0.0, 0.0, 0.0),), ((0.5, 0.5, 0.5),), _shifted(_FCC[1:], (0.0, 0.0, 0.0)))),
    "L1_0": _Kind("AB", ((_FCC[0], _FCC[3]), (_FCC[1], _FCC[2])), shape="tetragonal"),
    "L1_2": _Kind("A3B", (_FCC[1:], _FCC[:1])),
}
"""By name. Sites as in Strukturbericht: B1, B3, C1, B2, B4, C4, E2_1, L1_0, L1_2."""


def compound(given: CompoundPrototype) -> Built:
    """Raises InvalidInput where elements or lattice constants don't fit the structure."""
    kind, name = _KINDS[given.prototype], given.prototype
    n_elements = len(kind.sites)
    if len(given.elements) != n_elements:
        raise InvalidInput(
            f"{name} is {kind.formula}: give its {n_elements} elements in this order, not {len(given.elements)}",
            field=f"{_FIELD}.elements",
        )
    _check_elements(given.elements, f"{_FIELD}.elements")
    needed = ["a"] if kind.shape == "cubic" or kind.ratio is not None else ["a", "c"]
    missing = [length for length in needed if getattr(given, length) is None]
    if missing:
        raise InvalidInput(
            f"{name} needs {' and '.join(needed)} in Å, and {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing",
            field=f"{_FIELD}.{missing[0]}",
        )
    for parameter, has in (("c", kind.shape != "cubic"), ("u", kind.u is not None)):
        if getattr(given, parameter) is not None and not has:
            raise InvalidInput(f"{name} has no {parameter}: leave it out", field=f"{_FIELD}.{parameter}")
    return _built(given, kind)


def _built(given: CompoundPrototype, kind: _Kind) -> Built:
    a, notes = float(given.a or 0.0), []
    c = float(given.c or a * (kind.ratio or 1.0))
    u = kind.u if given.u is None else given.u
    if kind.ratio is not None and given.c is None:
        notes.append(f"no c was given: c = {kind.ratio:.4f} a = {c:.4f} Å, the ideal one, was taken")
    if u is not None and given.u is None:
        notes.append(f"no u was given: u = {u} was taken")
    motions = kind.moved_by_u or tuple(_STILL * len(sites) for sites in kind.sites)
    fractions = [
        np.array(sites) + (u or 0.0) * np.array(motion) for sites, motion in zip(kind.sites, motions, strict=True)
    ]
    symbols = [element for element, sites in zip(given.elements, kind.sites, strict=True) for _ in sites]
    angle = 120.0 if kind.shape == "hexagonal" else 90.0
    atoms = Atoms(symbols, scaled_positions=np.concatenate(fractions) % 1.0, cell=[a, a, c, 90, 90, angle], pbc=True)
    notes.append(f"built as {given.prototype} {atoms.symbols.formula.reduce()[0]}")
    return Built(atoms, notes=tuple(notes))


def element(given: BulkPrototype) -> Built:
    """A crystal of one element. Raises InvalidInput where its lattice isn't known and not all of it is given."""
    _check_elements([given.element], _FIELD)
    known = reference_states[atomic_numbers[given.element]] or {}
    crystal = given.crystal or known.get("symmetry")
    cubic = crystal in ("fcc", "bcc", "diamond")
    try:
        atoms = bulk(given.element, given.crystal, a=given.a, c=given.c, cubic=cubic)
    except (KeyError, ValueError, RuntimeError, NotImplementedError, TypeError) as error:
        as_what = f" as {given.crystal}" if given.crystal else ""
        raise InvalidInput(
            f"the lattice of {given.element}{as_what} is not known: give crystal (fcc, bcc, hcp, diamond or sc) and a, and c of hcp, "
            "in Å; or the structure itself",
            field=_FIELD,
        ) from error
    return Built(atoms, conventional=crystal not in ("fcc", "bcc", "diamond", "sc", "hcp"))


def _check_elements(symbols: Sequence[str], field: str) -> None:
    for symbol in symbols:
        if symbol not in atomic_numbers or symbol == "X":
            raise InvalidInput(f"{symbol} is no element", field=field)
