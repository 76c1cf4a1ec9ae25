"""Which sites a surface has, by whatever cell, order and side it was given, and in which order they are used."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from ase import Atoms
from ase.build import (
    bcc100,
    bcc110,
    bcc111,
    bulk,
    fcc100,
    fcc110,
    fcc111,
    fcc211,
    hcp0001,
    make_supercell,
    surface,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.analysis.adsorption import AdsorbateSiteFinder
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure as Crystal
from pymatgen.core.surface import Slab

from services.systems.surface_sites import high_symmetry_sites
from services.systems.surfaces import marked
from shared.periodic import minimum_image
from shared.structures import Structure


def slab_of(atoms: Atoms) -> Structure:
    atoms = atoms.copy()
    atoms.pbc = True
    atoms.set_tags(0)
    return marked(atoms)


def alloy(seed: int = 1, size: tuple[int, int, int] = (3, 3, 3)) -> Atoms:
    """PtNi with its elements anywhere: nearly all sites are distinct."""
    atoms = fcc111("Pt", size, a=3.85, vacuum=8.0)
    atoms.numbers[np.random.default_rng(seed).permutation(len(atoms))[: len(atoms) // 3]] = 28
    return atoms


def names(atoms: Atoms) -> list[str]:
    return [name for name, _ in high_symmetry_sites(slab_of(atoms))]


def leaning(atoms: Atoms, by: tuple[float, float]) -> Atoms:
    atoms = atoms.copy()
    atoms.set_cell([atoms.cell[0], atoms.cell[1], atoms.cell[2] + by[0] * atoms.cell[0] + by[1] * atoms.cell[1]])
    return atoms


@pytest.mark.parametrize(
    ("atoms", "expected"),
    [
        (fcc111("Pt", (2, 2, 4), vacuum=8.0), ["top Pt", "bridge Pt-Pt", "fcc hollow Pt3", "hcp hollow Pt3"]),
        (fcc111("Pt", (1, 1, 4), vacuum=8.0), ["top Pt", "bridge Pt-Pt", "fcc hollow Pt3", "hcp hollow Pt3"]),
        (hcp0001("Ru", (2, 2, 4), vacuum=8.0), ["top Ru", "bridge Ru-Ru", "fcc hollow Ru3", "hcp hollow Ru3"]),
        (fcc100("Cu", (3, 3, 4), vacuum=8.0), ["top Cu", "bridge Cu-Cu", "fourfold hollow Cu4"]),
        (bcc100("Fe", (2, 2, 4), vacuum=8.0), ["top Fe", "bridge Fe-Fe", "fourfold hollow Fe4"]),
        (bcc100("Nb", (2, 2, 4), vacuum=8.0), ["top Nb", "bridge Nb-Nb", "fourfold hollow Nb4"]),
        (bcc110("Fe", (2, 2, 4), vacuum=8.0), ["top Fe", "bridge Fe-Fe", "hollow Fe3", "bridge Fe-Fe"]),
        (
            surface(bulk("MgO", "rocksalt", a=4.21, cubic=True), (1, 0, 0), 2, vacuum=8.0),
            ["top Mg", "bridge Mg-O", "fourfold hollow Mg2O2", "top O"],
        ),
    ],
)
def test_the_sites_that_textbooks_name(atoms: Atoms, expected: list[str]) -> None:
    assert names(atoms) == expected


@pytest.mark.parametrize(
    ("size", "orthogonal"),
    [
        ((2, 2, 4), False),
        ((3, 3, 3), False),
        ((3, 4, 4), False),
        ((5, 4, 3), False),
        ((2, 2, 4), True),
        ((3, 4, 4), True),
    ],
)
def test_four_placements_on_a_close_packed_face_try_top_bridge_and_both_hollows(size, orthogonal) -> None:
    found = names(fcc111("Cu", size, vacuum=8.0, orthogonal=orthogonal))
    assert sorted(found[:4]) == ["bridge Cu-Cu", "fcc hollow Cu3", "hcp hollow Cu3", "top Cu"]


@pytest.mark.parametrize("seed", range(4))
def test_on_an_alloy_kinds_take_turns(seed: int) -> None:
    found = names(alloy(seed))
    kinds = Counter("hollow" if "hollow" in name else name.split()[0] for name in found[:20])
    assert min(kinds[kind] for kind in ("top", "bridge", "hollow")) >= 4
    assert [name.split()[0] for name in found[:2]] == ["top", "bridge"]
    assert "hollow" in found[2]
    # every environment once before any comes again
    distinct = len(set(found))
    assert len(set(found[:distinct])) == distinct


def equivalent(slab: Structure) -> AdsorbateSiteFinder:
    """pymatgen's finder, in a cell whose third vector stands upright."""
    upright = np.array([slab.cell[0], slab.cell[1], slab.normal * 40.0])
    crystal = Crystal(Lattice(upright), slab.numbers.tolist(), slab.positions, coords_are_cartesian=True)
    return AdsorbateSiteFinder(
        Slab(
            crystal.lattice,
            crystal.species,
            crystal.frac_coords,
            miller_index=(0, 0, 1),
            oriented_unit_cell=crystal,
            shift=0.0,
            scale_factor=np.eye(3),
            reorient_lattice=False,
            site_properties={"surface_properties": ["surface" if is_ else "subsurface" for is_ in slab.surface]},
        )
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    "atoms",
    [
        fcc111("Pt", (2, 2, 4), vacuum=8.0),
        fcc110("Pt", (2, 2, 4), vacuum=8.0),
        fcc211("Pt", (3, 2, 5), vacuum=8.0),
        bcc110("Fe", (2, 2, 4), vacuum=8.0),
        bcc111("Fe", (2, 2, 6), vacuum=8.0),
        alloy(),
    ],
)
def test_sites_are_those_of_pymatgen(atoms: Atoms) -> None:
    """Of a square, as on (211), the middle is a hollow here and a diagonal's bridge there."""
    slab = slab_of(atoms)
    finder = equivalent(slab)
    theirs = finder.find_adsorption_sites(distance=0.0, put_inside=True)["all"]
    ours = [site for _, site in high_symmetry_sites(slab)]
    assert len(ours) == len(theirs)
    assert len(finder.symm_reduce([*theirs, *ours], threshold=1e-2)) == len(theirs)


