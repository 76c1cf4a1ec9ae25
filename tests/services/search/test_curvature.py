"""The model curvature: a Hessian by its nature, and worth its while."""

from itertools import product

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc111, molecule
from ase.constraints import FixAtoms
from ase.data import covalent_radii

from services.forces.engine import run
from services.search.curvature import DECAY, FLOOR, REACH, STIFFNESS, model_hessian
from services.search.minimisation import relax
from shared.structures import Structure
from worker.potentials import registry


def adslab(metal: str = "Cu", tilt: float = 40.0) -> Structure:
    slab = fcc111(metal, (2, 2, 3), vacuum=7.0, periodic=True)
    layers = slab.get_tags()
    carbon_monoxide = molecule("CO")
    carbon_monoxide.rotate(180 - tilt, "x")
    add_adsorbate(slab, carbon_monoxide, 1.6, "bridge", mol_index=1)
    slab.set_constraint(FixAtoms(np.flatnonzero(layers > 1)))
    n_slab = len(layers)
    return Structure.from_atoms(
        slab, adsorbate=np.arange(len(slab)) >= n_slab, surface=np.append(layers == 1, [False] * 2)
    )


def test_it_is_symmetric_positive_definite_and_over_the_free_atoms():
    structure = adslab()
    hessian = model_hessian(structure)
    assert hessian.shape == (3 * structure.free.sum(),) * 2
    np.testing.assert_array_equal(hessian, hessian.T)
    assert np.linalg.eigvalsh(hessian).min() >= FLOOR - 1e-9


@pytest.mark.parametrize("moved", [False, True])
def test_it_is_the_sum_of_all_springs_one_by_one(moved):
    """Over all atoms and images, of which the free atoms' part is taken. moved: atoms lie in other cells."""
    structure = adslab()
    if moved:
        cells = np.random.default_rng(0).integers(-1, 2, (len(structure), 2)) @ structure.cell[:2]
        structure = structure.moved(structure.positions + cells)
    n_atoms = len(structure)
    whole = np.zeros((n_atoms, 3, n_atoms, 3))
    radii, kind = covalent_radii[structure.numbers], structure.adsorbate.astype(int)
    images = [a * structure.cell[0] + b * structure.cell[1] for a in range(-4, 5) for b in range(-4, 5)]
    for i, j, image in product(range(n_atoms), range(n_atoms), images):
        vector = structure.positions[j] + image - structure.positions[i]
        scaled = np.linalg.norm(vector) / (radii[i] + radii[j])
        if i != j and scaled < REACH:
            stiffness = STIFFNESS[kind[i] + kind[j]] * np.exp(-DECAY * (max(scaled, 0.8) - 1))
            block = stiffness * np.outer(vector, vector) / (vector @ vector)
            whole[i, :, i] += block
            whole[i, :, j] -= block
    size = 3 * int(structure.free.sum())
    expected = whole[structure.free][:, :, structure.free].reshape(size, size) + FLOOR * np.eye(size)
    np.testing.assert_allclose(model_hessian(structure), expected, rtol=1e-12, atol=1e-12)


def test_a_molecule_alone_has_one_spring_and_the_floor():
    atoms = Atoms("CO", [(0, 0, 0), (0, 0, 1.15)])
    structure = Structure.from_atoms(atoms, adsorbate=[True, True], surface=[False, False])
    stiffness = STIFFNESS[2] * np.exp(-DECAY * (1.15 / (0.76 + 0.66) - 1))
    # the stretch moves both ends, so its curvature along the normalised mode is twice the spring's
    expected = [FLOOR] * 5 + [FLOOR + 2 * stiffness]
    np.testing.assert_allclose(np.sort(np.linalg.eigvalsh(model_hessian(structure))), expected)


def test_moving_everything_together_feels_the_floor_alone():
    atoms = molecule("CH3CH2OH")
    structure = Structure.from_atoms(atoms, adsorbate=[True] * 9, surface=[False] * 9)
    together = np.tile([0.3, -0.5, 0.8], 9)
    np.testing.assert_allclose(model_hessian(structure) @ together, FLOOR * together, atol=1e-9)


def test_it_does_not_depend_on_wrapping_or_order():
    structure = adslab()
    wrapped = structure.moved(structure.positions + np.outer(np.arange(len(structure)) % 2, structure.cell[0]))
    np.testing.assert_allclose(model_hessian(wrapped), model_hessian(structure), atol=1e-9)


@pytest.mark.parametrize("metal", ["Cu", "Pt", "Au"])
def test_relaxations_from_it_reach_a_minimum_in_fewer_calls(metal):
    emt = registry.load("emt")
    start = adslab(metal)
    plain = run(relax(start, fmax=0.03, max_steps=300), emt)
    modelled = run(relax(start, fmax=0.03, max_steps=300, hessian=model_hessian(start)), emt)
    assert plain.converged
    assert modelled.converged
    assert modelled.force_calls < plain.force_calls
