"""Crystals by the name of their structure against ASE's own builders and space groups, and against known distances."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.lattice.compounds import L1_2
from ase.neighborlist import neighbor_list
from ase.spacegroup import crystal
from spglib import get_symmetry_dataset

from api.jobs.prototypes import compound, element
from api.jobs.requests import BulkPrototype, CompoundPrototype


def built(prototype: str, elements: list[str], **lengths: float) -> Atoms:
    return compound(CompoundPrototype.model_validate({"prototype": prototype, "elements": elements, **lengths})).atoms


def shells(atoms: Atoms) -> list[tuple[float, ...]]:
    """Every pair of neighbours below 5 Å, by element and distance, per atom."""
    first, second, lengths = neighbor_list("ijd", atoms, 5.0)
    found = sorted(
        (int(atoms.numbers[i]), int(atoms.numbers[j]), round(float(d), 4))
        for i, j, d in zip(first, second, lengths, strict=True)
    )
    return [(*pair, found.count(pair) / len(atoms)) for pair in sorted(set(found))]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:spglib")
@pytest.mark.parametrize(
    ("ours", "theirs", "group", "n_atoms"),
    [
        (built("rocksalt", ["Mg", "O"], a=4.21), bulk("MgO", "rocksalt", a=4.21), 225, 8),
        (built("zincblende", ["Zn", "S"], a=5.41), bulk("ZnS", "zincblende", a=5.41), 216, 8),
        (built("wurtzite", ["Zn", "O"], a=3.25, c=5.2, u=0.38), bulk("ZnO", "wurtzite", a=3.25, c=5.2, u=0.38), 186, 4),
        (built("wurtzite", ["Zn", "O"], a=3.25), bulk("ZnO", "wurtzite", a=3.25), 186, 4),
        (built("fluorite", ["Ce", "O"], a=5.41), bulk("CeO2", "fluorite", a=5.41), 225, 12),
        (built("cesiumchloride", ["Cs", "Cl"], a=4.12), bulk("CsCl", "cesiumchloride", a=4.12), 221, 2),
        (built("B2", ["Ni", "Al"], a=2.89), bulk("NiAl", "cesiumchloride", a=2.89), 221, 2),
        (
            built("rutile", ["Ti", "O"], a=4.594, c=2.959, u=0.305),
            crystal(["Ti", "O"], [(0, 0, 0), (0.305, 0.305, 0)], spacegroup=136, cellpar=[4.594, 4.594, 2.959, 90, 90, 90]),
            136,
            6,
        ),
        (
            built("perovskite", ["Sr", "Ti", "O"], a=3.905),
            crystal(["Sr", "Ti", "O"], [(0, 0, 0), (0.5,) * 3, (0.5, 0.5, 0)], spacegroup=221, cellpar=[3.905] * 3 + [90] * 3),
            221,
            5,
        ),
        (built("L1_2", ["Cu", "Au"], a=3.75), L1_2(["Au", "Cu"], latticeconstant=3.75), 221, 4),
        (
            built("L1_0", ["Fe", "Pt"], a=3.85, c=3.71),
            crystal(["Fe", "Pt"], [(0, 0, 0), (0.5,) * 3], spacegroup=123, cellpar=[3.85 / 2**0.5] * 2 + [3.71, 90, 90, 90]),
            123,
            4,
        ),
    ],
)  # fmt: skip
def test_a_prototype_is_the_crystal_of_its_name(ours, theirs, group, n_atoms):
    assert len(ours) == n_atoms
    dataset = get_symmetry_dataset((ours.cell.array, ours.get_scaled_positions(), ours.numbers))
    assert dataset is not None
    assert dataset.number == group
    assert np.array(shells(ours)) == pytest.approx(np.array(shells(theirs)), abs=2e-4)


def test_what_was_taken_for_granted_is_said():
    notes = compound(CompoundPrototype(prototype="wurtzite", elements=["Zn", "O"], a=3.25)).notes
    assert notes == (
        "no c was given: c = 1.6330 a = 5.3072 Å, the ideal one, was taken",
        "no u was given: u = 0.375 was taken",
        "built as wurtzite ZnO",
    )
    assert compound(CompoundPrototype(prototype="L1_2", elements=["Pt", "Ni"], a=3.83)).notes == (
        "built as L1_2 Pt3Ni",
    )


@pytest.mark.parametrize(
    ("name", "n_atoms", "nearest"),
    [("Pt", 4, 3.92 / 2**0.5), ("Fe", 2, 2.87 * 3**0.5 / 2), ("Si", 8, 5.43 * 3**0.5 / 4), ("Ru", 2, None)],
)
def test_an_element_comes_in_its_usual_cell(name, n_atoms, nearest):
    found = element(BulkPrototype(element=name))
    assert len(found.atoms) == n_atoms
    assert not found.conventional
    if nearest is not None:
        assert neighbor_list("d", found.atoms, 3.5).min() == pytest.approx(nearest, abs=1e-3)


def test_an_element_of_another_lattice_is_cut_in_its_standard_cell():
    assert element(BulkPrototype(element="In")).conventional
    ruthenium = element(BulkPrototype(element="Ru", crystal="hcp", a=2.72, c=4.3)).atoms
    assert ruthenium.cell.lengths() == pytest.approx([2.72, 2.72, 4.3])
