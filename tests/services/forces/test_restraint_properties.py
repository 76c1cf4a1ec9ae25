"""Restraints under random distortion: gradient, silence within the thresholds, invariances; and the anomaly labels beside the
community's detector."""

from functools import lru_cache

import numpy as np
import pytest
from ase.build import fcc100, fcc111, fcc211
from fairchem.data.oc.utils import DetectTrajAnomaly
from hypothesis import given, settings
from hypothesis import strategies as st

from services.forces.restraints import Restraints, together
from services.geometry import anomalies
from services.systems.assembly import assemble
from services.systems.placement import place
from shared import parameters
from shared.adsorbates import lookup
from shared.structures import Floats, Structure
from shared.submissions import SlabSubmission

SETTINGS = parameters.Restraints()
CASES = {
    "CO, small cell": (lambda: fcc111("Pt", (2, 2, 3), vacuum=8.0), "*CO"),
    "CH3, wide cell": (lambda: fcc111("Cu", (3, 3, 3), vacuum=8.0), "*CH3"),
    "CCO, steps": (lambda: fcc211("Pd", (3, 3, 3), vacuum=8.0), "*CCO"),
    "NO, square": (lambda: fcc100("Ni", (3, 3, 3), vacuum=8.0), "*NO"),
}
cases = st.sampled_from(sorted(CASES))
seeds = st.integers(0, 2**32 - 1)


@lru_cache
def start_of(case: str) -> Structure:
    builder, adsorbate = CASES[case]
    slab = builder()
    slab.pbc = True
    slab.set_tags(0)
    submission = SlabSubmission(slab=Structure.from_oc_atoms(slab).to_document(), adsorbate=lookup(adsorbate))
    system = assemble(submission)
    return place(system.slab, system.adsorbate, parameters.Placement(count=1), np.random.default_rng(0))[0].structure


@lru_cache
def restraints_of(case: str) -> Restraints:
    start = start_of(case)
    return Restraints.build(start, start.only(start.slab), SETTINGS)


def distorted(case: str, seed: int, scale: float) -> Floats:
    """The molecule moved and shaken more than the slab, as escapes do; Å."""
    start, rng = start_of(case), np.random.default_rng(seed)
    positions = start.positions + rng.normal(scale=scale, size=start.positions.shape)
    positions[start.adsorbate] += rng.normal(scale=2 * scale, size=3)
    return np.where(start.fixed[:, None], start.positions, positions)


@settings(max_examples=60, deadline=None)
@given(cases, seeds, st.floats(0.02, 1.0))
def test_forces_are_the_numerical_gradient(case, seed, scale):
    restraints, positions = restraints_of(case), distorted(case, seed, scale)
    _, forces = restraints.evaluate(positions)
    step = 1e-7
    for atom in np.flatnonzero(start_of(case).free)[-5:]:
        for axis in range(3):
            ends = []
            for sign in (1, -1):
                moved = positions.copy()
                moved[atom, axis] += sign * step
                ends.append(restraints.evaluate(moved)[0])
            # where the nearest contact changes hands the slope has a kink: both sides' slopes are right there
            if abs(ends[0] + ends[1] - 2 * restraints.evaluate(positions)[0]) > 1e-10:
                continue
            assert forces[atom, axis] == pytest.approx(-(ends[0] - ends[1]) / (2 * step), abs=2e-6, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(cases, seeds, st.floats(0.0, 0.02))
def test_nothing_acts_within_the_thresholds(case, seed, scale):
    start = start_of(case)
    shaken = start.positions + np.random.default_rng(seed).uniform(-scale, scale, start.positions.shape)
    energy, forces = restraints_of(case).evaluate(shaken)
    assert energy == 0.0
    assert not forces.any()


@settings(max_examples=60, deadline=None)
@given(cases, seeds, st.floats(0.1, 0.8))
def test_shift_wrap_and_order_change_nothing(case, seed, scale):
    start, restraints, positions = start_of(case), restraints_of(case), distorted(case, seed, scale)
    energy, forces = restraints.evaluate(positions)
    rng = np.random.default_rng(seed)
    shift = rng.normal(scale=3.0, size=3)
    wraps = rng.integers(-1, 2, (len(start), 3)) * [1, 1, 0] @ start.cell
    moved = restraints.evaluate(positions + shift)
    wrapped = restraints.evaluate(positions + wraps)
    for other_energy, other_forces in (moved, wrapped):
        assert other_energy == pytest.approx(energy, abs=1e-8, rel=1e-9)
        np.testing.assert_allclose(other_forces, forces, atol=1e-6)

    order = rng.permutation(len(start))
    names = ("numbers", "positions", "adsorbate", "surface", "fixed")
    mixed = Structure(cell=start.cell, pbc=start.pbc, **{name: getattr(start, name)[order] for name in names})
    other = Restraints.build(mixed, mixed.only(mixed.slab), SETTINGS)
    mixed_energy, mixed_forces = other.evaluate(positions[order])
    assert mixed_energy == pytest.approx(energy, abs=1e-8, rel=1e-9)
    np.testing.assert_allclose(mixed_forces, forces[order], atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(cases, seeds, st.floats(0.05, 1.5)), min_size=2, max_size=6))
def test_company_changes_no_bit(group):
    everyone = [restraints_of(case) for case, _, _ in group]
    positions = [distorted(*one) for one in group]
    for restraints, own, (energy, forces) in zip(everyone, positions, together(everyone, positions), strict=True):
        alone_energy, alone_forces = restraints.evaluate(own)
        assert energy == alone_energy
        assert forces.tobytes() == alone_forces.tobytes()


@settings(max_examples=75, deadline=None)
@given(seeds, st.floats(0.05, 0.9))
@pytest.mark.parametrize("case", sorted(CASES))
def test_labels_are_those_of_the_communitys_detector(case, seed, scale):
    start = start_of(case)
    relaxed = start.moved(distorted(case, seed, scale))
    clean = start.only(start.slab)
    labels = set(anomalies.find(start, relaxed, clean))
    detector = DetectTrajAnomaly(
        start.to_atoms(), relaxed.to_atoms(), relaxed.tags.tolist(), final_slab_atoms=clean.to_atoms()
    )
    expected = {
        "dissociated": detector.is_adsorbate_dissociated(),
        "desorbed": detector.is_adsorbate_desorbed(),
        "intercalated": detector.is_adsorbate_intercalated(),
        "reconstructed": detector.has_surface_changed(),
    }
    if "desorbed" in labels and expected["intercalated"] and not expected["desorbed"]:
        return  # across the vacuum: the detector's one known false label
    assert labels - {"overlapping"} == {name for name, flagged in expected.items() if flagged}
