"""What is learned from and what is searched are kept apart, and alloys are the same in every process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.challenge.systems import TESTED_ALLOYS, by_kind, in_turn, labelled
from benchmarks.systems import Case, build, starts
from shared.adsorbates import lookup
from shared.parameters import PlacementMode

ROOT = Path(__file__).parents[2]


def test_nothing_that_is_searched_was_labelled():
    known = {(case.surface, case.adsorbate) for case in labelled()}
    searched = {(case.surface, case.adsorbate) for case in in_turn()}
    assert len(searched) == len(in_turn()) >= 30
    assert not searched & known
    assert not {(case.metal, case.guest) for case in labelled()} & set(TESTED_ALLOYS)


def test_each_kind_is_what_it_says():
    known = labelled()
    surfaces, molecules = {case.surface for case in known}, {case.adsorbate for case in known}
    kinds = by_kind()
    for case in kinds["known surface and molecule"]:
        assert case.surface in surfaces
        assert case.adsorbate in molecules
    for case in kinds["alloy never seen"]:
        assert (case.metal, case.guest) in TESTED_ALLOYS
        assert case.adsorbate in molecules
    for case in kinds["molecule never seen"]:
        assert case.surface in surfaces
        assert case.adsorbate not in molecules


def test_many_molecules_are_large_and_all_cells_are():
    assert sum(len(lookup(case.adsorbate).numbers) >= 3 for case in in_turn()) >= 20
    assert all(case.size is None for case in in_turn())


def test_the_first_systems_are_of_every_kind():
    first = in_turn()[:3]
    assert [sum(case in cases for case in first) for cases in by_kind().values()] == [1, 1, 1]


def test_labelled_systems_are_a_function_of_the_seed():
    assert labelled(0) == labelled(0)
    assert labelled(0) != labelled(1)


@pytest.mark.parametrize(("face", "layer"), [("111", 9), ("100", 9), ("211", 9), ("110", 6)])
def test_a_third_of_each_layer_is_the_guests(face, layer):
    slab = build(Case("Cu", face, "*CO", guest="Pd")).slab
    heights = slab.positions @ slab.normal
    order = np.argsort(heights, kind="stable").reshape(-1, layer if face != "211" else len(slab.numbers))
    for atoms in order:
        assert (slab.numbers[atoms] == 46).sum() == len(atoms) // 3


def test_an_alloy_is_the_same_in_every_process():
    case = Case("Cu", "111", "*CO", guest="Pd")
    told = "from benchmarks.systems import *; print(build(Case('Cu', '111', '*CO', guest='Pd')).slab.digest)"
    other = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True, cwd=ROOT)
    assert other.stdout.strip() == build(case).slab.digest
    assert build(case).slab.digest != build(Case("Cu", "111", "*CO", guest="Ag")).slab.digest
    assert str(case) == "*CO on CuPd(111)"


def test_lattice_constants_are_mixed():
    slab = build(Case("Cu", "111", "*CO", guest="Pd")).slab
    constant = np.linalg.norm(slab.cell[0]) / 3 * np.sqrt(2)
    assert constant == pytest.approx((2 * 3.61 + 3.89) / 3, abs=1e-6)


def test_placements_may_be_turned_any_way():
    system = build(Case("Cu", "111", "*CO"))
    tilts = []
    for mode in (PlacementMode.RANDOM_SITE, PlacementMode.RANDOM):
        ends = [one.positions[one.adsorbate] for one in starts(system, 20, 0, mode)]
        axes = [(oxygen - carbon) / np.linalg.norm(oxygen - carbon) for carbon, oxygen in ends]
        tilts.append(min(float(axis @ system.slab.normal) for axis in axes))
    assert tilts[0] > np.cos(np.pi / 9) - 1e-6
    assert tilts[1] < 0
