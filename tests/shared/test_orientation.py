"""How molecules stand: level, upright, as OC20 has them, and both ways where they can."""

from __future__ import annotations

import importlib.util
from importlib.resources import files
from itertools import pairwise
from types import ModuleType

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from scipy.spatial.distance import cdist, pdist
from scipy.spatial.transform import Rotation

from shared.adsorbates import lookup, names
from shared.orientation import stances
from shared.submissions import Adsorbate

BOTH_WAYS = {"*C*C", "*CH*CH", "*CH2*CH2", "*N2", "*NHNH", "*NH2NH2", "*OCHO", "*NO", "*CN"}
"""Of OC20's: two equivalent ends, or lying down on one atom."""
BINDING_ATOM_ON_TOP = {
    "*OCHO": "OC20 stores the oxygen that binds as the highest atom",
    "*ONNO2": "OC20 stores the molecule lying, an oxygen of its nitro group below the one that binds",
}


def adsorbate(atoms: Atoms, *binding: int) -> Adsorbate:
    return Adsorbate(
        name=str(atoms.get_chemical_formula()),
        numbers=tuple(atoms.numbers.tolist()),
        positions=tuple(map(tuple, atoms.positions.tolist())),
        binding=binding,
    )


def turned(atoms: Atoms, seed: int) -> Atoms:
    atoms = atoms.copy()
    atoms.positions = Rotation.random(rng=np.random.default_rng(seed)).apply(atoms.positions) + seed
    return atoms


