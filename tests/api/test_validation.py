"""What a submission must satisfy, at the borders, on structures small enough to work out by hand."""

import numpy as np
import pytest
from pydantic import ValidationError

from api.jobs.validation import check_submission
from api.members.choice import KnownMember
from shared.errors import InvalidInput
from shared.parameters import JobParameters, OwnReference, Placement
from shared.structures import Structure
from shared.submissions import AdslabSubmission, Adsorbate, BulkSubmission, SlabSubmission

TOTAL = KnownMember("total", frozenset({1, 6, 7, 8, 16, 78}), "total")
DIRECT = KnownMember("direct", frozenset({6, 8, 16, 78}), "adsorption")
ATOM = Adsorbate(name="*O", numbers=(8,), positions=((0, 0, 0),), binding=(0,))
SULPHUR = Adsorbate(name="S", numbers=(16,), positions=((0, 0, 0),), binding=(0,))
BOX = ((4.0, 0.0, 0.0), (0.0, 4.0, 0.0), (0.0, 0.0, 20.0))


def dimer(length, binding=(0,)):
    """CO of this length, Å."""
    return Adsorbate(name="CO", numbers=(6, 8), positions=((0, 0, 0), (0, 0, length)), binding=binding)


def rod(length):
    """Upright on its one end of carbon, its atoms near enough to be bonded; Å."""
    heights = np.linspace(0, length, 2 + int(length))
    numbers = (6, *[8] * (len(heights) - 1))
    return Adsorbate(name="rod", numbers=numbers, positions=tuple((0, 0, height) for height in heights), binding=(0,))


def layers(heights=(1.0, 3.0), *, cell=BOX, pbc=(True, True, True), adsorbate=0, numbers=None, fixed=None):
    """One Pt atom at each height, Å; the last `adsorbate` of them are O."""
    n = len(heights)
    return Structure(
        numbers=numbers or [78] * (n - adsorbate) + [8] * adsorbate,
        positions=[[0, 0, height] for height in heights],
        cell=cell,
        pbc=pbc,
        adsorbate=[index >= n - adsorbate for index in range(n)],
        surface=[False] * n,
        fixed=fixed or [False] * n,
    )


def slab_job(slab=None, adsorbate=ATOM):
    return SlabSubmission(slab=(slab or layers()).to_document(), adsorbate=adsorbate)


def adslab_job(heights=(1.0, 3.0, 5.0), binding=(), **given):
    return AdslabSubmission(structure=layers(heights, adsorbate=1, **given).to_document(), binding=binding)


def bulk_job(**changes):
    """Simple cubic, 4 Å: one atom in 64 Å³."""
    given = {
        "numbers": (78,),
        "positions": ((0, 0, 0),),
        "cell": np.eye(3) * 4.0,
        "miller": (1, 0, 0),
        "adsorbate": ATOM,
    }
    return BulkSubmission(**given | changes)


def refused(submission, members=(TOTAL,), max_atoms=400):
    """The field and the message."""
    with pytest.raises(InvalidInput) as refusal:
        check_submission(submission, members, max_atoms=max_atoms)
    return refusal.value.field, str(refusal.value)


def accepted(submission, members=(TOTAL,), max_atoms=400):
    check_submission(submission, members, max_atoms=max_atoms)


def test_atoms_may_be_half_an_angstrom_apart_but_not_less():
    accepted(slab_job(layers((1.0, 1.5))))
    field, message = refused(slab_job(layers((1.0, 1.49))))
    assert field == "input.slab"
    assert message.startswith("atoms 0 and 1 are 0.49 Å apart")


def test_distances_count_through_the_cells_faces():
    _, message = refused(slab_job(layers((0.1, 19.8))))
    assert "0.30 Å apart" in message
    accepted(slab_job(layers((0.1, 19.8), pbc=(True, True, False))))


def test_coordinates_and_lattice_vectors_end_at_10000_angstrom():
    long = (*BOX[:2], (0.0, 0.0, 10_000.0))
    accepted(slab_job(layers((9_998.0, 10_000.0), cell=long)))
    assert "are they in Å" in refused(slab_job(layers((9_998.0, 10_000.1), cell=long)))[1]
    assert "lattice vectors beyond" in refused(slab_job(layers(cell=(*BOX[:2], (0.0, 0.0, 10_000.1)))))[1]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named(wrong):
    assert "coordinates of atoms [1]" in refused(slab_job(layers((1.0, wrong))))[1]
    assert "cell is not made of finite" in refused(slab_job(layers(cell=(*BOX[:2], (0.0, wrong, 20.0)))))[1]


