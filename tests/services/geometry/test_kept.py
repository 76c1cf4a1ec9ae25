"""What is kept by content is found again by content, to the last bit, and by nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import fcc111

from services.forces.restraints import Restraints
from services.geometry.contacts import neighbours, pairs_within
from services.geometry.kept import by_content
from shared.parameters import Restraints as Settings
from shared.structures import Structure


def slab(shift: float = 0.0) -> Structure:
    atoms = fcc111("Pt", (2, 2, 3), vacuum=6.0, periodic=True)
    none = np.zeros(len(atoms), dtype=bool)
    made = Structure.from_atoms(atoms, adsorbate=none, surface=atoms.get_tags() == 1)
    return made.moved(made.positions + shift)


def test_one_answer_for_one_content() -> None:
    asked = []

    @by_content(8)
    def count(structure: Structure, factor: int) -> int:
        asked.append(structure)
        return factor * len(structure)

    first = slab()
    assert [count(first, 2), count(slab(), 2), count(first.moved(first.positions), 2)] == [24, 24, 24]
    assert len(asked) == 1
    others = [slab(1e-15), first.with_roles(fixed=first.surface), replace(first, cell=2 * first.cell)]
    assert [count(one, 2) for one in others] == [24, 24, 24]
    assert count(first, 3) == 36
    assert len(asked) == 5


def test_springs_follow_the_clean_slab_and_the_settings() -> None:
    atoms = fcc111("Pt", (2, 2, 3), vacuum=6.0, periodic=True)
    layers = atoms.get_tags()
    start = Structure.from_atoms(atoms, adsorbate=layers == 1, surface=layers == 2)
    clean, moved = start.only(start.slab), start.only(start.slab).positions.copy()
    moved[0, 2] += 0.2
    springs = [
        Restraints.build(start, one, settings).springs.threshold
        for one in (clean, clean.moved(moved), clean)
        for settings in (Settings(), Settings(slab_slack=0.5))
    ]
    assert not np.array_equal(springs[0], springs[1])
    assert springs[0].shape != springs[2].shape or not np.array_equal(springs[0], springs[2])
    assert np.array_equal(springs[0], springs[4])
    assert np.array_equal(springs[1], springs[5])


@pytest.mark.parametrize("reach", [2.0, 4.5, 7.0])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_pairs_within_are_those_of_the_neighbours(noise: float, reach: float) -> None:
    given = slab()
    positions = given.positions + np.random.default_rng(0).normal(scale=noise, size=given.positions.shape)
    first, second, vectors = neighbours(positions, positions, given.cell, given.pbc, reach)
    chosen = first < second
    i, j = np.triu_indices(len(given), k=1)
    found = pairs_within(positions, i, j, given.cell, given.pbc, reach)
    for mine, theirs in zip(found, (first[chosen], second[chosen], vectors[chosen]), strict=True):
        assert np.array_equal(mine, theirs)
