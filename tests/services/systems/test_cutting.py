"""Slabs against pymatgen's SlabGenerator, called as OC20 calls it: the same terminations, the same numbers, the same surfaces; and
the cost of a cut, known before it is made."""

import re
import time
import warnings

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.neighborlist import neighbor_list
from ase.spacegroup import crystal as of_group
from pymatgen.core.surface import SlabGenerator
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from services.systems.canonical import canonical
from services.systems.surfaces import cut, cut_with_notes, marked
from shared.errors import InvalidInput
from shared.planes import coprime, plane, primitive
from shared.structures import Structure
from tests.services.systems.test_surfaces import CRYSTALS, PEROVSKITE, submitted

RUTILE = of_group(["Ti", "O"], [(0, 0, 0), (0.305, 0.305, 0)], spacegroup=136, cellpar=[4.59, 4.59, 2.96, 90, 90, 90])
ALLOY = Atoms(
    "NiPt3", scaled_positions=[(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)], cell=[3.85] * 3, pbc=True
)
PEERS = {
    "Pt": (CRYSTALS["Pt"], True),
    "Pt primitive": (CRYSTALS["Pt"], False),
    "Ru": (CRYSTALS["Ru"], False),
    "ZnS": (CRYSTALS["ZnS"], True),
    "perovskite": (PEROVSKITE, False),
    "rutile": (RUTILE, False),
    "alloy": (ALLOY, False),
}
FACES = [(1, 1, 1), (1, 0, 0), (1, -1, 0), (0, 1, -2), (-1, -1, -1)]
DEEP, WIDE, EMPTY = 7.0, 0.5, 15.0