def test_opposite_faces_are_one_angstrom_apart_at_least():
    thin = (3.0, 0.99, 0.0)  # 3 Å long, but 0.99 Å from the first lattice vector
    assert "flat" in refused(slab_job(layers(cell=(BOX[0], thin, BOX[2]))))[1]
    thin_enough = slab_job(layers(cell=(BOX[0], (3.0, 1.01, 0.0), BOX[2])))  # the atom's images are 1.4 Å apart
    check_submission(thin_enough, [TOTAL], max_atoms=400, placement=Placement(allow_image_contact=True))


@pytest.mark.parametrize("second", [(8.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 4.0)])
def test_two_vectors_that_span_no_surface_are_refused(second):
    _, message = refused(slab_job(layers(cell=(BOX[0], second, BOX[2]))))
    assert "no area" in message or "flat" in message


def test_a_left_handed_or_tilted_cell_is_as_good():
    accepted(adslab_job(cell=(BOX[1], BOX[0], BOX[2])))
    accepted(adslab_job(cell=(*BOX[:2], (7.0, 0.0, 20.0))))


@pytest.mark.parametrize(
    ("pbc", "good"), [((1, 1, 0), True), ((1, 1, 1), True), ((1, 0, 1), False), ((0, 0, 0), False)]
)
def test_a_surface_is_periodic_along_its_first_two_vectors(pbc, good):
    submission = slab_job(layers(pbc=pbc))
    if good:
        accepted(submission)
    else:
        assert "set pbc for both" in refused(submission)[1]


def test_the_adsorbate_counts_among_the_atoms():
    accepted(slab_job(adsorbate=dimer(1.2)), max_atoms=4)
    assert "2 atoms are too many: at most 1" in refused(slab_job(adsorbate=dimer(1.2)), max_atoms=3)[1]
    accepted(adslab_job(), max_atoms=3)
    assert "3 atoms are too many: at most 2" in refused(adslab_job(), max_atoms=2)[1]


def test_an_adsorbate_too_large_by_itself_is_what_is_refused():
    assert refused(slab_job(adsorbate=dimer(1.2)), max_atoms=2)[0] == "input.adsorbate"


def spanning(top, **given):
    """A chain of four O above two layers, 10 Å below the next two; its highest lies at `top`, Å."""
    cell = ((6.0, 0.0, 0.0), (0.0, 6.0, 0.0), (0.0, 0.0, 10.0))
    chain = layers((1.0, 3.0, 5.1, 6.4, 7.7, top), cell=cell, adsorbate=4, **given)
    return AdslabSubmission(structure=chain.to_document())


def test_the_adsorbate_keeps_two_angstrom_from_the_next_slab():
    accepted(spanning(9.0))  # the next bottom atom lies at 11
    field, message = refused(spanning(9.01))
    assert (field, "spans the vacuum" in message) == ("input.structure", True)
    accepted(spanning(9.01, pbc=(True, True, False)))


def test_an_adsorbate_under_the_next_slab_is_on_its_lower_face_where_no_surface_is_marked():
    accepted(adslab_job((1.0, 3.0, 19.01)))
    accepted(adslab_job((1.0, 3.0, -0.99)))
    marked = layers((1.0, 3.0, 19.01), adsorbate=1).to_document()
    assert "spans the vacuum" in refused(AdslabSubmission(structure=marked | {"tags": [0, 1, 2]}))[1]
    accepted(AdslabSubmission(structure=marked | {"tags": [1, 0, 2]}))


def test_the_vacuum_holds_the_adsorbate_and_two_angstrom_on_either_side():
    filled = (*BOX[:2], (0.0, 0.0, 8.0))  # two layers 2 Å apart leave 6 Å
    accepted(slab_job(layers(cell=filled), rod(2.0)))
    assert "Give at least 6.1 Å" in refused(slab_job(layers(cell=filled), rod(2.1)))[1]
    accepted(bulk_job(vacuum=10.0, adsorbate=rod(6.0)))
    assert refused(bulk_job(vacuum=10.0, adsorbate=rod(6.1)))[0] == "input.vacuum"


def test_a_slab_cut_in_two_by_the_cells_face_counts_as_the_piece_it_is():
    high = (*BOX[:2], (0.0, 0.0, 10.0))
    accepted(slab_job(layers((1.0, 9.5), cell=high)))  # 1.5 Å thick under 8.5 Å of vacuum
    accepted(adslab_job((1.0, 9.5, 2.8), cell=high))
    assert "vacuum 3.5 Å" in refused(slab_job(layers((1.0, 9.5), cell=(*BOX[:2], (0.0, 0.0, 5.0)))))[1]


