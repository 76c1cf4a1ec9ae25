"""How far a structure may reach and how large a cut may get: both sides of each limit, refused in milliseconds."""

import time

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111

from api.jobs.extents import THICKEST, WIDEST_GAP, check_cut, check_heights
from services.systems.surfaces import cut_with_notes
from shared.errors import InvalidInput
from shared.structures import Structure
from tests.services.systems.test_surfaces import submitted


def slab(moved: dict[int, float] | None = None, layers: int = 4) -> Structure:
    atoms = fcc111("Pt", (2, 2, layers), a=3.92, vacuum=10.0, periodic=True)
    atoms.set_tags(0)
    atoms.pbc = [True, True, False]
    for index, height in (moved or {}).items():
        atoms.positions[index, 2] += height
    return Structure.from_oc_atoms(atoms)


@pytest.mark.parametrize(
    ("moved", "said"),
    [
        ({15: 4000.0}, "atom 15 lies above the rest of the slab, with 4000 Å"),
        ({0: -21.0}, "atom 0 lies below the rest"),
        ({12: 30.0, 13: 30.0}, "atoms 12, 13 lie above"),
    ],
)
def test_an_atom_far_along_the_open_direction_is_refused_and_named(moved, said):
    with pytest.raises(InvalidInput, match=said) as refused:
        check_heights(slab(moved), "input.slab")
    assert refused.value.field == "input.slab"
    assert "leave these atoms out" in str(refused.value)


def test_a_gap_within_the_limit_and_a_thick_slab_within_it_pass():
    check_heights(slab({15: WIDEST_GAP - 0.1}), "input.slab")
    spacing = 3.92 / np.sqrt(3)
    fits = int(THICKEST / spacing) + 1
    check_heights(slab(layers=fits), "input.slab")
    with pytest.raises(InvalidInput, match="at most 100 Å are allowed: give fewer layers"):
        check_heights(slab(layers=fits + 1), "input.slab")


def test_an_adsorbate_far_above_the_slab_is_refused():
    bare = slab()
    for height, fits in ((WIDEST_GAP - 0.5, True), (4000.0, False)):
        above = bare.positions[np.argmax(bare.heights)] + np.array([0, 0, height])
        adslab = Structure(
            numbers=[*bare.numbers, 8],
            positions=[*bare.positions, above],
            cell=bare.cell,
            pbc=bare.pbc,
            adsorbate=[*bare.adsorbate, True],
            surface=[*bare.surface, False],
            fixed=[*bare.fixed, False],
        )
        if fits:
            check_heights(adslab, "input.structure")
        else:
            with pytest.raises(InvalidInput, match="4000 Å above the slab"):
                check_heights(adslab, "input.structure")


DISORDERED = Atoms(
    "Pt60", cell=[10.0, 10.5, 11.0], pbc=True, scaled_positions=np.random.default_rng(1).uniform(size=(60, 3))
)


@pytest.mark.parametrize("miller", [(8, 7, 5), (7, 5, 3), (0, 8, 7)])
def test_a_cut_that_must_be_too_large_is_refused_at_once_with_what_to_change(miller):
    began = time.process_time()
    with pytest.raises(InvalidInput, match="take lower Miller indices") as refused:
        check_cut(submitted(DISORDERED, miller, conventional=False), 400)
    assert time.process_time() - began < 1.0
    assert refused.value.field == "input.miller"


def test_a_large_supercell_is_bounded_in_time_too():
    crystal = bulk("Pt", cubic=True).repeat((5, 5, 4))
    crystal.numbers[0] = 79
    began = time.process_time()
    with pytest.raises(InvalidInput, match="at most 400"):
        check_cut(submitted(crystal, (8, 7, 5), conventional=False), 400)
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("miller", [(8, 7, 5), (7, 5, 3), (3, 2, 1), (2, 1, 1), (1, 1, 1)])
def test_no_cut_is_refused_that_would_fit(miller):
    submission = submitted(bulk("Pt", cubic=True), miller, conventional=False)
    slab, _ = cut_with_notes(submission)
    check_cut(submission, len(slab))
    with pytest.raises(InvalidInput):
        check_cut(submission, len(slab) // 4)
