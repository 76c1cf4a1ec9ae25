"""Atoms of an adslab keep their places for whoever submitted it."""

import numpy as np
import pytest
from ase.build import fcc111

from services.systems.assembly import assemble
from shared.adsorbates import lookup
from shared.structures import Structure
from shared.submissions import AdslabSubmission, SlabSubmission, given_order


def shuffled(seed: int) -> Structure:
    """CO on Pt(111), atoms in any order, tagged as OC20 does."""
    slab = fcc111("Pt", (2, 2, 3), vacuum=8.0, periodic=True)
    top = slab.positions[slab.get_tags() == 1][0]
    atoms = slab.copy()
    atoms += type(slab)("CO", top + np.array([[0, 0, 1.85], [0, 0, 3.0]]))
    atoms.set_tags([*(1 if layer == 1 else 0 for layer in slab.get_tags()), 2, 2])
    atoms = atoms[np.random.default_rng(seed).permutation(len(atoms))]
    return Structure.from_oc_atoms(atoms)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_inside_is_that_of_the_system_and_leads_back_to_the_one_given(seed):
    given = shuffled(seed)
    submission = AdslabSubmission(structure=given.to_document())
    inside = assemble(submission).first
    assert inside is not None
    np.testing.assert_array_equal(inside.positions, given.positions[list(submission.order)])
    back = given_order(submission.model_dump(mode="json"))
    assert back is not None
    np.testing.assert_array_equal(inside.positions[list(back)], given.positions)
    np.testing.assert_array_equal(inside.numbers[list(back)], given.numbers)


def test_nothing_changes_places_where_the_slab_comes_first():
    given = shuffled(0)
    sorted_ = given.only(np.argsort(given.adsorbate, kind="stable"))
    assert given_order(AdslabSubmission(structure=sorted_.to_document()).model_dump(mode="json")) is None
    slab = given.only(given.slab)
    submission = SlabSubmission(slab=slab.to_document(), adsorbate=lookup("*CO"))
    assert given_order(submission.model_dump(mode="json")) is None
