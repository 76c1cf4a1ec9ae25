"""What is cleared at a glance would have passed a look of its own, whatever is wrong with the rest."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import add_adsorbate, fcc111

from api.jobs import screening, spacing, validation
from shared.errors import InvalidInput
from shared.structures import Floats, Structure

LIMITS = {"closest": spacing.CLOSEST, "clearance": spacing.CLEARANCE, "farthest": spacing.FARTHEST}


def first(*, down: bool = False, marked: bool = True) -> Structure:
    atoms = fcc111("Pt", (2, 2, 3), vacuum=6.0, periodic=True)
    layers = atoms.get_tags()
    add_adsorbate(atoms, "O", 1.2, "fcc")
    atoms.set_tags([*(int(marked and layer == 1) for layer in layers), 2])
    if down:
        atoms.positions[:, 2] = atoms.cell[2, 2] - atoms.positions[:, 2]
    return Structure.from_oc_atoms(atoms)


def broken(structure: Structure, count: int) -> Floats:
    """Some in order, some with an atom or the whole moved by anything."""
    rng = np.random.default_rng(5)
    made = np.repeat(structure.positions[None], count, axis=0)
    made += rng.normal(0, 0.05, made.shape)
    for index in range(0, count, 2):
        atom = int(rng.integers(len(structure)))
        made[index, atom] += rng.normal(0, [0.5, 3.0, 30.0][index % 3], 3)
    made[1::7] += rng.integers(-12, 13, (len(made[1::7]), 1, 3)) @ structure.cell
    made[3::11, :, 2] += rng.uniform(-9, 9)
    made[5, 0, 0], made[7, 1, 1] = np.nan, 1e5
    return made


def passes(structure: Structure, positions: Floats) -> bool:
    try:
        validation._check_atoms(structure.numbers, positions, 400, "x")
        validation._check_geometry(structure.moved(positions), "x")
    except InvalidInput:
        return False
    return True


@pytest.mark.parametrize(("down", "marked"), [(False, True), (False, False), (True, True), (True, False)])
def test_nothing_that_is_cleared_would_be_refused(down, marked):
    structure = first(down=down, marked=marked)
    positions = broken(structure, 300)
    doubted = set(screening.doubtful(structure, positions, **LIMITS).tolist())
    cleared = [index for index in range(len(positions)) if index not in doubted]
    assert len(cleared) > 100 or (down and not marked), "most are cleared, or nothing is won"
    assert all(passes(structure, positions[index]) for index in cleared)
    refused = [index for index in range(len(positions)) if not passes(structure, positions[index])]
    assert refused
    assert set(refused) <= doubted
