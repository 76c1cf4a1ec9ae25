"""Structures that the tests send."""

from io import StringIO
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import add_adsorbate, fcc111, molecule
from ase.constraints import FixAtoms
from ase.io import write


def slab(element: str = "Pt", vacuum: float = 8.0) -> Atoms:
    """Two by two by three, periodic in all directions, no tags, bottom layer fixed."""
    atoms = fcc111(element, (2, 2, 3), vacuum=vacuum, periodic=True)
    atoms.set_constraint(FixAtoms(mask=atoms.get_tags() == 3))
    atoms.set_tags(np.zeros(len(atoms), dtype=int))
    atoms.info = {}
    return atoms


def adslab() -> Atoms:
    """CO, carbon down, on top of the slab, with OC20 tags."""
    atoms = fcc111("Pt", (2, 2, 3), vacuum=8.0, periodic=True)
    layers = atoms.get_tags()
    carbon_monoxide = molecule("CO")
    carbon_monoxide.rotate(180, "x")
    add_adsorbate(atoms, carbon_monoxide, 1.85, "ontop", mol_index=int(np.argmin(carbon_monoxide.positions[:, 2])))
    atoms.set_tags([*(1 if layer == 1 else 0 for layer in layers), 2, 2])
    atoms.set_constraint(FixAtoms(mask=[*(layer == 3 for layer in layers), False, False]))
    atoms.info = {}
    return atoms


def text(atoms: Atoms, form: str = "extxyz") -> dict[str, Any]:
    """The structure as the request carries it."""
    written = StringIO()
    write(written, atoms, format={"poscar": "vasp"}.get(form, form))
    return {"format": form, "text": written.getvalue()}


def arrays(atoms: Atoms, **changes: Any) -> dict[str, Any]:
    """The structure as plain arrays."""
    return {
        "format": "arrays",
        "numbers": atoms.numbers.tolist(),
        "positions": atoms.positions.tolist(),
        "cell": atoms.cell.tolist(),
        "pbc": atoms.pbc.tolist(),
        "tags": atoms.get_tags().tolist(),
        **changes,
    }


BULK_JOB: dict[str, Any] = {
    "input": {"kind": "bulk", "bulk": {"element": "Pt"}, "miller": [1, 1, 1], "adsorbate": "*CO"},
    "parameters": {"placement": {"count": 4}},
}


def layered() -> Atoms:
    """A slab with the tags that ASE's builder gives: layers counted from the top."""
    atoms = fcc111("Pt", (2, 2, 3), vacuum=8.0, periodic=True)
    atoms.info = {}
    return atoms


def on_slab(given: dict[str, Any], adsorbate: Any = "*CO") -> dict[str, Any]:
    """A job on this slab."""
    return {"input": {"kind": "slab", "slab": given, "adsorbate": adsorbate}}


def as_adslab(given: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A job that starts from this adslab."""
    return {"input": {"kind": "adslab", "structure": given} | more}
