"""Molecules as they are submitted: in one piece, free, and with room beside their own images; or refused with what to change."""

from collections.abc import Sequence

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc100, fcc111, molecule
from ase.constraints import FixAtoms

from api.jobs.validation import check_submission
from api.members.choice import KnownMember
from shared.adsorbates import lookup, names
from shared.errors import InvalidInput
from shared.parameters import Placement, PlacementMode
from shared.structures import Structure
from shared.submissions import AdslabSubmission, Adsorbate, BulkSubmission, SlabSubmission
from tests.api.structures import on_slab, slab, text

EVERYTHING = [KnownMember("all", frozenset(range(1, 95)), "total")]
FLAT = tuple(range(6))
"""The carbon atoms of benzene, which lies on them."""


def adsorbate(name: str, binding: Sequence[int]) -> Adsorbate:
    atoms = molecule(name)
    return Adsorbate(
        name=name,
        numbers=tuple(atoms.numbers.tolist()),
        positions=tuple((x, y, z) for x, y, z in atoms.positions.tolist()),
        binding=tuple(binding),
    )


def surface(size: tuple[int, int], metal: str = "Pt") -> Structure:
    atoms = fcc111(metal, (*size, 3), vacuum=10.0, periodic=True)
    none = [False] * len(atoms)
    return Structure.from_atoms(atoms, adsorbate=none, surface=none)


def check(submission, **placement):
    check_submission(submission, EVERYTHING, max_atoms=400, placement=Placement(**placement))


def refused(submission, **placement):
    with pytest.raises(InvalidInput) as refusal:
        check(submission, **placement)
    return refusal.value.field, str(refusal.value)


def job(size, name, binding, metal="Pt"):
    return SlabSubmission(slab=surface(size, metal).to_document(), adsorbate=adsorbate(name, binding))


def adslab(atoms: Atoms, n_adsorbate: int) -> Structure:
    mine = np.arange(len(atoms)) >= len(atoms) - n_adsorbate
    return Structure.from_atoms(atoms, adsorbate=mine, surface=np.zeros(len(atoms), dtype=bool))


def test_benzene_needs_three_by_three_of_platinum():
    field, message = refused(job((2, 2), "C6H6", FLAT))
    assert field == "input.slab"
    assert "atoms 7 (H) and 10 (H) of neighbouring cells come within 0.58 Å" in message
    assert (
        "needs 6.2 Å from image to image and this cell gives 5.54 Å: give the surface as 3 x 3 (here it is 2 x 2)"
        in message
    )
    assert "parameters.placement.allow_image_contact" in message
    check(job((3, 3), "C6H6", FLAT))
    check(job((4, 4), "C6H6", FLAT))
    check(job((2, 2), "C6H6", FLAT), allow_image_contact=True)


@pytest.mark.parametrize("size", [(1, 4), (2, 5), (3, 2)])
def test_one_short_vector_is_enough(size):
    assert "give the surface as 3 x 3" in refused(job(size, "C6H6", FLAT))[1]


def test_a_cell_that_is_no_repeat_of_a_smaller_one_is_repeated_itself():
    distorted = surface((2, 2))
    positions = distorted.positions.copy()
    positions[-1] += (0.4, 0.2, 0.0)
    given = SlabSubmission(slab=distorted.moved(positions).to_document(), adsorbate=adsorbate("C6H6", FLAT))
    assert "give the slab repeated 2 x 2" in refused(given)[1]


def test_long_vectors_with_a_short_sum_are_seen():
    square = fcc100("Pt", (3, 3, 3), vacuum=10.0, periodic=True)
    cell = square.cell.array.copy()
    cell[1] += 3 * cell[0]  # the same lattice
    square.set_cell(cell)
    none = [False] * len(square)
    slab = Structure.from_atoms(square, adsorbate=none, surface=none)
    check(SlabSubmission(slab=slab.to_document(), adsorbate=adsorbate("C6H6", FLAT)))
    narrow = fcc100("Pt", (1, 3, 3), vacuum=10.0, periodic=True)
    cell = narrow.cell.array.copy()
    cell[0] = cell[1] + cell[0]
    narrow.set_cell(cell)  # both vectors are 8 Å and longer, their difference 2.8 Å
    none = [False] * len(narrow)
    slab = Structure.from_atoms(narrow, adsorbate=none, surface=none)
    assert (
        "this cell gives 2.77 Å"
        in refused(SlabSubmission(slab=slab.to_document(), adsorbate=adsorbate("C6H6", FLAT)))[1]
    )


