"""Databases in Catalysis-Hub's format: ASE's SQLite, with the tables `reaction` and `reaction_system` beside the structures.

Winther et al., Sci. Data 6, 75 (2019), doi:10.1038/s41597-019-0081-y; the package `cathub` writes it.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import ase.db
from ase import Atoms

from evaluation.labels import Label, LabelledSet, gas_name, label, on_scale
from shared.errors import InvalidInput

_REACTIONS = (
    "SELECT id, surface_composition, facet, reactants, products, reaction_energy, dft_code, dft_functional FROM reaction "
    "ORDER BY id"
)


def load(path: Path, reference: str | None = None) -> LabelledSet:
    """All reactions that put an adsorbate on a clean surface. Raises InvalidInput for a file that is none, or of which nothing can be
    used."""
    if not path.is_file():
        raise InvalidInput(f"{path} can't be read: there is no such file")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            rows = connection.execute(_REACTIONS).fetchall()
            ids = defaultdict[int, dict[str, str]](dict)
            for reaction, name, ase_id in connection.execute("SELECT id, name, ase_id FROM reaction_system"):
                ids[reaction][name] = ase_id
            energies = dict(connection.execute("SELECT unique_id, energy FROM systems").fetchall())
    except sqlite3.Error as error:
        raise InvalidInput(
            f"{path} is no database of Catalysis-Hub ({error}): it needs the tables reaction, reaction_system and systems, as "
            "`cathub` writes them"
        ) from None
    codes = {" ".join(filter(None, row[6:])) for row in rows}
    found = LabelledSet(path.name, reference or f"DFT ({', '.join(sorted(codes))})")
    totals = {}
    for name, key in (pair for names in ids.values() for pair in names.items()):
        if name.endswith("gas") and energies.get(key) is not None:
            with suppress(InvalidInput):  # its own reaction says so
                totals[gas_name(name)] = float(energies[key])
    with ase.db.connect(path) as database:
        read = _Structures(database)
        for reaction, surface, facet, *rest in rows:
            known = ids[reaction]
            sides = [_side(text) for text in rest[:2]]
            if any(name.startswith("neb") or name == "TSstar" for name in known) or not _adsorbs(*sides):
                continue
            found.add(
                f"reaction {reaction}",
                lambda reaction=reaction, surface=surface, facet=facet, energy=rest[2], sides=sides: _label(  # type: ignore[misc]
                    reaction, surface, facet, sides, energy, ids[reaction], read, totals
                ),
            )
    return found.checked()


class _Structures:
    """Of a database, each read once."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self._read: dict[str, Atoms] = {}

    def __call__(self, unique_id: str, name: str) -> Atoms:
        if unique_id not in self._read:
            try:
                self._read[unique_id] = self._database.get_atoms(unique_id=unique_id)
            except (KeyError, AssertionError, ValueError):
                raise InvalidInput(
                    f"the structure of {name}, {unique_id}, is not in the database: hand it in"
                ) from None
        return self._read[unique_id]


def _side(text: Any) -> dict[str, float]:
    try:
        side = json.loads(text)
        return {str(name): float(count) for name, count in side.items()}
    except (TypeError, ValueError, AttributeError):
        return {}


def _adsorbs(reactants: Mapping[str, float], products: Mapping[str, float]) -> bool:
    """Whether it is `* + gas -> X* (+ gas)`."""
    made = [name for name in products if name.endswith("star") and name != "star"]
    return len(made) == 1 and [name for name in reactants if name.endswith("star")] == ["star"]


def _label(
    reaction: int,
    surface: str,
    facet: str,
    sides: list[dict[str, float]],
    energy: Any,
    ids: Mapping[str, str],
    read: _Structures,
    totals: Mapping[str, float],
) -> Label:
    reactants, products = sides
    name = next(name for name in products if name.endswith("star") and name != "star")
    for one in ("star", name):
        if one not in ids:
            raise InvalidInput(f"it has no structure of {one}: hand it in")
    if not isinstance(energy, int | float):
        raise InvalidInput("it has no reaction_energy: give a number in eV")
    if products[name] != 1:
        raise InvalidInput(f"it makes {products[name]:g} {name}: give its energy for one")
    gas = defaultdict[str, float](float)
    for side, sign in ((reactants, -1.0), (products, 1.0)):
        for molecule, count in side.items():
            if molecule.endswith("gas"):
                gas[gas_name(molecule)] += sign * count
    slab, adslab = read(ids["star"], "star"), read(ids[name], name)
    held = [type(one).__name__ for one in adslab.constraints if type(one).__name__ != "FixAtoms"]
    if held:
        raise InvalidInput(
            f"its structure was held by {held[0]}, which no minimum is: leave it out, or relax it freely"
        )
    plane = facet.partition("-")
    where = f"{surface.partition('-')[0]}({plane[0]})"
    return label(
        f"{name.removesuffix('star')} on {where}",
        f"reaction {reaction}, {facet}",
        adslab,
        slab,
        on_scale(float(energy), gas, adslab, slab, totals),
    )
