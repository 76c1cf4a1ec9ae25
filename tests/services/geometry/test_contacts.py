"""Contacts against ASE's own minimum images and neighbour lists, skewed and small cells included."""

import numpy as np
import pytest
from ase.build import fcc111, molecule
from ase.data import covalent_radii
from ase.geometry import find_mic
from ase.neighborlist import neighbor_list
from hypothesis import given, settings
from hypothesis import strategies as st

from services.geometry import contacts
from shared import periodic

ORTHORHOMBIC = np.diag([5.0, 6.0, 20.0])
HEXAGONAL = np.array([[5.5, 0, 0], [2.75, 4.763, 0], [0, 0, 25.0]])
STRONGLY_SKEWED = np.array([[5.0, 0, 0], [13.7, 4.0, 0], [3.1, 6.3, 9.0]])
CELLS = [ORTHORHOMBIC, HEXAGONAL, STRONGLY_SKEWED]


@pytest.mark.parametrize("cell", CELLS)
def test_minimum_images_have_the_length_ase_finds(cell):
    vectors = np.random.default_rng(3).uniform(-30, 30, (40, 3))
    expected = find_mic(vectors, cell, pbc=True)[1]
    found = np.linalg.norm(periodic.minimum_image(vectors, cell, (True, True, True)), axis=1)
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("pbc", [(True, True, False), (False, True, False), (False, False, False)])
def test_open_directions_are_left_alone_even_where_their_vector_leans(cell, pbc):
    # Counted out over 41 x 41 x 41 images: ase.geometry.find_mic isn't right for a leaning vector without periodicity.
    vectors = np.random.default_rng(4).uniform(-8, 8, (5, 3))
    steps = np.stack(np.meshgrid(*[np.arange(-20, 21) if p else np.zeros(1) for p in pbc]), axis=-1).reshape(-1, 3)
    expected = np.linalg.norm(vectors[:, None] + steps @ cell, axis=2).min(axis=1)
    found = np.linalg.norm(periodic.minimum_image(vectors, cell, pbc), axis=1)
    assert found == pytest.approx(expected, abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(
    cell=st.lists(st.floats(-6, 6), min_size=9, max_size=9)
    .map(lambda flat: np.reshape(flat, (3, 3)))
    .filter(lambda cell: abs(np.linalg.det(cell)) > 5),
    vector=st.lists(st.floats(-40, 40), min_size=3, max_size=3).map(np.array),
)
def test_a_minimum_image_is_shorter_than_any_image_nearby(cell, vector):
    shortest = periodic.minimum_image(vector, cell, (True, True, True))
    steps = np.linalg.solve(cell.T, vector - shortest)
    assert steps == pytest.approx(np.round(steps), abs=1e-6)  # it is an image
    grid = np.stack(np.meshgrid(*[np.arange(-6, 7)] * 3), axis=-1).reshape(-1, 3)
    assert np.linalg.norm(shortest) <= np.linalg.norm(shortest + grid @ cell, axis=1).min() + 1e-9


def test_scaled_distance_of_carbon_monoxide_by_hand():
    positions = [[0.0, 0, 0], [0, 0, 1.15]]
    scaled = contacts.scaled_distances([6], positions[:1], [8], positions[1:], np.zeros((3, 3)), (False,) * 3)
    assert scaled.shape == (1, 1)
    assert scaled[0, 0] == pytest.approx(1.15 / (0.76 + 0.66))


def test_distances_agree_with_ase_on_an_adslab_at_the_cell_edge():
    slab = fcc111("Cu", (2, 2, 3), vacuum=8, periodic=True)
    adsorbate = molecule("CH3OH")
    adsorbate.translate(slab.cell[0] * 0.98 + [0, 0, 15])
    both = slab + adsorbate
    expected = both.get_all_distances(mic=True)[: len(slab), len(slab) :]
    found = contacts.distances(slab.positions, adsorbate.positions, slab.cell, slab.pbc)
    assert found == pytest.approx(expected, abs=1e-9)
    sums = covalent_radii[slab.numbers][:, None] + covalent_radii[adsorbate.numbers]
    scaled = contacts.scaled_distances(
        slab.numbers, slab.positions, adsorbate.numbers, adsorbate.positions, slab.cell, slab.pbc
    )
    assert scaled == pytest.approx(expected / sums, abs=1e-9)


@pytest.mark.parametrize("size", [(1, 1, 3), (2, 2, 3), (3, 3, 2)])
def test_neighbours_list_every_image_as_ase_does(size):
    slab = fcc111("Pt", size, vacuum=6, periodic=True)
    slab.rattle(0.1, seed=1)
    reach = 4.1
    i, j, vectors = contacts.neighbours(slab.positions, slab.positions, slab.cell, slab.pbc, reach)
    distances = np.linalg.norm(vectors, axis=1)
    real = distances > 0
    expected_i, expected_j, expected_d = neighbor_list("ijd", slab, reach)
    found = sorted(zip(i[real], j[real], np.round(distances[real], 8), strict=True))
    assert found == sorted(zip(expected_i, expected_j, np.round(expected_d, 8), strict=True))


@pytest.mark.parametrize("cell", CELLS)
def test_lattice_vectors_are_all_that_are_short_enough(cell):
    found = periodic.lattice_vectors(cell, (True, True, False), 12.0)
    grid = np.stack(np.meshgrid(np.arange(-30, 31), np.arange(-30, 31), [0]), axis=-1).reshape(-1, 3) @ cell
    expected = grid[np.linalg.norm(grid, axis=1) <= 12.0]
    assert not found[0].any()
    assert sorted(map(tuple, found.round(8))) == sorted(map(tuple, expected.round(8)))


def test_a_direction_without_a_vector_does_not_repeat():
    cell = [[3.0, 0, 0], [0, 3.0, 0], [0, 0, 0]]
    found = periodic.minimum_image([[2.0, -1.6, 7.3]], cell, (True, True, True))
    np.testing.assert_allclose(found, [[-1.0, 1.4, 7.3]])