@pytest.mark.parametrize("mode", list(PlacementMode))
@pytest.mark.parametrize("metal", ["Pt", "Cu"])
@pytest.mark.parametrize(
    ("name", "binding"), [("CO", [1]), ("H2O", [0]), ("CH3OH", [1]), ("C2H4", [0, 1]), ("NH3", [0]), ("O2", [0, 1])]
)
def test_small_molecules_fit_on_two_by_two(mode, metal, name, binding):
    check(job((2, 2), name, binding, metal), mode=mode)


def test_how_it_is_placed_decides():
    # benzene on one of its atoms stands on edge, 4.3 Å wide; any rotation lays it down
    check(job((2, 2), "C6H6", [0]))
    assert refused(job((2, 2), "C6H6", [0]), mode="random")[0] == "input.slab"


def test_all_adsorbates_of_oc20_fit_its_own_cells():
    cell = tuple((x, y, z) for x, y, z in (1.96 * (np.ones((3, 3)) - np.eye(3))).tolist())
    bulk = {"numbers": (78,), "positions": ((0, 0, 0),), "cell": cell, "miller": (1, 1, 1)}
    for name in names():
        for mode in PlacementMode:
            check(BulkSubmission(**bulk, adsorbate=lookup(name)), mode=mode)
            check(SlabSubmission(slab=surface((3, 3)).to_document(), adsorbate=lookup(name)), mode=mode)
    given = BulkSubmission(**bulk, adsorbate=adsorbate("C6H6", FLAT), min_width=5.0)
    field, message = refused(given)
    assert (field, "Give min_width at least 6.2" in message) == ("input.min_width", True)
    check(given.model_copy(update={"min_width": 6.2}))
    check(given, allow_image_contact=True)


def test_an_adslab_is_judged_as_it_lies_and_as_it_would_be_placed():
    slab = fcc111("Pt", (2, 2, 3), vacuum=10.0, periodic=True)
    benzene = molecule("C6H6")
    along = np.degrees(np.arctan2(*benzene.positions[6, 1::-1]))  # of a C-H
    benzene.rotate(-along, "z")
    crowded = slab.copy()
    add_adsorbate(crowded, benzene, 3.0, "fcc")
    touching = AdslabSubmission(structure=adslab(crowded, 12).to_document())
    message = refused(touching, count=1)[1]
    assert "the adsorbate touches its own periodic image: atoms 19 (H) and 22 (H)" in message
    assert "With 6.2 Å from image to image it touches none: give the surface as 3 x 3 (here it is 2 x 2)" in message
    check(touching, allow_image_contact=True)
    ethylene = slab.copy()
    add_adsorbate(ethylene, molecule("C2H4"), 3.0, "fcc")
    check(AdslabSubmission(structure=adslab(ethylene, 6).to_document()))


def test_a_submitted_geometry_that_fits_needs_no_room_to_turn():
    slab = fcc111("Cu", (2, 2, 3), vacuum=10.0, periodic=True)
    # H to H 4.6 Å, along the long diagonal of the cell
    rod = Atoms("HCCCH", [[0, 0, 0], [1.07, 0, 0], [2.3, 0, 0], [3.5, 0, 0], [4.57, 0, 0]])
    rod.rotate(30, "z")
    add_adsorbate(slab, rod, 2.5, "ontop")
    given = AdslabSubmission(structure=adslab(slab, 5).to_document())
    check(given, count=1)
    assert "at some turn" in refused(given, count=2)[1]


