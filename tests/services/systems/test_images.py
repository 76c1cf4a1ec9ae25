"""No placement comes nearer to its own images than was promised at submission; fixed atoms of an adsorbate don't free the slab."""

import numpy as np
import pytest
from ase.build import fcc111

from services.systems.placement import place
from services.systems.surfaces import anchored, marked
from shared import molecules
from shared.adsorbates import lookup, names
from shared.molecules import Extent
from shared.orientation import stances
from shared.parameters import Placement, PlacementMode
from shared.structures import Structure

SHORT = 4.0
"""Å: images this near are looked at."""


def copper(size: tuple[int, int]) -> Structure:
    slab = fcc111("Cu", (*size, 3), vacuum=10.0, periodic=True)
    slab.set_tags(0)
    return marked(slab)


def nearest(structure: Structure, slab: Structure) -> float:
    """Least distance minus bond length to an image of the adsorbate, Å, by all pairs."""
    mine = structure.only(structure.adsorbate)
    longest = float(np.ptp(mine.positions, axis=0).sum() + SHORT)
    offsets = molecules.translations(slab.cell[:2], longest)[:, None, None]
    apart = np.linalg.norm(mine.positions[None, :, None] - mine.positions[None, None] - offsets, axis=-1)
    return float((apart - molecules.bond_lengths(mine.numbers)).min(initial=np.inf))


@pytest.mark.parametrize("mode", list(PlacementMode))
@pytest.mark.parametrize("size", [(1, 2), (2, 2)])
def test_every_placement_of_every_adsorbate_keeps_what_was_promised(mode, size):
    slab = copper(size)
    vectors = molecules.translations(slab.cell[:2], 12.0)
    for seed, name in enumerate(names()):
        adsorbate = lookup(name)
        extent = Extent.of(adsorbate.numbers, stances(adsorbate).ways, mode.tilt)
        promised = extent.touching(vectors)
        placed = place(slab, adsorbate, Placement(mode=mode, count=6), np.random.default_rng(seed))
        found = min(nearest(one.structure, slab) for one in placed)
        assert found >= (0.0 if promised is None else promised.distance - promised.bond) - 1e-9, name


def test_a_fixed_atom_of_the_adsorbate_does_not_free_the_slab():
    slab = copper((2, 2))
    adslab = place(slab, lookup("*CO"), Placement(count=1), np.random.default_rng(0))[0].structure
    fixed = np.zeros(len(adslab), dtype=bool)
    fixed[-2] = True
    held = anchored(adslab.with_roles(fixed=fixed))
    assert (held.fixed == ((adslab.slab & ~adslab.surface) | fixed)).all()
