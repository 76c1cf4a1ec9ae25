"""Restraints against numerical gradients, invariances, and the anomaly detector they must act before."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import add_adsorbate, fcc111, molecule
from ase.constraints import FixAtoms
from fairchem.data.oc.utils import DetectTrajAnomaly

from services.forces.restraints import Restraints
from services.forces.springs import KINDS
from shared import parameters
from shared.structures import Structure

SETTINGS = parameters.Restraints()


def adslab(
    molecule: Atoms, site: str = "fcc", height: float = 1.3, size: tuple[int, int, int] = (2, 2, 3)
) -> Structure:
    slab = fcc111("Pt", size, a=3.92, vacuum=8.0, periodic=True)
    layers = slab.get_tags()
    add_adsorbate(slab, molecule, height, site)
    slab.set_constraint(FixAtoms(indices=np.flatnonzero(layers > 1)))
    n = len(molecule)
    return Structure.from_atoms(
        slab, adsorbate=[False] * len(layers) + [True] * n, surface=[*(layers == 1), *[False] * n]
    )


CO = Atoms("CO", [(0, 0, 0), (0, 0, 1.18)])
WATER = Atoms("OH2", [(0, 0, 0), (0.76, 0, 0.59), (-0.76, 0, 0.59)])


def build(start: Structure) -> Restraints:
    return Restraints.build(start, start.only(start.slab), SETTINGS)


@pytest.mark.parametrize(("molecule", "height"), [(CO, 1.3), (WATER, 2.3)])
def test_nothing_acts_on_a_sound_adslab(molecule, height):
    start = adslab(molecule, height=height)
    energy, forces = build(start).evaluate(start.positions)
    assert energy == 0.0
    assert not forces.any()


def test_forces_are_the_numerical_gradient():
    start = adslab(WATER, height=2.3)
    restraints = build(start)
    rng = np.random.default_rng(5)
    acted = 0
    for scale in (0.3, 0.6, 0.9):
        positions = start.positions + rng.normal(0, scale, start.positions.shape)
        _, forces = restraints.evaluate(positions)
        numerical = np.zeros_like(forces)
        for atom, axis in np.ndindex(forces.shape):
            ends = []
            for step in (1e-5, -1e-5):
                moved = positions.copy()
                moved[atom, axis] += step
                ends.append(restraints.evaluate(moved)[0])
            numerical[atom, axis] = -(ends[0] - ends[1]) / 2e-5
        numerical[start.fixed] = 0.0
        assert forces == pytest.approx(numerical, abs=1e-5 * max(1.0, np.abs(forces).max()))
        acted += sum(energy > 0 for energy in restraints.parts(positions).values())
    assert acted >= 4, "the displaced structures must make springs act"


@pytest.mark.parametrize(
    ("kind", "atom", "move"),
    [
        ("dissociation", -1, (0, 0, 0.9)),
        ("desorption", slice(-2, None), (0, 0, 2.6)),
        ("intercalation", slice(-2, None), (0.4, 0, -1.2)),
        ("reconstruction", 11, (0, 0, 1.6)),
    ],
)
def test_each_kind_answers_to_its_own_damage(kind, atom, move):
    start = adslab(CO)
    positions = start.positions.copy()
    positions[atom] += move
    restraints = build(start)
    assert restraints.parts(positions)[kind] > 0.05
    _, forces = restraints.evaluate(positions)
    pushed = forces[atom].reshape(-1, 3).sum(axis=0)
    assert pushed @ np.array(move) < 0, "the spring pulls back"
    assert not forces[start.fixed].any()


def test_rigid_shifts_and_wrapping_change_nothing():
    start = adslab(WATER, height=2.3)
    restraints = build(start)
    rng = np.random.default_rng(8)
    positions = start.positions + rng.normal(0, 0.5, start.positions.shape)
    energy, forces = restraints.evaluate(positions)
    assert energy > 0
    shifted = restraints.evaluate(positions + np.array([1.7, -2.9, 0.8]))
    lattice = rng.integers(-2, 3, (len(start), 3)) * start.pbc @ start.cell
    wrapped = restraints.evaluate(positions + lattice)
    for other_energy, other_forces in (shifted, wrapped):
        assert other_energy == pytest.approx(energy, abs=1e-9)
        assert other_forces == pytest.approx(forces, abs=1e-8)


def test_springs_act_before_the_detector_would_flag():
    """Along each path the restraint has risen by 0.3 eV or more where the detector first speaks."""
    start = adslab(CO, size=(3, 3, 3))
    clean = start.only(start.slab)
    restraints = build(start)
    checks = {
        "dissociation": (-1, (0, 0, 1), DetectTrajAnomaly.is_adsorbate_dissociated),
        "desorption": (slice(-2, None), (0, 0, 1), DetectTrajAnomaly.is_adsorbate_desorbed),
        "intercalation": (slice(-2, None), (0, 0, -1), DetectTrajAnomaly.is_adsorbate_intercalated),
        "reconstruction": (26, (0, 0, 1), DetectTrajAnomaly.has_surface_changed),
    }
    for kind, (atoms, direction, flagged) in checks.items():
        for length in np.arange(0, 5, 0.02):
            positions = start.positions.copy()
            positions[atoms] += length * np.array(direction)
            moved = start.moved(positions).to_atoms()
            detector = DetectTrajAnomaly(start.to_atoms(), moved, start.tags.tolist(), clean.to_atoms())
            if flagged(detector):
                assert restraints.parts(positions)[kind] > 0.3, f"{kind} at {length:.2f} Å"
                break
        else:
            pytest.fail(f"the detector never saw {kind}")


def test_small_cells_tell_images_apart():
    """In p(1x1) each surface atom's neighbours are its own images: a rigid shift of the layer costs nothing in itself."""
    start = adslab(CO, site="ontop", height=1.85, size=(1, 1, 3))
    assert build(start).evaluate(start.positions)[0] == 0.0


