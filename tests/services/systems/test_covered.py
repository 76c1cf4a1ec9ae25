"""Placements on a slab that carries adsorbates already: beside them, not on top of them."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import add_adsorbate, fcc111

from services.geometry.contacts import pair_vectors
from services.geometry.reactions import joined, pre_adsorbates
from services.systems.placement import place, sites
from services.systems.surfaces import marked
from shared.adsorbates import lookup
from shared.parameters import Placement, PlacementMode
from shared.structures import Structure


def oxygen_on_platinum(count: int) -> Structure:
    """p(2x2) of Pt(111) with so many O in fcc hollows."""
    atoms = fcc111("Pt", (2, 2, 3), vacuum=8.0, a=3.97)
    atoms.pbc = True
    for index in range(count):
        add_adsorbate(atoms, "O", 1.2, "fcc", offset=divmod(index, 2))
    atoms.set_tags(0)
    return marked(atoms)


@pytest.mark.parametrize("mode", list(PlacementMode))
@pytest.mark.parametrize("adsorbate", ["*CO", "*CH2CH3"])
def test_no_start_is_bonded_to_what_was_adsorbed_before(adsorbate: str, mode: PlacementMode) -> None:
    settings = Placement(count=12, mode=mode)
    placed = place(oxygen_on_platinum(1), lookup(adsorbate), settings, np.random.default_rng(0))
    before = pre_adsorbates(placed[0].structure)
    assert before.sum() == 1
    assert not any(joined(one.structure, before).any() for one in placed)


def test_sites_are_those_of_the_metal_where_nothing_covers_it() -> None:
    named = sites(oxygen_on_platinum(1))
    assert {name for name, _ in named} == {"top Pt", "bridge Pt-Pt", "fcc hollow Pt3", "hcp hollow Pt3"}
    slab = oxygen_on_platinum(1)
    oxygen = slab.positions[pre_adsorbates(slab)][0]
    aside = pair_vectors(oxygen, [site for _, site in named], slab.cell, slab.pbc)[0, :, :2]
    assert np.linalg.norm(aside, axis=1).min() > 1.0  # the hollow under it, and the bridges about that, are covered
    assert len(sites(oxygen_on_platinum(0))) < len(named)  # it breaks the symmetry of what is left


def test_a_slab_that_is_covered_all_over_still_has_placements() -> None:
    placed = place(oxygen_on_platinum(4), lookup("*CO"), Placement(count=4), np.random.default_rng(0))
    assert len(placed) == 4
    before = pre_adsorbates(placed[0].structure)
    assert all(joined(one.structure, before).any() for one in placed)