@pytest.fixture(scope="module")
def package() -> ModuleType:
    """The package's own module; the package that it is in would import torch."""
    path = files("fairchem.data.oc").joinpath("core", "adsorbate.py")
    spec = importlib.util.spec_from_file_location("adsorbate_of_the_package", str(path))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def agree(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Whether two sets of positions differ by a turn about z and a shift."""
    a, b = ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)
    flat_a, flat_b = a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]
    overlap = flat_a.conj() @ flat_b
    turn = overlap / abs(overlap) if abs(overlap) > 1e-9 else 1.0
    return bool(np.abs(flat_a * turn - flat_b).max() < 1e-6 and np.abs(a[:, 2] - b[:, 2]).max() < 1e-6)


@pytest.mark.parametrize("name", names())
def test_oc20s_adsorbates_stand_as_the_package_has_them(name: str, package: ModuleType, monkeypatch) -> None:
    """Its heuristic orientation, the wobble taken back: a turn about the normal is what is left."""
    draws = np.random.RandomState(4)
    monkeypatch.setattr(package.np.random, "uniform", draws.uniform)
    theirs = package.Adsorbate(adsorbate_smiles_from_db=name)
    atoms = theirs.atoms
    if len(atoms) > 1:
        atoms, (_, tilted) = package.randomly_rotate_adsorbate(atoms, "heuristic", int(theirs.binding_indices[0]))
        atoms.rotate(tilted, (0, 0, 1))
    ways = stances(lookup(name)).ways
    assert len(ways) == (2 if name in BOTH_WAYS else 1)
    assert sum(agree(way, atoms.positions) for way in ways) == 1


@pytest.mark.parametrize("name", names())
def test_oc20s_binding_atoms_are_at_the_bottom(name: str) -> None:
    known = lookup(name)
    heavy = np.setdiff1d(np.flatnonzero(np.array(known.numbers) > 1), known.binding)
    lowest = [
        min((way[heavy, 2] - way[list(known.binding), 2].min()).tolist(), default=0.0) for way in stances(known).ways
    ]
    assert (min(lowest) < -0.25) == (name in BINDING_ATOM_ON_TOP)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("formula", "binding"),
    [
        ("C2H4", (0, 1)),
        ("O2", (0, 1)),
        ("C2H2", (0, 1)),
        ("H2CO", (0, 1)),
        ("HCOOH", (0, 2)),
        ("C6H6", (0, 1, 2, 3, 4, 5)),
        ("C6H6", (0, 3)),
        ("CO2", (0, 1, 2)),
        ("butadiene", (0, 1, 2, 3)),
        ("C4H4NH", (0, 1, 2, 3, 4)),
    ],
)
def test_several_binding_atoms_end_level_with_the_rest_no_lower_than_it_must_be(formula, binding, seed) -> None:
    atoms = turned(molecule(formula), seed)
    heights = stances(adsorbate(atoms, *binding)).ways[0][:, 2]
    assert np.ptp(heights[list(binding)]) < 1e-3
    # all of these are flat, or can be laid so that nothing is below
    assert heights.min() > heights[list(binding)].min() - 1e-3


def test_the_rest_of_a_molecule_on_two_feet_is_above_them() -> None:
    glycol = Atoms(
        "OCCOH6", [[0, 0, 0], [0.9, 0, 1.1], [2.4, 0, 1.1], [3.3, 0, 0], *[[i / 2, 0.9, 1.8] for i in range(6)]]
    )
    for seed in range(4):
        way = stances(adsorbate(turned(glycol, seed), 0, 3)).ways[0]
        assert way[[0, 3], 2] == pytest.approx([0, 0], abs=1e-9)
        assert way[[1, 2], 2].min() > 1.0


def test_what_is_placed_is_the_molecule_and_not_its_mirror_image() -> None:
    chiral = Atoms("CHFClBr", [[0, 0, 0], [0.6, 0.6, 0.6], [-0.8, -0.8, 0.8], [-1.0, 1.0, -1.0], [1.1, -1.1, -1.1]])
    for binding in [(0,), (1,), (0, 1), (1, 2, 3)]:
        way = stances(adsorbate(chiral, *binding)).ways[0]
        assert cdist(way, way) == pytest.approx(cdist(chiral.positions, chiral.positions))
        given, found = (np.linalg.det(one[1:4] - one[0]) for one in (chiral.positions, way))
        assert found == pytest.approx(given)


@pytest.mark.parametrize(("formula", "binding"), [("CH4", 0), ("CO2", 0), ("BF3", 0), ("SiF4", 0)])
def test_a_molecule_bound_by_its_centre_has_the_rest_as_high_as_it_goes(formula: str, binding: int) -> None:
    expected = {"CH4": -0.363, "CO2": 0.0, "BF3": 0.0, "SiF4": -0.52}[formula]
    for seed in range(3):
        ways = stances(adsorbate(turned(molecule(formula), seed), binding)).ways
        assert ways[-1][:, 2].min() == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    ("formula", "binding", "ends"),
    [
        ("O2", 0, (0, 1)),
        ("N2", 1, (0, 1)),
        ("H2", 0, (0, 1)),
        ("C2H4", 0, (0, 1)),
        ("C2H2", 1, (0, 1)),
        ("CO2", 0, (1, 2)),
        ("CO2", 2, (1, 2)),
        ("NO2", 1, (1, 2)),
        ("SO2", 2, (1, 2)),
    ],
)
def test_molecules_with_two_ends_stand_and_lie(formula: str, binding: int, ends: tuple[int, int]) -> None:
    atoms = turned(molecule(formula), 5)
    both = stances(adsorbate(atoms, binding))
    length = atoms.get_distance(*ends)
    upright, flat = [np.ptp(way[list(ends), 2]) for way in both.ways]
    assert flat == pytest.approx(0, abs=1e-6)
    assert upright > 0.7 * length
    assert all(pdist(way) == pytest.approx(pdist(atoms.positions)) for way in both.ways)
    # tops end-on, other sites flat, and the other way round when they come again
    assert both.at("top Pt", 0) is both.ways[0] is both.at("bridge Pt-Pt", 1) is both.at("hcp hollow Pt3", 3)
    assert both.at("top Pt", 1) is both.ways[1] is both.at("fourfold hollow Pt4", 0)
    assert [both.at("random", turn) is both.ways[1] for turn in range(4)] == [True, False, True, False]


def test_where_both_ends_are_named_every_site_has_the_molecule_lying_first() -> None:
    both = stances(adsorbate(molecule("C2H4"), 0, 1))
    flat, upright = both.ways
    assert np.ptp(flat[[0, 1], 2]) < 1e-9
    assert np.ptp(upright[[0, 1], 2]) == pytest.approx(1.3, abs=0.05)
    assert all(both.at(site, 0) is flat and both.at(site, 1) is upright for site in ("top Pt", "bridge Pt-Pt"))


@pytest.mark.parametrize(
    ("formula", "binding"),
    [
        ("CO", 0),
        ("NO", 0),
        ("N2O", 0),
        ("H2O", 0),
        ("NH3", 0),
        ("CH3OH", 1),
        ("C6H6", 0),
        ("OCHCHO", 0),
        ("OCS", 0),
        ("CH4", 1),
    ],
)
def test_others_stand_one_way(formula: str, binding: int) -> None:
    (way,) = stances(adsorbate(turned(molecule(formula), 2), binding)).ways
    assert way[binding] == pytest.approx([0, 0, 0], abs=1e-9)
    assert way.mean(axis=0)[:2] == pytest.approx([0, 0], abs=1e-6)
    assert way.mean(axis=0)[2] > 0


def test_only_the_table_says_that_a_molecule_is_oriented() -> None:
    """Nitric oxide lies in OC20's table; one of the same name and atoms that a user gives stands."""
    known = lookup("*NO")
    own = adsorbate(Atoms(known.numbers, known.positions), 0).model_copy(update={"name": known.name})
    assert known.oriented
    assert not own.oriented
    assert [float(np.ptp(way[:, 2]).round(6)) for way in stances(own).ways] == [1.06]
    assert np.ptp(stances(known).ways[0][:, 2]) < 1e-6


def test_the_same_molecule_turned_and_moved_stands_the_same() -> None:
    for formula, binding in [("C2H4", (0, 1)), ("O2", (0,)), ("CH3OH", (1,)), ("HCOOH", (0, 2))]:
        found = [
            [way[:, 2] for way in stances(adsorbate(turned(molecule(formula), seed), *binding)).ways]
            for seed in range(5)
        ]
        for one, other in pairwise(found):
            assert np.abs(np.array(one) - np.array(other)).max() < 1e-3
