"""Molecules in one piece, their own bonds, and how near their images come, on ASE's molecules and by brute force."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from fairchem.data.oc.utils import DetectTrajAnomaly
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import molecules
from shared.adsorbates import lookup, names
from shared.molecules import Extent

NAMES = ("CO", "H2O", "CH3OH", "C6H6", "CH3CH2OH", "C2H4", "CH3COOH")
CELLS = {
    "cube": np.eye(3) * 12.0,
    "skewed": np.array([[7.0, 0.0, 0.0], [3.4, 6.1, 0.0], [-2.0, 1.0, 14.0]]),
    "narrow": np.array([[5.6, 0.0, 0.0], [2.8, 4.86, 0.0], [0.0, 0.0, 15.0]]),
}


def turned(name: str, seed: int) -> Atoms:
    atoms = molecule(name)
    rng = np.random.default_rng(seed)
    atoms.rotate(rng.uniform(0, 360), rng.normal(size=3))
    atoms.positions += rng.normal(scale=4.0, size=3)
    return atoms


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(NAMES), st.sampled_from(sorted(CELLS)), st.integers(0, 2**32 - 1))
def test_any_wrap_is_undone(name, cell, seed):
    atoms = turned(name, seed)
    steps = np.random.default_rng(seed).integers(-2, 3, (len(atoms), 3))
    whole = molecules.unwrapped(atoms.numbers, atoms.positions + steps @ CELLS[cell], CELLS[cell], [True] * 3)
    np.testing.assert_allclose(whole - whole[0], atoms.positions - atoms.positions[0], atol=1e-9)


def test_what_is_in_one_piece_keeps_every_bit():
    atoms = turned("CH3COOH", 3)
    kept = molecules.unwrapped(atoms.numbers, atoms.positions, CELLS["cube"], [True] * 3)
    assert kept.tobytes() == atoms.positions.tobytes()


def test_an_image_that_is_nearer_than_a_bond_is_not_taken_for_a_neighbour():
    benzene = molecule("C6H6")
    cell = np.diag([5.5, 20.0, 20.0])
    benzene.rotate(30, "z")  # two hydrogen atoms along x, 0.55 Å from each other's images
    for positions in (benzene.positions, benzene.positions + np.array([11.0, 0, 0])):
        assert (molecules.unwrapped(benzene.numbers, positions, cell, [True] * 3) == positions).all()


def test_directions_that_are_not_periodic_are_left_alone():
    apart = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 10.9]])
    assert (molecules.unwrapped([6, 8], apart, CELLS["cube"], [True, True, False]) == apart).all()
    assert (molecules.unwrapped([6, 8], apart, np.zeros((3, 3)), [True] * 3) == apart).all()


@pytest.mark.parametrize("name", NAMES)
def test_bonds_are_those_of_the_communitys_detector(name):
    atoms = turned(name, 0)
    theirs = DetectTrajAnomaly(atoms, atoms, [2] * len(atoms))._get_connectivity(atoms)
    assert (molecules.bonds(atoms.numbers, atoms.positions) == theirs).all()


def test_all_adsorbates_of_oc20_are_in_one_piece():
    found = {name: molecules.pieces(molecules.bonds(lookup(name).numbers, lookup(name).positions)) for name in names()}
    assert len(found) == 86
    assert [name for name, pieces in found.items() if len(pieces) > 1] == []


def test_pieces_are_told_apart():
    pair = molecule("H2O")
    other = molecule("CO")
    other.positions += (0.0, 0.0, 3.5)
    pair += other
    assert molecules.pieces(molecules.bonds(pair.numbers, pair.positions)) == [[0, 1, 2], [3, 4]]


def test_a_chain_is_endless_and_a_crowded_molecule_is_not():
    # a zigzag of carbon along x, 2.5 Å a repeat
    chain = np.array([[0.0, 0.0, 0.0], [1.25, 0.85, 0.0]])
    box = np.diag([2.5, 12.0, 12.0])
    assert molecules.is_endless([6, 6], molecules.unwrapped([6, 6], chain, box, [True] * 3), box, [True] * 3)
    benzene = molecule("C6H6")
    assert not molecules.is_endless(benzene.numbers, benzene.positions, CELLS["narrow"], [True] * 3)


def closest(atoms: Atoms, vectors: np.ndarray, turns: int = 720) -> float:
    """Least distance minus bond length over all turns about z, by trying them, Å."""
    least = np.inf
    for angle in np.linspace(0, 2 * np.pi, turns, endpoint=False):
        c, s = np.cos(angle), np.sin(angle)
        positions = atoms.positions @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        for vector in vectors:
            apart = np.linalg.norm(positions[:, None] - positions[None] - vector, axis=-1)
            least = min(least, float((apart - molecules.bond_lengths(atoms.numbers)).min()))
    return least


@pytest.mark.parametrize("name", ["C6H6", "C2H4", "CH3CH2OH", "CO"])
@pytest.mark.parametrize("length", [2.9, 4.1, 5.0, 5.6, 6.1, 6.4])
def test_the_worst_turn_is_found_without_trying_them(name, length):
    atoms = turned(name, 1)
    vectors = np.array([[length, 0, 0], [-length / 2, length * np.sqrt(3) / 2, 0]])
    extent = Extent.of(atoms.numbers, [atoms.positions], 0.0)
    tried, contact = closest(atoms, vectors), extent.touching(vectors)
    assert (contact is not None) == (tried < 0)
    if contact is not None:
        assert contact.distance - contact.bond == pytest.approx(tried, abs=2e-3)


def test_room_is_the_length_from_which_on_nothing_touches():
    atoms = turned("C6H6", 2)
    extent = Extent.of(atoms.numbers, [atoms.positions], 0.0)
    for longer in (0.0, 0.3, 3.0):
        assert extent.touching(np.array([[extent.room + longer + 1e-6, 0, 0]])) is None
    assert extent.touching(np.array([[extent.room - 1e-6, 0, 0]])) is not None


def test_a_tilt_lays_an_upright_molecule_down():
    upright = molecule("CO")
    spans = [Extent.of(upright.numbers, [upright.positions], tilt).sideways[0, 1] for tilt in (0, np.pi / 9, np.pi / 2)]
    length = upright.get_distance(0, 1)
    assert spans == pytest.approx([0.0, length * np.sin(np.pi / 9), length])
    lying = Extent.of(upright.numbers, [upright.positions, upright.positions[:, [2, 1, 0]]], 0.0)
    assert lying.sideways[0, 1] == pytest.approx(length)


def test_a_vector_that_does_not_repeat_may_lean_as_it_likes():
    cell = np.array([[5.6, 0.0, 0.0], [-19.6, 4.86, 0.0], [310.0, -270.0, 18.0]])
    atoms = turned("CH3OH", 3)
    images = np.array([[1, 0], [0, -1], [2, 1], [0, 0], [-3, 2], [1, 1]])
    torn = atoms.positions + images @ cell[:2]
    whole = molecules.unwrapped(atoms.numbers, torn, cell, [True, True, False])
    lengths = Atoms(atoms.numbers, whole).get_all_distances()
    assert lengths == pytest.approx(atoms.get_all_distances(), abs=1e-9)
