"""Moves in which a molecule turns: lengths kept, shifts and deformations as they are, the linear move to first order."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc111, molecule
from ase.constraints import FixAtoms
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from services.forces import engine
from services.forces.potential import Potential
from services.search.curvature import model_hessian
from services.search.minimisation import relax
from services.search.turning import Turning
from shared.structures import Floats, Structure
from worker.potentials import registry

EMT_MEMBER: Potential = registry.load("emt")
METHANOL = molecule("CH3OH")
CO = Atoms("CO", [(0, 0, 0), (0, 0, 1.17)])


def on_copper(adsorbate: Atoms) -> Structure:
    slab = fcc111("Cu", (2, 2, 2), vacuum=7.0, periodic=True)
    layers = slab.get_tags()
    add_adsorbate(slab, adsorbate, 1.9, "fcc")
    slab.set_constraint(FixAtoms(np.flatnonzero(layers > 1)))
    surface = np.append(layers == 1, [False] * len(adsorbate))
    return Structure.from_atoms(slab, adsorbate=np.arange(len(slab)) >= len(layers), surface=surface)


def turned(structure: Structure, step: Floats) -> Floats:
    return Turning(structure).moved(structure.positions, step)


def turn(structure: Structure, axis: tuple[float, float, float], shift: tuple[float, float, float]) -> Floats:
    """The linear step of a turn about the molecule's centre, and a shift."""
    arms = structure.positions[structure.adsorbate]
    step = np.zeros_like(structure.positions)
    step[structure.adsorbate] = np.cross(axis, arms - arms.mean(axis=0)) + shift
    return step


@pytest.mark.parametrize("adsorbate", [CO, METHANOL])
def test_a_turn_keeps_every_length_and_the_linear_move_does_not(adsorbate):
    start = on_copper(adsorbate)
    step = turn(start, (0.3, -0.1, 0.2), (0.1, 0.2, 0.05))
    lengths = pdist(start.positions[start.adsorbate])
    assert pdist(turned(start, step)[start.adsorbate]) == pytest.approx(lengths, abs=1e-12)
    assert np.abs(pdist((start.positions + step)[start.adsorbate]) - lengths).max() > 0.02
    centre = turned(start, step)[start.adsorbate].mean(axis=0) - start.positions[start.adsorbate].mean(axis=0)
    assert centre == pytest.approx((0.1, 0.2, 0.05), abs=1e-12)


def test_a_stretch_and_the_slab_move_as_they_would():
    start = on_copper(METHANOL)
    step = np.random.default_rng(4).normal(0, 0.05, start.positions.shape)
    assert np.array_equal(turned(start, step)[start.slab], (start.positions + step)[start.slab])
    apart = start.positions[start.adsorbate]
    stretch = np.zeros_like(start.positions)
    stretch[start.adsorbate] = 0.05 * (apart - apart.mean(axis=0))
    assert turned(start, stretch) == pytest.approx(start.positions + stretch, abs=1e-12)


@pytest.mark.parametrize("adsorbate", [CO, METHANOL])
def test_it_is_the_linear_move_to_first_order(adsorbate):
    start = on_copper(adsorbate)
    step = np.random.default_rng(5).normal(0, 1.0, start.positions.shape)
    missed = [np.abs(turned(start, size * step) - start.positions - size * step).max() for size in (1e-2, 1e-3, 1e-4)]
    assert missed[0] > 1e-6
    assert np.log10(missed[0] / missed[1]) == pytest.approx(2, abs=0.1)
    assert np.log10(missed[1] / missed[2]) == pytest.approx(2, abs=0.1)


def test_a_molecule_that_is_wrapped_into_the_cell_turns_in_one_piece():
    start = on_copper(METHANOL)
    wrapped = start.positions.copy()
    wrapped[-1] += start.cell[0]
    wrapped[-2] -= start.cell[1]
    step = np.random.default_rng(7).normal(0, 0.1, start.positions.shape)
    by = turned(start.moved(wrapped), step) - wrapped
    assert by == pytest.approx(turned(start, step) - start.positions, abs=1e-12)


@pytest.mark.parametrize("adsorbate", [CO, METHANOL])
@pytest.mark.parametrize("size", [1e-5, 1e-2, 0.3])
def test_general_routines_say_the_same_to_the_last_bit(adsorbate, size):
    start = on_copper(adsorbate)
    rng = np.random.default_rng(8)
    for _ in range(20):
        step = rng.normal(0, size, start.positions.shape)
        whole, own = start.positions[start.adsorbate], step[start.adsorbate]
        arms, shift = whole - whole.mean(axis=0), own.mean(axis=0)
        moments = (arms * arms).sum() * np.eye(3) - arms.T @ arms
        turn = np.linalg.pinv(moments, rcond=1e-6, hermitian=True) @ np.cross(arms, own).sum(axis=0)
        deformed = arms + own - shift - np.cross(turn, arms)
        expected = whole.mean(axis=0) + shift + Rotation.from_rotvec(turn).apply(deformed)
        np.testing.assert_array_equal(turned(start, step)[start.adsorbate], expected)


def test_an_atom_and_a_molecule_that_is_held_move_straight():
    single = on_copper(Atoms("O"))
    step = np.random.default_rng(6).normal(0, 0.1, single.positions.shape)
    assert np.array_equal(turned(single, step), single.positions + step)


def test_a_molecule_that_falls_over_takes_fewer_calls():
    """CO that stands askew on a copper top site turns upright and slides on."""
    start = on_copper(Atoms("CO", [(0, 0, 0), (0.9, 0.3, 0.65)]))
    straight, whole = (
        engine.run(
            relax(start, fmax=0.02, max_steps=200, hessian=model_hessian(start), damped=True, turning=turning),
            EMT_MEMBER,
        )
        for turning in (False, True)
    )
    assert straight.converged
    assert whole.converged
    assert whole.energy == pytest.approx(straight.energy, abs=0.01)
    assert whole.force_calls < straight.force_calls