def test_an_adsorbate_below_the_middle_is_refused_with_a_word_on_tags():
    accepted(adslab_job((1.0, 4.0, 2.6)))
    field, message = refused(adslab_job((1.0, 4.0, 2.4)))
    assert (field, "ASE's surface builders number layers" in message) == ("input.structure", True)


def test_an_adslab_needs_both_parts_and_something_that_moves():
    both = layers((1.0, 3.0, 5.0)).to_document()
    assert "no atom is marked" in refused(AdslabSubmission(structure=both))[1]
    assert "every atom is marked" in refused(AdslabSubmission(structure=both | {"tags": [2, 2, 2]}))[1]
    assert "nothing can move" in refused(adslab_job(fixed=[True] * 3))[1]
    accepted(adslab_job(fixed=[True, True, False]))


def test_binding_atoms_belong_to_the_adsorbate():
    accepted(adslab_job(binding=(2,)))
    assert refused(adslab_job(binding=(1, 2))) == ("input.binding", "binding atoms [1] are not adsorbate atoms")
    for binding in ((), (2,), (-1,)):
        assert refused(slab_job(adsorbate=dimer(1.2, binding)))[0] == "input.adsorbate.binding"


@pytest.mark.parametrize("number", [0, -1, 119])
def test_numbers_outside_the_periodic_table_are_no_elements(number):
    assert refused(slab_job(layers(numbers=[78, number])))[1] == f"atomic numbers [{number}] are no elements"


def test_every_member_must_know_every_element():
    gold = slab_job(layers(numbers=[78, 79]))
    assert "member total does not support Au" in refused(gold)[1]
    hydrogen = adslab_job(numbers=[78, 78, 1])
    accepted(hydrogen, (TOTAL,))
    assert "member direct does not support H" in refused(hydrogen, (TOTAL, DIRECT))[1]


def test_gas_references_bind_every_member():
    for members in ((DIRECT,), (DIRECT, TOTAL)):
        field, message = refused(slab_job(adsorbate=SULPHUR), members)
        assert (field, "gas references (CO, H2, H2O, N2) of" in message) == ("input.adsorbate", True)


@pytest.mark.parametrize(
    ("miller", "good"),
    [((8, 0, -8), True), ((0, 0, -1), True), ((9, 0, 0), False), ((0, -9, 0), False), ((0, 0, 0), False)],
)
def test_a_miller_index_is_not_zero_and_not_beyond_8(miller, good):
    submission = bulk_job(miller=miller)
    if good:
        accepted(submission)
    else:
        assert refused(submission)[0] == "input.miller"


def test_a_slab_that_could_not_fit_is_refused_before_it_is_cut():
    deep = bulk_job(min_width=8.0, min_depth=10.0)  # 8 x 8 x 10 Å at one atom in 64 Å³: ten atoms
    accepted(deep, max_atoms=11)  # with the adsorbate's one
    field, message = refused(deep, max_atoms=10)
    assert (field, "about 10 atoms" in message) == ("input.min_width", True)


def own(**energies):
    return {"S": OwnReference(label="S8(g)", atoms=8, energies=energies)}


def test_other_elements_take_a_reference_of_ones_own_by_every_member_that_needs_one():
    job = slab_job(adsorbate=SULPHUR)
    field, message = refused(job)
    assert (field, "parameters.references" in message) == ("input.adsorbate", True)
    check_submission(job, (TOTAL,), max_atoms=400, references=own(total=-32.0))
    for members, references, why in (
        ((TOTAL,), own(other=-32.0), "has no energy by total"),
        ((TOTAL, DIRECT), own(total=-32.0), "can't be brought to yours of S"),
    ):
        with pytest.raises(InvalidInput, match=why) as refusal:
            check_submission(job, members, max_atoms=400, references=references)
        assert refusal.value.field == "parameters.references"


@pytest.mark.parametrize(
    ("references", "why"),
    [
        ({"Xx": {"label": "a", "energies": {"m": 1.0}}}, "is no element"),
        ({"S": {"label": "CO(g)", "energies": {"m": 1.0}}}, "label of its own"),
        ({"S": {"label": "S8(g)", "energies": {}}}, "at least 1"),
    ],
)
def test_references_that_would_mix_scales_are_refused(references, why):
    with pytest.raises(ValidationError, match=why):
        JobParameters(references=references)