def test_bonds_are_the_molecules_own_and_not_those_to_its_image():
    # 0.7 Å between hydrogen atoms of neighbouring images: nearer than any bond of the molecule is long
    ethane = molecule("C2H6")
    ethane.rotate(90, "y")
    width = float(np.ptp(ethane.positions[:, 0])) + 0.7
    slab = fcc111("Pt", (2, 2, 3), a=3.92, vacuum=8.0, periodic=True)
    cell = slab.cell.array.copy()
    cell[0, 0] = width
    layers = slab.get_tags()
    slab.set_cell(cell)
    add_adsorbate(slab, ethane, 3.0, "ontop")
    on_top = np.arange(len(slab)) >= len(layers)
    start = Structure.from_atoms(slab, adsorbate=on_top, surface=np.concatenate([layers == 1, [False] * 8]))
    springs = build(start).springs
    mine = springs.kind == KINDS.index("dissociation")
    held = {tuple(pair) for pair in (springs.atoms[:, mine & (springs.side > 0)].T - len(layers)).tolist()}
    assert held == {(0, 1), *((0, atom) for atom in (2, 3, 4)), *((1, atom) for atom in (5, 6, 7))}
    assert build(start).parts(start.positions)["dissociation"] == 0.0


def test_thresholds_follow_a_minimum_and_nothing_acts_there():
    start = adslab(WATER, height=2.3)
    restraints = build(start)
    torn = start.positions.copy()
    torn[-1] += (-0.5, 0, 0.4)  # a bond longer than its spring allows
    torn[-3:, 2] += 2.6  # off the surface
    torn[10, 2] += 1.2  # an atom of the surface that comes out
    minimum = start.moved(torn)
    pulled = {kind for kind, energy in restraints.parts(torn).items() if energy > 0}
    assert {"dissociation", "desorption", "reconstruction"} <= pulled
    followed = restraints.following(minimum)
    assert followed.evaluate(torn) == (0.0, pytest.approx(np.zeros_like(torn), abs=0.0))
    # 5 % further everything that pulled before pulls again
    apart = torn.copy()
    apart[-1] += (-0.3, 0, 0.3)
    apart[-3:, 2] += 1.5
    apart[10, 2] += 0.6
    assert pulled <= {kind for kind, energy in followed.parts(apart).items() if energy > 0}
    # the base stays the placement's: nothing is left of where a walker was before
    assert restraints.evaluate(torn)[0] > 0


def test_thresholds_that_nothing_comes_near_stay():
    start = adslab(CO)
    restraints = build(start)
    followed = restraints.following(start)
    rng = np.random.default_rng(2)
    for _ in range(20):
        positions = start.positions + rng.normal(0, 0.5, start.positions.shape)
        assert followed.evaluate(positions)[0] == pytest.approx(restraints.evaluate(positions)[0], rel=0.05, abs=0.02)