def test_a_molecule_in_pieces_is_refused_with_its_pieces():
    pair = molecule("H2O")
    other = molecule("H2O")
    other.positions += (0.0, 0.0, 2.9)
    pair += other
    two = Adsorbate(
        name="H4O2",
        numbers=tuple(pair.numbers.tolist()),
        positions=tuple(map(tuple, pair.positions.tolist())),
        binding=(0,),
    )
    field, message = refused(SlabSubmission(slab=surface((3, 3)).to_document(), adsorbate=two))
    assert field == "input.adsorbate"
    assert "in 2 pieces that no bond joins: H2O (atoms 0, 1, 2); H2O (atoms 3, 4, 5)" in message
    slab = fcc111("Pt", (3, 3, 3), vacuum=10.0, periodic=True)
    add_adsorbate(slab, "O", 1.2, "fcc")
    add_adsorbate(slab, "H", 0.9, "fcc", offset=(1, 1))
    field, message = refused(AdslabSubmission(structure=adslab(slab, 2).to_document()))
    assert field == "input.structure"
    assert "O (atom 27); H (atom 28)" in message
    assert "adsorbed before" in message


def test_an_adsorbate_across_the_cells_faces_is_one_piece():
    slab = fcc111("Pt", (3, 3, 3), vacuum=10.0, periodic=True)
    add_adsorbate(slab, molecule("CH3OH"), 3.0, (0.2, 0.1))
    slab.wrap()
    structure = adslab(slab, 6)
    assert np.ptp(structure.positions[-6:], axis=0).max() > 5
    check(AdslabSubmission(structure=structure.to_document()))


@pytest.mark.parametrize("held", [[12], [12, 13], [0, 13]])
def test_fixed_atoms_of_the_adsorbate_are_refused(held):
    slab = fcc111("Pt", (2, 2, 3), vacuum=10.0, periodic=True)
    add_adsorbate(slab, Atoms("CO", [(0, 0, 0), (0, 0, 1.15)]), 1.85, "ontop")
    slab.set_constraint(FixAtoms(held))
    field, message = refused(AdslabSubmission(structure=adslab(slab, 2).to_document()))
    assert field == "input.structure"
    assert str(max(held)) in message
    assert "Fix atoms of the slab only" in message


def sent(client, atoms: Atoms, form: str = "extxyz", binding: Sequence[int] = (0,)):
    given = {"structure": text(atoms, form), "binding": list(binding)}
    return client.post("/v1/jobs", json=on_slab(text(slab()), given))


@pytest.mark.parametrize("form", ["extxyz", "poscar"])
def test_a_molecule_across_the_faces_of_its_box_is_put_together(service, client, form):
    cell = [[11.0, 0.0, 0.0], [2.0, 12.0, 0.0], [0.0, -1.0, 13.0]]
    whole = Atoms("COH", [(0.2, 0.1, 0.3), (0.2, 0.1, -1.05), (0.2, 1.0, -1.4)], cell=cell, pbc=True)
    wrapped = whole.copy()
    wrapped.wrap()
    assert wrapped.get_distance(0, 1) > 10
    answer = sent(client, wrapped, form)
    assert answer.status_code == 201, answer.text
    with service.opened() as session:
        from uuid import UUID

        from shared.database.tables import Job

        found = session.get_one(Job, UUID(answer.json()["id"])).submission["adsorbate"]
    positions = np.array(found["positions"])
    np.testing.assert_allclose(positions - positions[0], whole.positions - whole.positions[0], atol=1e-6)
    assert any("put in one piece" in warning for warning in answer.json()["warnings"])


@pytest.mark.parametrize(
    ("atoms", "why"),
    [
        (Atoms("COH", [(0, 0, 0), (0, 0, 10.65), (0, 0.9, 11)]), "in 2 pieces"),  # no box says that it was wrapped
        (Atoms("C2", [(0, 0, 0), (1.25, 0.85, 0)], cell=[2.5, 12, 12], pbc=True), "periodic images"),
        (Atoms("CO", [(0, 0, 0), (0, 0, 1.15)], constraint=FixAtoms([0])), "fixed"),
    ],
)
def test_what_is_no_free_molecule_is_refused(client, atoms, why):
    answer = sent(client, atoms)
    assert answer.status_code == 422, answer.text
    assert why in answer.text
