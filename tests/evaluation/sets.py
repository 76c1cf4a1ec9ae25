"""Labelled sets of our own in the formats of the community. DFT's part is played by EMT, whose energies anybody can compute."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ase.db
import numpy as np
from ase import Atoms
from ase.build import add_adsorbate, fcc111, molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from ase.io import write
from ase.optimize import BFGS


def energy(atoms: Atoms) -> float:
    one = atoms.copy()
    one.calc = EMT()
    return float(one.get_potential_energy())


def gas(name: str) -> Atoms:
    """Relaxed."""
    atoms = molecule(name, vacuum=6.0)
    atoms.calc = EMT()
    BFGS(atoms, logfile=None).run(fmax=1e-3, steps=300)
    atoms.calc = None
    return atoms


def clean() -> Atoms:
    slab = fcc111("Cu", (2, 2, 3), vacuum=8.0, periodic=True)
    slab.set_constraint(FixAtoms(mask=slab.get_tags() > 1))
    slab.set_tags(0)
    slab.rattle(0.02, seed=7)
    return slab


def on(slab: Atoms, adsorbate: Atoms, height: float, site: str = "fcc") -> Atoms:
    made = slab.copy()
    add_adsorbate(made, adsorbate, height, site)
    made.set_constraint(slab.constraints)
    return made


def carbon_monoxide(count: int = 4) -> list[Atoms]:
    return [on(clean(), Atoms("CO", [(0, 0, 0), (0, 0, 1.15)]), 1.4 + 0.1 * index) for index in range(count)]


def adsorption(adslab: Atoms, slab: Atoms, worth: Mapping[str, float]) -> float:
    """Relative to these molecules, by hand."""
    return energy(adslab) - energy(slab) - sum(count * energy(gas(name)) for name, count in worth.items())


def catbench_entry(adslab: Atoms, slab: Atoms, molecules: Mapping[str, float], name: str = "CO") -> dict[str, Any]:
    """molecules: taken, positive. Structures in full."""
    raw = {"star": (-1.0, slab), f"{name}star": (1.0, adslab)}
    raw |= {f"{formula}gas": (-count, gas(formula)) for formula, count in molecules.items()}
    entries = {
        key: {"stoi": count, "atoms_json": _json(atoms), "energy_ref": energy(atoms)}
        for key, (count, atoms) in raw.items()
    }
    total = sum(one["stoi"] * one["energy_ref"] for one in entries.values())
    return {"raw": entries, "ref_ads_eng": total, "adsorbate_indices": list(range(len(slab), len(adslab)))}


def _json(atoms: Atoms) -> str:
    text = io.StringIO()
    write(text, atoms, format="json")
    return text.getvalue()


def shared(content: Mapping[str, Any]) -> dict[str, Any]:
    """The same with each structure once, under `_structures`."""
    kept: dict[str, str] = {}
    for entry in content.values():
        for one in entry["raw"].values():
            text = one.pop("atoms_json")
            one["ref"] = next((key for key, known in kept.items() if known == text), f"s{len(kept)}")
            kept[one["ref"]] = text
    return {**content, "_structures": kept}


def catbench(path: Path, count: int = 4) -> Path:
    content = {
        f"Cu111_CO_{index}": catbench_entry(adslab, clean(), {"CO": 1.0})
        for index, adslab in enumerate(carbon_monoxide(count))
    }
    path.write_text(json.dumps(content))
    return path


def cathub(
    path: Path, reactions: Sequence[tuple[str, str, dict[str, float], dict[str, float], dict[str, Atoms]]]
) -> Path:
    """reactions: surface, facet, reactants, products, structures by name; the energy is that of these structures."""
    with ase.db.connect(path, type="db") as database, sqlite3.connect(path) as connection:
        written: list[tuple[str, float, str, int]] = []
        rows = []
        for number, (surface, facet, reactants, products, structures) in enumerate(reactions, start=1):
            total = sum(count * energy(structures[name]) for name, count in products.items())
            total -= sum(count * energy(structures[name]) for name, count in reactants.items())
            for name, atoms in structures.items():
                one = atoms.copy()
                one.calc = SinglePointCalculator(one, energy=energy(atoms))
                written.append((name, 0.0, database.get(database.write(one)).unique_id, number))
            rows.append((number, surface, facet, json.dumps(reactants), json.dumps(products), total, "ASE", "EMT"))
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE reaction (id INTEGER, surface_composition TEXT, facet TEXT, reactants TEXT, products TEXT, "
            "reaction_energy REAL, dft_code TEXT, dft_functional TEXT)"
        )
        connection.execute("CREATE TABLE reaction_system (name TEXT, energy_correction REAL, ase_id TEXT, id INTEGER)")
        connection.executemany("INSERT INTO reaction VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.executemany("INSERT INTO reaction_system VALUES (?, ?, ?, ?)", written)
    return path


def vasprun(folder: Path, atoms: Atoms) -> None:
    """The least of a vasprun.xml that says what was calculated, with EMT's energy."""
    folder.mkdir(parents=True)
    symbols = atoms.get_chemical_symbols()
    rows = "".join(f"<rc><c>{one}</c><c>{1 + list(dict.fromkeys(symbols)).index(one)}</c></rc>" for one in symbols)

    def vectors(name: str, values: np.ndarray[Any, Any]) -> str:
        return (
            f'<varray name="{name}">'
            + "".join(f"<v>{a:.12f} {b:.12f} {c:.12f}</v>" for a, b, c in values)
            + "</varray>"
        )

    moves = "".join(
        "<v type='logical'>" + " ".join("F" if index in _held(atoms) else "T" for _ in range(3)) + "</v>"
        for index in range(len(atoms))
    )
    structure = (
        f"<structure><crystal>{vectors('basis', atoms.cell.array)}</crystal>"
        f"{vectors('positions', atoms.get_scaled_positions())}</structure>"
    )
    total = energy(atoms)
    (folder / "vasprun.xml").write_text(
        '<?xml version="1.0" encoding="ISO-8859-1"?><modeling><generator><i name="version">6.4.3</i></generator>'
        "<incar></incar><kpoints></kpoints><parameters></parameters>"
        f'<atominfo><atoms>{len(atoms)}</atoms><types>1</types><array name="atoms"><set>{rows}</set></array></atominfo>'
        f'<structure name="initialpos"><crystal>{vectors("basis", atoms.cell.array)}</crystal>'
        f"{vectors('positions', atoms.get_scaled_positions())}"
        f'<varray name="selective" type="logical">{moves}</varray></structure>'
        f'<calculation><scstep><energy><i name="e_fr_energy">{total + 1:.10f}</i><i name="e_0_energy">{total:.10f}</i></energy>'
        f"</scstep>{structure}{vectors('forces', np.zeros((len(atoms), 3)))}"
        f'<energy><i name="e_fr_energy">{total + 1:.10f}</i><i name="e_0_energy">{total:.10f}</i></energy></calculation>'
        "</modeling>"
    )


def _held(atoms: Atoms) -> set[int]:
    return {int(index) for constraint in atoms.constraints for index in constraint.get_indices()}
