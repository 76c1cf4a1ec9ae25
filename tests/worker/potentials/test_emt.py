"""EMT: the calculator ASE ships, behind the protocol."""

import numpy as np
import pytest
from ase.build import add_adsorbate, fcc111, molecule
from ase.calculators.emt import EMT
from ase.calculators.fd import calculate_numerical_forces

from services.forces.potential import EnergyKind
from shared.errors import InvalidInput
from shared.structures import Structure
from worker.potentials import registry


@pytest.fixture(scope="module")
def potential():
    return registry.load("emt")


def structure_of(atoms):
    return Structure.from_atoms(atoms, adsorbate=[False] * len(atoms), surface=[False] * len(atoms))


@pytest.fixture
def atoms():
    slab = fcc111("Pt", (2, 2, 3), vacuum=8.0)
    add_adsorbate(slab, molecule("CO"), 1.9, "fcc")
    slab.rattle(0.08, seed=3)
    return slab


def test_energy_and_forces_are_ases(potential, atoms):
    (answer,) = potential.evaluate([structure_of(atoms)])
    atoms.calc = EMT()
    assert answer.energy == atoms.get_potential_energy()
    assert np.array_equal(answer.forces, atoms.get_forces())
    assert answer.forces.dtype == np.float64


def test_forces_are_the_numerical_gradient(potential, atoms):
    (answer,) = potential.evaluate([structure_of(atoms)])
    atoms.calc = EMT()
    numerical = calculate_numerical_forces(atoms, eps=1e-4)
    assert np.abs(answer.forces - numerical).max() < 1e-5


def test_answer_does_not_depend_on_what_was_asked_before(potential, atoms):
    structure = structure_of(atoms)
    moved = structure.moved(structure.positions + np.linspace(0, 0.1, structure.positions.size).reshape(-1, 3))
    first = potential.evaluate([structure])[0]
    again = potential.evaluate([moved, structure, moved])[1]
    assert again.energy == first.energy
    assert np.array_equal(again.forces, first.forces)


def test_shift_by_a_lattice_vector_changes_nothing(potential, atoms):
    structure = structure_of(atoms)
    positions = structure.positions.copy()
    positions[5] += structure.cell[0] - structure.cell[1]
    here, there = potential.evaluate([structure, structure.moved(positions)])
    assert there.energy == pytest.approx(here.energy, abs=1e-9)
    assert np.abs(there.forces - here.forces).max() < 1e-9


def test_card(potential):
    assert potential.card.name == "emt"
    assert potential.card.energy_kind is EnergyKind.TOTAL
    assert potential.card.elements == {1, 6, 7, 8, 13, 28, 29, 46, 47, 78, 79}
    assert potential.card.cutoff == pytest.approx(5.876, abs=1e-3)
    assert len(potential.card.sha256) == 64


def test_unknown_element_is_named(potential):
    with pytest.raises(InvalidInput, match="emt doesn't know Fe"):
        potential.evaluate([structure_of(fcc111("Fe", (1, 1, 2), a=3.6, vacuum=5.0))])
