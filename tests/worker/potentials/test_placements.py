"""What few placements find without a hop, with a potential that knows."""

import numpy as np
import pytest
from ase.build import fcc111, molecule

from services.forces import engine
from services.geometry.sites import describe
from services.search.minimisation import relax
from services.systems.placement import place
from services.systems.surfaces import marked
from shared.parameters import Placement
from shared.submissions import Adsorbate
from worker.potentials import registry

pytestmark = pytest.mark.potentials


def test_four_placements_of_oxygen_on_platinum_find_the_flat_minimum():
    """End-on minima lie 0.26 eV and more above it on CHGNet (1.1 eV on SevenNet-0)."""
    atoms = fcc111("Pt", (2, 2, 3), a=3.95, vacuum=7.0, periodic=True)
    atoms.set_tags(0)
    gas = molecule("O2")
    oxygen = Adsorbate(name="O2", numbers=(8, 8), positions=tuple(map(tuple, gas.positions.tolist())), binding=(0,))
    placed = place(marked(atoms), oxygen, Placement(count=4), np.random.default_rng(0))
    potential = registry.load("chgnet-0.3.0")
    found = [engine.run(relax(one.structure, fmax=0.05, max_steps=150), potential) for one in placed]
    lowest = min(found, key=lambda one: one.energy)
    end_on = [one for one in found if np.ptp(one.structure.positions[-2:, 2]) > 1.0]
    assert lowest.converged
    assert np.ptp(lowest.structure.positions[-2:, 2]) < 0.3
    assert np.linalg.norm(np.diff(lowest.structure.positions[-2:], axis=0)) == pytest.approx(1.35, abs=0.04)
    assert describe(lowest.structure) == "top Pt via O, O"
    assert len(end_on) == 1
    assert lowest.energy < end_on[0].energy - 0.2
