"""Springs that needn't be looked at: never where one acts, whatever the walk does, and mostly where none does."""

import numpy as np
import pytest
from ase.build import fcc111, fcc211
from hypothesis import given, settings
from hypothesis import strategies as st

from services.forces import restraints as module
from services.forces.answers import answers
from services.forces.potential import Evaluation, Request
from services.forces.restraints import Restraints, felt, together
from services.systems.assembly import assemble
from services.systems.placement import place
from shared import parameters
from shared.adsorbates import lookup
from shared.periodic import minimum_image
from shared.structures import Floats, Structure
from shared.submissions import SlabSubmission

CASES = {
    "CO, images within reach": (fcc111("Cu", (2, 2, 3), vacuum=8.0), "*CO"),
    "CH3, wide": (fcc111("Cu", (3, 3, 3), vacuum=8.0), "*CH3"),
    "OH, skewed steps": (fcc211("Pd", (3, 3, 3), vacuum=8.0), "*OH"),
    "O, an atom": (fcc111("Pt", (3, 3, 4), vacuum=8.0), "*O"),
}


def started(case: str) -> tuple[Structure, Structure]:
    slab, adsorbate = CASES[case]
    slab.pbc = True
    slab.set_tags(0)
    system = assemble(SlabSubmission(slab=Structure.from_oc_atoms(slab).to_document(), adsorbate=lookup(adsorbate)))
    settings = parameters.Placement(count=1)
    return place(system.slab, system.adsorbate, settings, np.random.default_rng(0))[0].structure, system.slab


STARTS = {case: started(case) for case in CASES}


def fresh(case: str) -> Restraints:
    return Restraints.build(*STARTS[case], parameters.Restraints())


def walked(case: str, rng: np.random.Generator, stride: float, steps: int) -> list[Floats]:
    """Positions of a random walk, in which the molecule goes further than the slab, Å."""
    start, _ = STARTS[case]
    positions, path = start.positions, []
    for _ in range(steps):
        step = rng.normal(scale=0.3 * stride, size=positions.shape) * start.free[:, None]
        step[start.adsorbate] += rng.normal(scale=stride, size=3)
        positions = positions + step
        path.append(positions)
    return path


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.005, 0.4))
def test_what_is_felt_is_what_all_springs_give(case, seed, stride):
    walker, looking = fresh(case), fresh(case)
    for positions in walked(case, np.random.default_rng(seed), stride, 40):
        (energy, forces), (expected, pull) = felt([walker], [positions])[0], together([looking], [positions])[0]
        assert energy == expected
        assert np.array_equal(np.zeros_like(pull) if forces is None else forces, pull)


@pytest.mark.parametrize("shaken", [0.0, 0.1, 0.15])
@pytest.mark.parametrize("case", CASES)
def test_each_pair_may_go_as_far_as_its_atoms_may(case, shaken):
    """Both atoms of a pair, straight away from each other and straight towards each other, just within what they may go."""
    start, _ = STARTS[case]
    here = walked(case, np.random.default_rng(5), shaken, 1)[0]
    walker, looking, still = fresh(case), fresh(case), 0
    for first, second in walker.springs.atoms.T:
        for sign in (1, -1):
            felt([walker], [here])
            if walker.leeway is None:
                pytest.skip("a spring acts there")
            far = np.minimum(np.sqrt(walker.leeway.squares), 3.0) * start.free
            apart = minimum_image(here[second] - here[first], start.cell, start.pbc)
            away = sign * apart / np.linalg.norm(apart)
            there = here.copy()
            there[first] -= 0.999 * far[first] * away
            there[second] += 0.999 * far[second] * away
            (energy, forces), (expected, pull) = felt([walker], [there])[0], together([looking], [there])[0]
            assert energy == expected
            assert np.array_equal(np.zeros_like(pull) if forces is None else forces, pull)
            still += forces is None
            walker.leeway = None
    assert still > 50


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.999])
def test_a_molecule_may_rise_as_far_as_its_contact_reaches(case, sign, part):
    start, _ = STARTS[case]
    walker, looking = fresh(case), fresh(case)
    felt([walker], [start.positions])
    far = np.sqrt(walker.leeway.squares)[start.adsorbate]
    there = start.positions.copy()
    there[start.adsorbate, 2] += sign * part * np.minimum(far, 3.0)
    (energy, forces), (expected, pull) = felt([walker], [there])[0], together([looking], [there])[0]
    assert energy == expected
    assert np.array_equal(np.zeros_like(pull) if forces is None else forces, pull)


@pytest.mark.parametrize("case", CASES)
def test_a_walker_that_follows_its_minimum_is_told_the_same(case):
    rng = np.random.default_rng(3)
    minimum = STARTS[case][0].moved(walked(case, rng, 0.1, 5)[-1])
    walker, looking = fresh(case).following(minimum), fresh(case).following(minimum)
    for step in walked(case, rng, 0.05, 60):
        positions = minimum.positions + step - STARTS[case][0].positions
        energy, forces = felt([walker], [positions])[0]
        expected, pull = together([looking], [positions])[0]
        assert energy == expected
        assert np.array_equal(np.zeros_like(pull) if forces is None else forces, pull)


def test_who_walks_along_changes_nothing():
    """A batch in which some springs are looked at and others aren't, at each step."""
    walkers, looking = [fresh(case) for case in CASES], [fresh(case) for case in CASES]
    paths = [walked(case, np.random.default_rng(7), 0.1 * n, 40) for n, case in enumerate(CASES)]
    mixed = 0
    for here in zip(*paths, strict=True):
        told = felt(walkers, here)
        for (energy, forces), (expected, pull) in zip(told, together(looking, here), strict=True):
            assert energy == expected
            assert np.array_equal(np.zeros_like(pull) if forces is None else forces, pull)
        mixed += len({forces is None for _, forces in told}) == 2
    assert mixed > 10


def test_most_small_steps_look_at_no_spring(monkeypatch):
    looked = []
    look = module._looked
    monkeypatch.setattr(module, "_looked", lambda some, there: looked.append(len(some)) or look(some, there))
    walker = fresh("CH3, wide")
    path = walked("CH3, wide", np.random.default_rng(1), 0.01, 50)
    assert all(energy == 0.0 for (energy, _) in (felt([walker], [there])[0] for there in path))
    assert sum(looked) <= 3


def test_forces_of_an_answer_are_the_potentials_where_no_spring_is_looked_at():
    start, _ = STARTS["CH3, wide"]
    walker = fresh("CH3, wide")
    given = Evaluation(1.0, np.random.default_rng(0).normal(size=start.positions.shape))
    for _ in range(2):  # the second time it's known that nothing acts
        (answer,) = answers([Request(start, walker)], [given])
        assert answer.restraint_energy == 0.0
        np.testing.assert_array_equal(answer.forces, given.forces * start.free[:, None])
