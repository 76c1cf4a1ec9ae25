"""The same surface written down in other ways gets the same placements: sites, contacts and energies (by EMT), in the cell given.

300 random ways: faces of fcc, bcc and hcp, alloys and vacancies, skewed supercells; other lattice vectors for the same lattice, a
third one that leans or points the other way, any direction for the normal, atoms in any order and any image, slabs cut in two by the
cell's face, shifted, with their surface marked or not.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bcc110, bulk, fcc100, fcc110, fcc111, fcc211, hcp0001, make_supercell, molecule
from ase.calculators.emt import EMT
from ase.neighborlist import primitive_neighbor_list
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from services.systems.canonical import canonical
from services.systems.find import find_placements
from services.systems.placement import Placed
from services.systems.surfaces import cut, marked
from shared.adsorbates import lookup
from shared.errors import InvalidInput
from shared.parameters import JobParameters
from shared.slabs import gathered
from shared.structures import Floats, Structure
from shared.submissions import AdslabSubmission, BulkSubmission, SlabSubmission

PARAMETERS = JobParameters.model_validate({"seed": 5, "placement": {"count": 3}})
FACES = ["fcc111", "fcc100", "fcc110", "fcc211", "bcc110", "hcp0001", "skewed", "alloy", "vacancy"]
ADSORBATES = ["*CO", "*OH", "*CH3", "*CHO"]
RANDOM = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],  # the failing one is told as it was found; to make it smaller would take minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def face(name: str) -> Atoms:
    """A slab that EMT can compute, without marks."""
    options: dict[str, Any] = {"vacuum": 7.0, "periodic": True}
    atoms = {
        "fcc111": lambda: fcc111("Cu", (2, 2, 3), **options),
        "fcc100": lambda: fcc100("Pt", (2, 2, 3), **options),
        "fcc110": lambda: fcc110("Pd", (2, 2, 4), **options),
        "fcc211": lambda: fcc211("Cu", (3, 2, 3), vacuum=7.0),
        "bcc110": lambda: bcc110("Ni", (2, 2, 3), a=2.85, **options),
        "hcp0001": lambda: hcp0001("Ni", (2, 2, 3), a=2.49, c=4.07, **options),
        "skewed": lambda: make_supercell(fcc111("Ag", (1, 1, 3), **options), [[2, 1, 0], [-1, 2, 0], [0, 0, 1]]),
        "alloy": lambda: fcc111("Cu", (2, 3, 3), **options),
        "vacancy": lambda: fcc100("Al", (2, 3, 3), **options),
    }[name]()
    if name == "alloy":
        atoms.symbols[[1, 7, 12, 16]] = "Au"
    if name == "vacancy":
        del atoms[len(atoms) - 1]
    atoms.set_tags(0)
    atoms.set_constraint()
    atoms.pbc = True
    return atoms


@lru_cache
def reference_slab(name: str) -> Structure:
    return marked(face(name))


@lru_cache
def reference_adslab(name: str, adsorbate: str) -> Structure:
    """The adsorbate stands askew at a place of no symmetry."""
    slab = reference_slab(name)
    atoms = {"CO": molecule("CO"), "CH3OH": molecule("CH3OH")}[adsorbate]
    atoms.rotate(70, "x")
    atoms.rotate(25, "z")
    place = 0.3 * slab.cell[0] + 0.2 * slab.cell[1]
    positions = atoms.positions - atoms.positions.mean(axis=0) + place
    positions[:, 2] += slab.heights.max() + 1.9 - positions[:, 2].min()
    mine = np.ones(len(atoms), dtype=bool)
    return Structure(
        numbers=np.append(slab.numbers, atoms.numbers),
        positions=np.concatenate([slab.positions, positions]),
        cell=slab.cell,
        pbc=slab.pbc,
        adsorbate=np.append(slab.adsorbate, mine),
        surface=np.append(slab.surface, ~mine),
        fixed=np.append(slab.fixed, ~mine),
    )


@st.composite
def writings(draw: st.DrawFn) -> dict[str, Any]:
    """A way to write a structure down."""
    small = st.integers(-2, 2)
    return {
        "steps": draw(st.lists(st.tuples(st.booleans(), small), max_size=3)),
        "swapped": draw(st.booleans()),
        "flips": draw(st.tuples(st.booleans(), st.booleans())),
        "lean": draw(st.tuples(*[st.floats(-0.8, 0.8)] * 2)),
        "down": draw(st.booleans()),
        "turned": draw(st.booleans()),
        "marks": draw(st.booleans()),
        "open": draw(st.booleans()),
        "seed": draw(st.integers(0, 2**20)),
    }


def written(structure: Structure, way: dict[str, Any]) -> Structure:
    """The structure in this way."""
    rng = np.random.default_rng(way["seed"])
    cell = structure.cell.copy()
    for first, times in way["steps"]:
        cell[int(first)] += times * cell[1 - int(first)]
    if way["swapped"]:
        cell[[0, 1]] = cell[[1, 0]]
    for vector, flip in enumerate(way["flips"]):
        cell[vector] *= -1 if flip else 1
    cell[2] += np.array(way["lean"]) @ cell[:2]
    # without marks, a third vector that points the other way would be another surface
    marks = way["marks"] or way["down"]
    cell[2] *= -1 if way["down"] else 1
    positions = structure.positions + rng.uniform(-9, 9, 3)
    images = rng.integers(-2, 3, (len(structure), 3))
    if way["open"]:
        images[:, 2] = 0
    positions = positions + images @ cell
    if way["turned"]:
        rotation = Rotation.random(rng=rng).as_matrix()
        positions, cell = positions @ rotation, cell @ rotation
    order = rng.permutation(len(structure))
    there = Structure(
        numbers=structure.numbers,
        positions=positions,
        cell=cell,
        pbc=[True, True, not way["open"]],
        adsorbate=structure.adsorbate,
        surface=structure.surface & marks,
        fixed=structure.fixed & marks,
    )
    return there.only(order)


def energy(structure: Structure) -> float:
    atoms = structure.to_atoms()
    atoms.set_constraint()
    atoms.calc = EMT()
    return float(atoms.get_potential_energy())


def contacts(structure: Structure) -> Floats:
    """Distances of adsorbate and slab atoms below 4 Å, every image counted, sorted, Å."""
    i, j, d = primitive_neighbor_list("ijd", structure.pbc, structure.cell, structure.positions, 4.0)
    return np.sort(d[structure.adsorbate[i] & structure.slab[j]])


def told(placed: list[Placed]) -> list[tuple[str, Floats, float]]:
    return [(one.site, contacts(one.structure), energy(one.structure)) for one in placed]


def assert_same(placed: list[Placed], expected: list[tuple[str, Floats, float]], there: Structure) -> None:
    found = told(placed)
    assert [site for site, _, _ in found] == [site for site, _, _ in expected]
    for (_, near, total), (_, near_expected, total_expected) in zip(found, expected, strict=True):
        assert near == pytest.approx(near_expected, abs=1e-6)
        assert total == pytest.approx(total_expected, abs=1e-6)
    for one in placed:
        assert np.array_equal(one.structure.cell, there.cell)
        assert np.array_equal(one.structure.pbc, there.pbc)


@lru_cache
def expected_of_slab(name: str, adsorbate: str) -> list[tuple[str, Floats, float]]:
    submission = SlabSubmission(slab=reference_slab(name).to_document(), adsorbate=lookup(adsorbate))
    return told(find_placements(submission, PARAMETERS)[1])


@lru_cache
def expected_of_adslab(name: str, adsorbate: str) -> list[tuple[str, Floats, float]]:
    submission = AdslabSubmission(structure=reference_adslab(name, adsorbate).to_document())
    return told(find_placements(submission, PARAMETERS)[1])


@settings(RANDOM, max_examples=210)
@given(name=st.sampled_from(FACES), adsorbate=st.sampled_from(ADSORBATES), way=writings())
def test_a_slab_gets_the_placements_of_its_canonical_form(name, adsorbate, way):
    there = written(reference_slab(name), way)
    submission = SlabSubmission(slab=there.to_document(), adsorbate=lookup(adsorbate))
    system, placed = find_placements(submission, PARAMETERS)
    assert_same(placed, expected_of_slab(name, adsorbate), there)
    assert np.array_equal(system.slab.numbers, there.numbers)
    # nothing but whole third vectors was added
    moved = np.linalg.solve(there.cell.T, (system.slab.positions - there.positions).T).T
    assert moved == pytest.approx(np.column_stack([np.zeros((len(there), 2)), np.rint(moved[:, 2])]), abs=1e-9)


@settings(RANDOM, max_examples=70)
@given(name=st.sampled_from(FACES), adsorbate=st.sampled_from(["CO", "CH3OH"]), way=writings())
def test_an_adslab_gets_its_own_geometry_and_the_placements_of_its_canonical_form(name, adsorbate, way):
    there = written(reference_adslab(name, adsorbate), way)
    submission = AdslabSubmission(structure=there.to_document())
    _, placed = find_placements(submission, PARAMETERS)
    assert_same(placed, expected_of_adslab(name, adsorbate), there)
    assert np.array_equal(placed[0].structure.numbers, there.numbers[list(submission.order)])


# of these every plane along the indices below is like every other, so that there is one termination
CRYSTALS = {
    "Cu": bulk("Cu", cubic=True),
    "CuAu": Atoms(
        "Cu2Au2",
        scaled_positions=[(0, 0, 0), (0.5, 0.5, 0), (0, 0.5, 0.5), (0.5, 0, 0.5)],
        cell=[3.96, 3.96, 3.67],
        pbc=True,
    ),
}
INDICES = [(1, 1, 1), (1, 0, 1), (0, 1, 2)]


def submitted(crystal: Atoms, miller: tuple[int, ...]) -> BulkSubmission:
    return BulkSubmission.model_validate(
        {
            "numbers": crystal.numbers.tolist(),
            "positions": crystal.positions.tolist(),
            "cell": crystal.cell.tolist(),
            "miller": miller,
            "conventional": False,
            "min_width": 5.0,
            "adsorbate": lookup("*CO"),
        }
    )


@lru_cache
def expected_cut(name: str, miller: tuple[int, int, int]) -> Structure:
    return cut(submitted(CRYSTALS[name], miller))


def planes(slab: Structure) -> list[str]:
    """Height, element and atoms per area of the planes of the upper half, the lowest first."""
    area = np.linalg.norm(np.cross(slab.cell[0], slab.cell[1]))
    found = np.column_stack([np.round(slab.heights - slab.heights.max(), 3) + 0.0, slab.numbers])
    rows, counts = np.unique(found[found[:, 0] > -4.0], axis=0, return_counts=True)
    return [f"{height:.2f} {number:.0f} {n / area:.5f}" for (height, number), n in zip(rows, counts, strict=True)]


@settings(RANDOM, max_examples=20)
@given(
    name=st.sampled_from(sorted(CRYSTALS)),
    miller=st.sampled_from(INDICES),
    steps=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2), st.integers(-1, 1)), max_size=2),
    seed=st.integers(0, 2**20),
)
def test_a_crystal_in_other_lattice_vectors_has_the_same_face_at_the_index_in_these(name, miller, steps, seed):
    rng = np.random.default_rng(seed)
    crystal, index = CRYSTALS[name].copy(), np.array(miller)
    cell = crystal.cell.array.copy()
    for vector, other, times in steps:
        cell[vector] += times * cell[(vector + other) % 3]
        index[vector] += times * index[(vector + other) % 3]  # an index goes with its vector
    swap = rng.permutation(3)
    cell, index = cell[swap], index[swap]
    positions = crystal.positions + rng.integers(-2, 3, (len(crystal), 3)) @ cell
    rotation = Rotation.random(rng=rng).as_matrix()
    order = rng.permutation(len(crystal))
    there = Atoms(crystal.numbers[order], (positions @ rotation)[order], cell=cell @ rotation, pbc=True)
    try:
        slab = cut(submitted(there, tuple(int(number) for number in index)))
    except InvalidInput:
        return
    assert planes(slab) == planes(expected_cut(name, miller))


def test_the_canonical_form_is_the_same_to_the_last_bit():
    for name in FACES:
        slab = reference_slab(name)
        form = canonical(slab)
        for seed in range(5):
            way = {
                "steps": [(True, 1), (False, -2)],
                "swapped": seed % 2 == 0,
                "flips": (seed > 2, False),
                "lean": (0.3, -0.2),
                "down": seed == 3,
                "turned": True,
                "marks": True,
                "open": False,
                "seed": seed,
            }
            there = gathered(written(slab, way))
            assert canonical(there).slab.digest == form.slab.digest
        back = form.back(form.slab.positions, form.slab.positions[0])
        apart = np.linalg.solve(slab.cell.T, (back[:, None] - slab.positions[None]).reshape(-1, 3).T).T
        on_one = np.abs(apart - np.rint(apart)).max(axis=1).reshape(len(slab), len(slab)).min(axis=1)
        assert on_one == pytest.approx(0.0, abs=1e-9)


def test_an_atom_4000_angstrom_away_is_placed_upon_like_any_other():
    slab = reference_slab("fcc111")
    positions = slab.positions.copy()
    positions[3] += 784 * slab.cell[0] - 300 * slab.cell[1] + 60 * slab.cell[2]
    far = SlabSubmission(slab=slab.moved(positions).to_document(), adsorbate=lookup("*CO"))
    assert np.linalg.norm(positions[3] - slab.positions[3]) > 4000 * 0.8
    _, placed = find_placements(far, PARAMETERS)
    found = [(one.site, one.structure.positions[-2:]) for one in placed]
    near = SlabSubmission(slab=slab.to_document(), adsorbate=lookup("*CO"))
    for (site, positions), one in zip(found, find_placements(near, PARAMETERS)[1], strict=True):
        assert site == one.site
        apart = np.linalg.solve(slab.cell.T, (positions - one.structure.positions[-2:]).T).T
        assert np.ptp(apart, axis=0) == pytest.approx(0.0, abs=1e-7)