def by_pymatgen(crystal: Atoms, miller: tuple[int, int, int], conventional: bool) -> list[Atoms]:
    """Every termination, its face along +[h k l] up, in the smallest cell."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = AseAtomsAdaptor.get_structure(crystal)
        cell = SpacegroupAnalyzer(given).get_conventional_standard_structure() if conventional else given
        generator = SlabGenerator(
            cell, miller, DEEP, EMPTY, lll_reduce=False, center_slab=False, primitive=True, max_normal_search=1,
            reorient_lattice=False,
        )  # fmt: skip
        slabs = sorted(generator.get_slabs(tol=0.02), key=lambda slab: slab.shift)
        up = cell.lattice.reciprocal_lattice.get_cartesian_coords(miller)
    return [upright(AseAtomsAdaptor.get_atoms(slab, msonable=False), up) for slab in slabs]


def upright(atoms: Atoms, up: np.ndarray) -> Atoms:
    plain = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)
    normal, first = up / np.linalg.norm(up), plain.cell[0] / np.linalg.norm(plain.cell[0])
    axes = np.array([first, np.cross(normal, first), normal])
    turned = plain.cell.array @ axes.T
    second = turned[1] if turned[1, 1] > 0 else -turned[1]
    found = Atoms(
        plain.numbers, positions=plain.positions @ axes.T, cell=[turned[0], second, [0, 0, abs(turned[2, 2])]], pbc=True
    )
    levels = found.get_scaled_positions(wrap=True)[:, 2]
    gaps = np.diff(np.append(np.sort(levels), np.sort(levels)[0] + 1))
    bottom = np.sort(levels)[(int(gaps.argmax()) + 1) % len(levels)]
    fractions = found.get_scaled_positions(wrap=True)
    fractions[:, 2] = (levels - bottom + 1e-6) % 1.0
    found.set_scaled_positions(fractions)
    return found


def assert_same_surface(mine: Structure, peer: Structure) -> None:
    one, other = canonical(mine).slab, canonical(peer).slab
    assert one.numbers.tolist() == other.numbers.tolist()
    assert one.cell == pytest.approx(other.cell, abs=1e-6)
    assert one.positions == pytest.approx(other.positions, abs=1e-6)
    assert (one.surface == other.surface).all()
    assert (one.fixed == other.fixed).all()


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("miller", FACES)
def test_every_termination_is_the_one_that_pymatgen_cuts(name, miller):
    crystal, conventional = PEERS[name]
    peers = by_pymatgen(crystal, miller, conventional)
    sizes = {"min_depth": DEEP, "min_width": WIDE, "vacuum": EMPTY, "conventional": conventional}
    for number, peer in enumerate(peers):
        slab, notes = cut_with_notes(submitted(crystal, miller, termination=number, **sizes))
        assert f"termination {number} of {len(peers)}" in notes[0]
        assert_same_surface(slab, marked(peer))
    with pytest.raises(InvalidInput, match=f"has {len(peers)} along"):
        cut(submitted(crystal, miller, termination=len(peers), **sizes))


@pytest.mark.parametrize(("crystal", "miller"), [(CRYSTALS["Pt"], (1, 1, 1)), (ALLOY, (1, 1, 0)), (ALLOY, (2, 1, 0))])
def test_energies_are_those_of_the_slab_that_pymatgen_cuts(crystal, miller):
    slab = cut(submitted(crystal, miller, min_width=6.0, vacuum=EMPTY, conventional=False)).to_atoms()
    peer = by_pymatgen(crystal, miller, conventional=False)[0]
    energies = []
    for atoms in (slab, peer):
        atoms.calc = EMT()
        energies.append(atoms.get_potential_energy() / np.linalg.norm(np.cross(*atoms.cell[:2])))
    assert energies[0] == pytest.approx(energies[1], abs=1e-6)


@pytest.mark.parametrize("miller", [(2, 1, 1), (3, 2, 1), (5, 3, 1), (7, 5, 3), (8, 7, 5), (-8, 3, 0)])
def test_high_indices_have_the_planes_that_the_lattice_dictates(miller):
    slab = cut(submitted(bulk("Pt", cubic=True), miller, conventional=False, min_width=0.5))
    spacing = 3.92 / np.linalg.norm(miller) / (1 if all(number % 2 for number in miller) else 2)
    planes = np.unique(np.round(slab.heights, 4))
    assert np.diff(planes) == pytest.approx(spacing, abs=2e-4)
    area = np.linalg.norm(np.cross(*slab.cell[:2]))
    assert area == pytest.approx(3.92**3 / 4 / spacing, rel=1e-6)  # one atom a plane
    assert len(slab) == len(planes)


def test_the_repeated_cell_keeps_images_as_far_apart_as_asked():
    # pymatgen's own cell of this face leans, so that repeats of it leave images at 5.7 Å
    slab = cut(submitted(CRYSTALS["Fe"], (1, 1, 0), min_width=8.0))
    steps = [i * slab.cell[0] + j * slab.cell[1] for i in range(-3, 4) for j in range(-3, 4) if (i, j) != (0, 0)]
    assert np.linalg.norm(steps, axis=1).min() >= 8.0


@pytest.mark.parametrize("turned", [np.eye(3), -np.eye(3)])
def test_a_crystals_own_lattice_is_found_in_any_supercell(turned):
    rng = np.random.default_rng(5)
    for name in ("Pt", "ZnS", "Ru"):
        crystal = CRYSTALS[name]
        for repeats in ((1, 1, 1), (2, 1, 3), (2, 2, 2)):
            big = crystal.repeat(repeats)
            big = big[rng.permutation(len(big))]
            basis = primitive(
                big.cell.array @ turned, big.get_scaled_positions() @ np.linalg.inv(turned), big.numbers, 0.02
            )
            assert abs(np.linalg.det(basis)) == pytest.approx(1 / np.prod(repeats))
    # one atom of another kind, or out of its place, and nothing repeats
    big = CRYSTALS["Pt"].repeat((2, 2, 1))
    big.numbers[0] = 79
    assert primitive(big.cell.array, big.get_scaled_positions(), big.numbers, 0.02) == pytest.approx(np.eye(3))
    moved = CRYSTALS["Pt"].repeat((2, 1, 1))
    moved.positions[0] += 0.1
    assert primitive(moved.cell.array, moved.get_scaled_positions(), moved.numbers, 0.02) == pytest.approx(np.eye(3))


def test_planes_of_an_index_in_any_multiple_are_the_same():
    rng = np.random.default_rng(3)
    for _ in range(50):
        lattice = rng.normal(size=(3, 3)) * 3 + 4 * np.eye(3)
        index = rng.integers(-8, 9, size=3)
        if not index.any():
            continue
        face = plane(lattice, coprime(index / 2.0))
        assert face.vectors @ face.normal == pytest.approx(0.0, abs=1e-9)
        assert face.step @ face.normal == pytest.approx(face.spacing)
        cells = abs(np.linalg.det([*face.vectors, face.step])) / abs(np.linalg.det(lattice))
        assert cells == pytest.approx(1.0)
        assert 1 / face.spacing == pytest.approx(np.linalg.norm(np.linalg.inv(lattice) @ coprime(index)))


def test_a_slab_of_too_many_atoms_is_refused_before_it_is_built_with_what_would_fit():
    rng = np.random.default_rng(1)
    crystal = Atoms("Pt60", cell=[10.0, 10.5, 11.0], pbc=True, scaled_positions=rng.uniform(size=(60, 3)))
    began = time.process_time()
    with pytest.raises(InvalidInput) as refused:
        cut_with_notes(submitted(crystal, (8, 7, 5), conventional=False), max_atoms=400)
    assert time.process_time() - began < 1.0
    said = str(refused.value)
    n_atoms, most = re.search(r"would have (\d+) atoms, and at most (\d+)", said).groups()
    assert (int(n_atoms) > 400, most) == (True, "400")
    assert "take lower Miller indices" in said
    slab, _ = cut_with_notes(submitted(crystal, (1, 0, 0), conventional=False), max_atoms=400)
    assert len(slab) <= 400


def random_crystal(rng: np.random.Generator) -> Atoms:
    """Up to five atoms of three elements in a cell without symmetry, no two nearer than 0.8 Å, some written far away."""
    while True:
        count = int(rng.integers(1, 6))
        lattice = np.diag(rng.uniform(3, 6, 3)) + 0.8 * rng.normal(size=(3, 3))
        crystal = Atoms(
            numbers=rng.choice([8, 22, 78], count),
            scaled_positions=rng.uniform(-2, 3, (count, 3)),
            cell=lattice * rng.choice([-1, 1]),
            pbc=True,
        )
        if not len(neighbor_list("d", crystal, 0.8)):
            return crystal


@pytest.mark.parametrize("seed", range(20))
def test_random_crystals_along_random_indices_keep_every_atoms_neighbours(seed):
    rng = np.random.default_rng(seed)
    crystal, miller = random_crystal(rng), (0, 0, 0)
    while not any(miller):
        miller = tuple(rng.integers(-8, 9, 3).tolist())
    slab = cut(submitted(crystal, miller, conventional=False, min_depth=9.0, min_width=0.5))
    area = float(np.linalg.norm(np.cross(*slab.cell[:2])))
    assert len(slab) * crystal.get_volume() / len(crystal) / area >= 9.0 - 1e-6
    reach = 3.5
    first, lengths = neighbor_list("id", slab.to_atoms(), reach)
    expected_first, expected = neighbor_list("id", crystal, reach)
    shells = [(crystal.numbers[atom], np.sort(expected[expected_first == atom])) for atom in range(len(crystal))]
    for atom in np.flatnonzero((slab.heights > reach) & (slab.heights < slab.heights.max() - reach)):
        mine = np.sort(lengths[first == atom])
        assert any(
            number == slab.numbers[atom] and len(shell) == len(mine) and np.allclose(shell, mine, atol=1e-5)
            for number, shell in shells
        )