def described(atoms: Atoms, sites: list[tuple[str, np.ndarray]]) -> list[tuple[str, tuple[float, ...]]]:
    """Each site by its name and the distances to the surface's atoms around it."""
    slab = slab_of(atoms)
    seen = []
    for name, site in sites:
        vectors = minimum_image(slab.positions - site, slab.cell, [True, True, False])
        lateral = vectors - np.outer(vectors @ slab.normal, slab.normal)
        near = np.sort(np.linalg.norm(lateral, axis=1) * (1 + slab.numbers / 1000))[:12]
        seen.append((name, tuple(near.round(3))))
    return seen


SURFACES = [
    fcc111("Cu", (2, 2, 3), vacuum=8.0),
    fcc100("Cu", (2, 2, 3), vacuum=8.0),
    fcc211("Pt", (3, 2, 3), vacuum=8.0),
    bcc110("Fe", (2, 2, 3), vacuum=8.0),
    alloy(size=(2, 3, 3)),
]


@settings(max_examples=60, deadline=None)
@given(
    which=st.integers(0, len(SURFACES) - 1),
    by=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    seed=st.integers(0, 10**6),
    over=st.booleans(),
    shear=st.integers(-2, 2),
)
def test_the_cell_the_order_and_the_images_change_nothing(which, by, seed, over, shear) -> None:
    atoms, rng = SURFACES[which], np.random.default_rng(seed)
    expected = described(atoms, high_symmetry_sites(slab_of(atoms)))
    other = leaning(atoms, by)
    other = make_supercell(other, [[1, 0, 0], [shear, 1, 0], [0, 0, 1]], wrap=False)
    other.positions += rng.integers(-2, 3, (len(other), 2)) @ other.cell[:2]
    if over:  # the surface looks down
        other.positions[:, [1, 2]] *= -1
        other.set_cell(other.cell.array * [1, -1, -1])
    other = other[rng.permutation(len(other))]
    found = described(other, high_symmetry_sites(slab_of(other)))
    assert Counter(found) == Counter(expected)
    assert [name for name, _ in found] == [name for name, _ in expected]


def test_the_order_of_the_atoms_moves_no_site() -> None:
    for atoms in SURFACES:
        sites = high_symmetry_sites(slab_of(atoms))
        shuffled = atoms[np.random.default_rng(0).permutation(len(atoms))]
        again = high_symmetry_sites(slab_of(shuffled))
        assert [name for name, _ in again] == [name for name, _ in sites]
        assert np.abs(np.array([a - b for (_, a), (_, b) in zip(sites, again, strict=True)])).max() < 1e-9


def test_a_slab_without_marks_has_no_sites() -> None:
    slab = slab_of(fcc111("Cu", (2, 2, 3), vacuum=8.0))
    assert high_symmetry_sites(slab.with_roles(surface=np.zeros(len(slab), dtype=bool))) == []
