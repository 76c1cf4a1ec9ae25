"""The structure: round trips, masks, refusals."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest
from ase.build import add_adsorbate, fcc111
from ase.constraints import FixAtoms, FixBondLength

from shared.errors import InvalidInput
from shared.structures import Structure


@pytest.fixture
def atoms():
    slab = fcc111("Pt", (2, 2, 3), vacuum=8.0)
    layers = slab.get_tags()
    add_adsorbate(slab, "O", 1.5, "fcc")
    slab.set_tags([*np.where(layers == 1, 1, 0), 2])
    slab.set_constraint(FixAtoms(indices=np.flatnonzero(layers > 1)))
    return slab


def test_document_survives_json_to_the_last_bit(atoms):
    structure = Structure.from_oc_atoms(atoms)
    again = Structure.from_document(json.loads(json.dumps(structure.to_document())))
    assert again.digest == structure.digest
    assert np.array_equal(again.positions, atoms.positions)


def test_atoms_round_trip_keeps_roles(atoms):
    again = Structure.from_oc_atoms(Structure.from_oc_atoms(atoms).to_atoms())
    assert again.tags.tolist() == atoms.get_tags().tolist()
    assert np.flatnonzero(again.fixed).tolist() == atoms.constraints[0].get_indices().tolist()


def test_digest_sees_positions_and_topology_digest_does_not(atoms):
    structure = Structure.from_oc_atoms(atoms)
    moved = structure.moved(structure.positions + 1e-12)
    assert moved.topology_digest == structure.topology_digest
    assert moved.digest != structure.digest
    again = structure.moved(moved.positions)  # from one whose digests were asked for
    assert (again.digest, again.topology_digest) == (moved.digest, moved.topology_digest)


def test_ase_layer_tags_are_refused():
    with pytest.raises(InvalidInput, match="ASE's surface builders number layers"):
        Structure.from_oc_atoms(fcc111("Pt", (1, 1, 4), vacuum=8.0))


def test_other_constraints_are_refused(atoms):
    atoms.set_constraint(FixBondLength(0, 1))
    with pytest.raises(InvalidInput, match="FixAtoms"):
        Structure.from_oc_atoms(atoms)


def test_arrays_are_read_only_copies(atoms):
    structure = Structure.from_oc_atoms(atoms)
    with pytest.raises(ValueError, match="read-only"):
        structure.positions[0, 0] = 1.0
    atoms.positions[0, 0] += 5.0
    assert structure.positions[0, 0] != atoms.positions[0, 0]


def test_normal_points_out_even_for_a_left_handed_cell(atoms):
    structure = Structure.from_oc_atoms(atoms)
    flipped = replace(structure, cell=structure.cell[[1, 0, 2]])
    assert structure.normal == pytest.approx([0, 0, 1])
    assert flipped.normal == pytest.approx([0, 0, 1])


def test_other_roles_are_checked_copies_and_all_else_stays(atoms):
    structure = Structure.from_oc_atoms(atoms)
    mask = ~structure.fixed
    other = structure.with_roles(fixed=mask)
    assert {
        one.name for one in fields(Structure) if (getattr(other, one.name) != getattr(structure, one.name)).any()
    } == {"fixed"}
    mask[:] = False
    assert (other.fixed != structure.fixed).all()
    with pytest.raises(ValueError, match="read-only"):
        other.fixed[0] = True
    assert structure.with_roles(surface=np.zeros(len(structure))).surface.dtype == np.bool_
    with pytest.raises(InvalidInput, match="surface has shape"):
        structure.with_roles(surface=[True])


def test_atoms_by_index_come_in_that_order(atoms):
    structure = Structure.from_oc_atoms(atoms)
    order = np.arange(len(structure))[::-1]
    turned = structure.only(order)
    assert turned.digest != structure.digest == turned.only(order).digest
    assert turned.tags.tolist() == structure.tags.tolist()[::-1]


def test_wrong_shape_names_the_field():
    with pytest.raises(InvalidInput, match="positions has shape") as refusal:
        Structure(
            numbers=[1, 8],
            positions=np.zeros((1, 3)),
            cell=np.eye(3),
            pbc=[True] * 3,
            adsorbate=[True, True],
            surface=[False, False],
            fixed=[False, False],
        )
    assert refusal.value.field == "positions"
