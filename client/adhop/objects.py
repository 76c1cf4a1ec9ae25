"""Structures that are Python objects, as the arrays that the server reads: ASE's Atoms and pymatgen's, which is not imported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms, FixCartesian, FixScaled

from adhop.errors import AdhopError

_OWN_ARRAYS = frozenset({"numbers", "positions", "tags"})
_FLAGS = "selective_dynamics"
"""Column of three flags for each atom, T where it moves, as the server reads it."""
_MOST_NAMES = 200
_IN_WORDS = {
    "FixedPlane": "keeps atoms in a plane",
    "FixedLine": "keeps atoms on a line",
    "FixBondLengths": "fixes distances",
    "FixInternals": "fixes internal coordinates",
    "Hookean": "adds a spring",
}


def atoms(given: Atoms) -> dict[str, Any]:
    """ASE's Atoms: numbers, positions, cell, pbc, tags and constraints, and what they carry besides."""
    body = _arrays(given.numbers, given.positions, given.cell.array, given.pbc)
    if given.has("tags"):
        body["tags"] = given.get_tags().tolist()
    columns, left = {}, [str(key) for key in given.info]
    for name, values in given.arrays.items():
        if name in _OWN_ARRAYS:
            continue
        if values.dtype.kind in "biu" and 0 < values.size <= 3 * len(given):
            columns[name] = values.reshape(len(given), -1).astype(int).tolist()
        else:
            left.append(name)
    left += list(getattr(given.calc, "results", None) or {})
    _refuse_disorder(given.info.get("occupancy"))
    fixed, flags_of_constraints = _constraints(given)
    if fixed.any():
        body["fixed"] = fixed.tolist()
    if flags_of_constraints is not None:
        columns[_FLAGS] = flags_of_constraints.tolist()
    return body | _beside(columns, left)


def _constraints(given: Atoms) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | None]:
    """Which atoms are fixed whole [n_atoms], and which directions of each may move [n_atoms, 3] where constraints say so."""
    fixed, moves = np.zeros(len(given), dtype=bool), np.ones((len(given), 3), dtype=int)
    for constraint in given.constraints:
        if isinstance(constraint, FixAtoms):
            fixed[constraint.get_indices()] = True
        elif isinstance(constraint, FixCartesian | FixScaled):
            moves[np.ix_(np.atleast_1d(constraint.index), np.asarray(constraint.mask, dtype=bool))] = 0
        else:
            what = _IN_WORDS.get(type(constraint).__name__, "is of another kind")
            raise AdhopError(
                f"a constraint of the Atoms {what}: only whole atoms can be fixed; take it off, or fix its atoms"
            )
    return fixed, None if moves.all() else moves


def _refuse_disorder(occupancy: Any) -> None:
    """As the server does with files: what ASE keeps of a disordered crystal, {site: {symbol: share}}."""
    for shares in occupancy.values() if isinstance(occupancy, dict) else []:
        if len(shares) != 1 or any(abs(float(share) - 1) > 1e-3 for share in shares.values()):
            said = ", ".join(f"{symbol} {share}" for symbol, share in shares.items())
            raise AdhopError(_disordered([f"a site with {said}"]))


def _disordered(sites: Sequence[str]) -> str:
    return (
        f"sites that are shared or partly occupied can't be computed: {'; '.join(sites[:8])}. Give an ordered cell: a supercell in "
        "which every site holds one whole atom"
    )


def sites(given: Any) -> dict[str, Any]:
    """A pymatgen object: sites with species, coordinates and properties; a lattice, where it has one."""
    found = list(given.sites)
    shared = [site for site in found if len(site.species) != 1 or abs(float(site.species.num_atoms) - 1) > 1e-3]
    if shared:
        raise AdhopError(
            _disordered([f"{site.species_string} at {np.round(site.coords, 3).tolist()} Å" for site in shared])
        )
    lattice = getattr(given, "lattice", None)
    body = _arrays(
        np.array([site.specie.Z for site in found], dtype=int),
        np.array([site.coords for site in found], dtype=float).reshape(-1, 3),
        np.zeros((3, 3)) if lattice is None else np.asarray(lattice.matrix, dtype=float),
        np.array([False] * 3 if lattice is None else getattr(lattice, "pbc", (True,) * 3), dtype=bool),
    )
    left = ["charge"] if getattr(given, "charge", None) else []
    left += ["spin_multiplicity"] if (getattr(given, "spin_multiplicity", None) or 1) != 1 else []
    left += [name for site in found for name in site.properties if name not in ("tags", _FLAGS)]
    left += ["oxidation_states"] if any(getattr(site.specie, "oxi_state", None) for site in found) else []
    tags = [site.properties.get("tags") for site in found]
    if any(tag is not None for tag in tags):
        body["tags"] = [0 if tag is None else int(tag) for tag in tags]
    flags = [site.properties.get(_FLAGS) for site in found]
    columns = {}
    if any(flag is not None for flag in flags):
        columns[_FLAGS] = [[1, 1, 1] if flag is None else [int(bool(one)) for one in flag] for flag in flags]
    return body | _beside(columns, left)


def _arrays(numbers: Any, positions: Any, cell: Any, pbc: Any) -> dict[str, Any]:
    return {
        "format": "arrays",
        "numbers": numbers.tolist(),
        "positions": positions.tolist(),
        "cell": cell.tolist(),
        "pbc": pbc.tolist(),
    }


def _beside(columns: dict[str, Any], left: Iterable[str]) -> dict[str, Any]:
    """Further columns, and names of what stays here, where there are any."""
    body: dict[str, Any] = {"columns": columns} if columns else {}
    names = sorted({name[:100] for name in left})[:_MOST_NAMES]
    return body | ({"left_out": names} if names else {})
