"""Adsorption energies by DFT, with their structures, out of a database in Catalysis-Hub's format.

PengRole2020 (Joule 4, 2020; BEEF-vdW, Quantum ESPRESSO) is cathub/tests/io of github.com/SUNCAT-Center/CatHub: reactions of
CO, H2 and H2O with a clean surface, so the labels are on the scale of the service as they stand (services/scoring/references.py).
"""

from __future__ import annotations

import json
import sqlite3
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import ase.db
import numpy as np
from ase import Atoms
from ase.constraints import FixAtoms
from ase.db.core import Database

from benchmarks import report
from services.systems.surfaces import anchored, with_surface
from shared.structures import Structure

DATABASE = Path(__file__).parents[2] / "shared/data/dft/PengRole2020.db"
SITES = ("atop", "bridge", "fcc", "hcp", "4foldhollow", "stepatop", "stepbridge")


@dataclass(frozen=True, eq=False)
class Label:
    """An adslab as DFT relaxed it, its clean slab, and DFT's adsorption energy."""

    reaction: int
    metal: str
    facet: str
    """Miller indices, and what else tells surfaces of a metal apart."""
    site: str
    """As the database names it; empty where it doesn't."""
    adsorbate: str
    adslab: Structure
    slab: Structure
    energy: float
    """eV per adslab, relative to the clean slab and CO, H2, H2O."""
    gas: Mapping[str, float]
    """Molecules of the reaction: taken from the gas, or, negative, given to it."""

    @property
    def system(self) -> str:
        """Adsorbate and surface, whatever the site."""
        return f"{self.adsorbate}/{self.metal}({self.facet})"


def labels(path: Path) -> list[Label]:
    """All reactions that put one adsorbate on a clean surface, in the order of the database. A structure whose atoms don't begin with
    those of its slab is left out: nobody can say what is adsorbed on it; so is one that was held by a bond, which is no minimum, and
    one whose clean slab has another cell: members can't be asked for the same difference."""
    query = "SELECT id, surface_composition, facet, reactants, products, reaction_energy FROM reaction ORDER BY id"
    found = []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection, ase.db.connect(path) as database:
        for reaction, metal, facet, reactants, products, energy in connection.execute(query).fetchall():
            gas = _adsorption(json.loads(reactants), json.loads(products))
            if gas is None:
                continue
            names = "SELECT name, ase_id FROM reaction_system WHERE id = ?"
            ids = dict(connection.execute(names, (reaction,)).fetchall())
            pair = _structures(database, ids)
            if pair is None:
                continue
            name, adslab, slab = pair
            plane, _, site = facet.partition("-")
            if site not in SITES:  # a composition, a vacancy: another surface
                plane, site = facet, ""
            label = Label(
                reaction, metal.partition("-")[0], plane, site, name.removesuffix("star"), adslab, slab, energy, gas
            )
            found.append(label)
    return found


def asked(description: str | None, *, quick: str, cache: Path) -> tuple[Namespace, list[Label]]:
    """The command line of a benchmark on these labels, and the labels; without any it ends, and says so. quick: what is left then."""
    parser = ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--database", type=Path, default=DATABASE)
    parser.add_argument("--cache", type=Path, default=cache)
    words = parser.parse_args()
    if not words.database.exists():
        print(f"skipped: no labels in {words.database}")
        report.finish({"skipped": "no labels"})
        raise SystemExit
    return words, labels(words.database)


def _adsorption(reactants: Mapping[str, float], products: Mapping[str, float]) -> dict[str, float] | None:
    """Gas molecules of a reaction `* + gas -> X* (+ gas)`; None for another kind."""
    made = [name for name in products if name.endswith("star") and name != "star"]
    if len(made) != 1 or [name for name in reactants if name.endswith("star")] != ["star"]:
        return None
    total: defaultdict[str, float] = defaultdict(float)
    for side, sign in ((reactants, 1.0), (products, -1.0)):
        for name, count in side.items():
            if name.endswith("gas"):
                total[name.removesuffix("gas")] += sign * count
    return dict(total)


def _structures(database: Database, ids: Mapping[str, str]) -> tuple[str, Structure, Structure] | None:
    name = next((name for name in ids if name.endswith("star") and name != "star"), None)
    if name is None or "star" not in ids:  # a reaction whose structures were not handed in
        return None
    adslab, slab = (_atoms(database, ids[one]) for one in (name, "star"))
    if not all(isinstance(one, FixAtoms) for one in adslab.constraints):
        return None
    if len(adslab) <= len(slab) or (adslab.numbers[: len(slab)] != slab.numbers).any():
        return None
    if not np.allclose(adslab.cell, slab.cell, atol=1e-3):
        return None
    adsorbed = np.arange(len(adslab)) >= len(slab)
    none = np.zeros(len(slab), dtype=bool)
    clean = anchored(with_surface(Structure.from_atoms(slab, adsorbate=none, surface=none)))
    # one choice of surface atoms: those of the clean slab
    marked = np.concatenate([clean.surface, np.zeros(int(adsorbed.sum()), dtype=bool)])
    return name, Structure.from_atoms(adslab, adsorbate=adsorbed, surface=marked), clean


def _atoms(database: Database, unique_id: str) -> Atoms:
    atoms: Atoms = database.get_atoms(unique_id=unique_id)
    return atoms
