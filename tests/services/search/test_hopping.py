"""Hops worked by hand on a flat potential with a scripted energy, and walkers on EMT that stop and go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import add_adsorbate, fcc100, fcc111
from ase.constraints import FixAtoms

from services.forces import engine
from services.forces.answers import reply
from services.forces.potential import Evaluation, Potential, Request, Walk
from services.forces.restraints import Restraints
from services.geometry import anomalies
from services.search import hopping
from services.search.curvature import model_hessian
from services.search.inertia import AtomicMasses
from services.search.minimisation import Relaxation, relax
from services.search.walker import Hop, Minimum, Walker
from shared.errors import Diverged
from shared.parameters import Hopping, JobParameters, Masses, Selection
from shared.parameters import Restraints as Springs
from shared.structures import Floats, Structure
from worker.potentials import registry

EMT_MEMBER: Potential = registry.load("emt")
SPRINGS = Springs()
ONE_MINIMUM = Hopping(mdmin=1)
"""MD stops at the first rise after a fall: a script of three energies."""


def co_on_copper() -> Structure:
    slab = fcc111("Cu", (2, 2, 2), vacuum=7.0, periodic=True)
    layers = slab.get_tags()
    add_adsorbate(slab, Atoms("CO", [(0, 0, 0), (0.1, 0, 1.15)]), 1.3, "bridge")
    slab.set_constraint(FixAtoms(np.flatnonzero(layers > 1)))
    surface = np.append(layers == 1, [False, False])
    return Structure.from_atoms(slab, adsorbate=np.arange(len(slab)) >= len(layers), surface=surface)


def parameters(**changed: Any) -> JobParameters:
    return JobParameters(hopping=ONE_MINIMUM.model_copy(update=changed))


def at_minimum(**changed: Any) -> Walker:
    """A walker at a minimum of 0 eV, before its hop 4: 1 K, so that the escape leaves the atoms where they are."""
    start = co_on_copper()
    walker = Walker(4, start, 0.0, np.zeros((len(start), 3)), 1.0, 0.5, (0, 1), 100)
    return replace(walker, **changed)


def scripted(
    walker: Walker, energies: Sequence[float], settings: JobParameters, known: Sequence[Minimum] = (), **how: Any
) -> Hop:
    """The walker's hop on a potential that answers these energies in turn, with no forces unless told otherwise."""
    force = how.get("force", 0.0)
    restraints = how.get("restraints")
    forces = np.where(walker.structure.adsorbate[:, None], force, 0.0) * np.ones(3)
    labels = how.get("anomalies", ())
    walk = hopping.hop(walker, known, restraints, settings, lambda structure: labels)
    return finished(walk, next(walk), energies, forces)


def finished(walk: Walk[Hop], wants: Request, energies: Sequence[float], forces: Floats | None = None) -> Hop:
    """The end of a hop that is answered these energies."""
    if forces is None:
        forces = np.zeros((len(wants.structure), 3))
    try:
        for energy in energies:
            wants = reply(walk, wants, Evaluation(energy, forces))
    except StopIteration as stop:
        result: Hop = stop.value
        return result
    raise AssertionError("the hop goes on")


def to(energy: float) -> list[float]:
    """Up, down, and up to the energy where the escape ends and, without forces, the relaxation too."""
    return [energy + 0.5, energy - 0.1, energy]


def test_back_at_the_last_minimum_it_heats_and_keeps_its_window():
    after = scripted(at_minimum(), to(0.01), parameters(beta1=1.3, beta2=1.5, beta3=0.5))
    assert after.walker.temperature_k == pytest.approx(1.3)
    assert after.walker.energy_window == 0.5
    assert (after.walker.hop, after.walker.energy) == (5, 0.0)
    assert after.found is not None
    assert not after.found.accepted


def test_at_a_known_minimum_it_heats_returns_and_widens():
    here = at_minimum()
    known = [Minimum(here.structure, 9.0), Minimum(here.structure, 0.3)]
    after = scripted(here, to(0.31), parameters(beta1=1.3, beta2=1.5, alpha2=1.2), known)
    assert after.walker.temperature_k == pytest.approx(1.5)
    assert after.walker.energy_window == pytest.approx(0.6)
    assert after.walker.energy == 0.0
    assert after.walker.structure is here.structure


def test_a_new_minimum_within_the_window_is_taken_cooler_and_narrower():
    after = scripted(at_minimum(), to(0.49), parameters(beta3=0.8, alpha1=0.9))
    assert after.walker.temperature_k == pytest.approx(0.8)
    assert after.walker.energy_window == pytest.approx(0.45)
    assert after.walker.energy == 0.49
    assert after.found is not None
    assert after.found.accepted
    assert after.walker.structure is after.found.structure


@pytest.mark.parametrize("energy", [0.5, 0.7])
def test_a_new_minimum_at_the_window_or_above_is_refused_cooler_and_wider(energy):
    here = at_minimum()
    after = scripted(here, to(energy), parameters(beta3=0.8, alpha2=1.2))
    assert after.walker.temperature_k == pytest.approx(0.8)
    assert after.walker.energy_window == pytest.approx(0.6)
    assert (after.walker.energy, after.walker.structure) == (0.0, here.structure)
    assert after.found is not None
    assert (after.found.energy, after.found.accepted, after.found.temperature_k) == (energy, False, 1.0)


def test_the_published_feedback_is_the_default():
    heated = scripted(at_minimum(), to(0.0), parameters()).walker
    taken = scripted(at_minimum(), to(-1.0), parameters()).walker
    refused = scripted(at_minimum(), to(1.0), parameters()).walker
    assert (heated.temperature_k, heated.energy_window) == pytest.approx((1.1, 0.5))
    assert (taken.temperature_k, taken.energy_window) == pytest.approx((1 / 1.1, 0.5 * 0.98))
    assert (refused.temperature_k, refused.energy_window) == pytest.approx((1 / 1.1, 0.5 / 0.98))


def test_the_temperature_has_a_ceiling():
    settings = parameters(temperature_k=1.0, max_temperature_k=1.05)
    assert scripted(at_minimum(), to(0.0), settings).walker.temperature_k == 1.05


def test_what_has_not_converged_is_never_taken():
    settings = parameters(max_relaxation_steps=1)
    after = scripted(at_minimum(), [*to(-1.0), -1.5], settings, force=0.2)
    assert after.found is not None
    assert (after.found.converged, after.found.accepted, after.walker.energy) == (False, False, 0.0)


def test_what_has_an_anomaly_is_refused_cooler_however_low():
    here = at_minimum()
    after = scripted(here, to(-3.0), parameters(beta3=0.8, alpha1=0.9, alpha2=1.2), anomalies=("dissociated",))
    assert after.found is not None
    assert (after.found.anomalies, after.found.accepted) == (("dissociated",), False)
    assert (after.walker.temperature_k, after.walker.energy_window) == pytest.approx((0.8, 0.5))
    assert (after.walker.energy, after.walker.structure) == (0.0, here.structure)


def test_an_anomaly_that_the_job_asks_for_is_taken():
    settings = parameters().model_copy(update={"selection": Selection(include_anomalous=True)})
    after = scripted(at_minimum(), to(-3.0), settings, anomalies=("reconstructed",))
    assert (after.walker.energy, after.found and after.found.accepted) == (-3.0, True)


def test_a_placement_whose_minimum_is_unsound_is_hopped_from_as_restraints_held_it():
    class Tether:
        """Holds the adsorbate where it is against a force of 0.2 eV/Å along each axis."""

        def evaluate(self, positions: Floats) -> tuple[float, Floats]:
            return 0.2, np.where(start.structure.adsorbate[:, None], -0.2, 0.0) * np.ones(3)

    start = hopping.begin(co_on_copper(), ONE_MINIMUM, (0,))
    settings = parameters(max_relaxation_steps=2)
    after = scripted(start, [-1.0, -1.5, -2.0], settings, restraints=Tether(), force=0.2)
    assert after.found is not None
    assert (after.found.energy, after.found.converged) == (-2.0, False)
    assert after.found.structure.digest != start.structure.digest
    assert (after.walker.energy, after.walker.structure.digest) == (-1.0, start.structure.digest)


def test_what_restraints_held_is_let_go_gently():
    """A bond stretched to a shallow minimum just beyond its spring's threshold, with no barrier worth the name behind it."""
    minimum, edge, stiffness = 1.30, 1.42, 0.8

    class Held:
        def evaluate(self, positions: Floats) -> tuple[float, Floats]:
            vector = positions[-1] - positions[-2]
            length = float(np.linalg.norm(vector))
            excess = max(0.0, length - 1.25)
            forces = np.zeros_like(positions)
            forces[-2], forces[-1] = 30.0 * excess * vector / length, -30.0 * excess * vector / length
            return 15.0 * excess**2, forces

    class Shallow:
        card = EMT_MEMBER.card

        def evaluate(self, structures: Sequence[Structure]) -> list[Evaluation]:
            return [self.one(structure.positions) for structure in structures]

        def one(self, positions: Floats) -> Evaluation:
            vector = positions[-1] - positions[-2]
            length = float(np.linalg.norm(vector))
            slope = 6.0 * (length - minimum) if length < edge else -stiffness
            forces = np.zeros_like(positions)
            forces[-2], forces[-1] = slope * vector / length, -slope * vector / length
            return Evaluation(3.0 * (length - minimum) ** 2, forces)

    after = engine.run(
        hopping.hop(hopping.begin(co_on_copper(), ONE_MINIMUM, (0,)), (), Held(), parameters()), Shallow()
    )
    assert after.found is not None
    assert after.found.converged
    length = np.linalg.norm(after.found.structure.positions[-1] - after.found.structure.positions[-2])
    assert length == pytest.approx(minimum, abs=0.02)


def test_the_energy_of_restraints_decides_nothing():
    class Constant:
        def evaluate(self, positions: Floats) -> tuple[float, Floats]:
            return 30.0, np.zeros_like(positions)

    after = scripted(at_minimum(), to(0.3), parameters(), restraints=Constant())
    assert after.found is not None
    assert (after.found.energy, after.found.accepted, after.walker.energy) == (0.3, True, 0.3)


def test_a_hop_however_hot_makes_a_move():
    here = at_minimum(temperature_k=1e7)
    wants = next(hopping.hop(here, (), None, parameters(max_temperature_k=2e7, masses=Masses.ATOMIC)))
    moves = np.linalg.norm(wants.structure.positions - here.structure.positions, axis=1)
    assert 0.25 < moves.max() <= 0.5


@pytest.mark.parametrize(("energies", "calls"), [([np.nan], 1), ([0.5, -0.1, np.inf], 3)])
def test_a_hop_that_diverges_is_refused_and_its_force_calls_count(energies, calls):
    after = scripted(at_minimum(), energies, parameters(beta3=0.8, alpha2=1.2))
    assert after.found is None
    assert (after.walker.hop, after.walker.energy, after.walker.force_calls) == (5, 0.0, 100 + calls)
    assert (after.walker.temperature_k, after.walker.energy_window) == pytest.approx((0.8, 0.6))


def test_a_placement_that_diverges_is_a_failure():
    with pytest.raises(Diverged):
        scripted(hopping.begin(co_on_copper(), ONE_MINIMUM, (0,)), [np.nan], parameters())


def test_every_force_call_is_counted():
    # three of the escape, whose last is the relaxation's first, and one move
    after = scripted(at_minimum(), [*to(-1.0), -1.5], parameters(max_relaxation_steps=1), force=0.2)
    assert after.found is not None
    assert (after.found.force_calls, after.walker.force_calls) == (4, 104)


def test_each_hop_draws_for_itself():
    plain = parameters(masses=Masses.ATOMIC, confined=False)
    firsts = [next(hopping.hop(at_minimum(hop=hop), (), None, plain)).structure for hop in (4, 5, 4)]
    here = at_minimum().structure
    drawn = AtomicMasses(here, 1.0).velocities(1.0, np.random.default_rng([0, 1, 4]))
    assert firsts[0].positions == pytest.approx(here.positions + units.fs * drawn, abs=1e-12)
    assert firsts[2].digest == firsts[0].digest != firsts[1].digest


def test_why_a_walker_ends():
    settings = parameters(hops=6, patience=2)
    assert hopping.ended(at_minimum(hop=6), (), settings) is None
    assert hopping.ended(at_minimum(hop=7), (), settings) == "hops"
    assert hopping.ended(at_minimum(), (), settings, 101) is None
    assert hopping.ended(at_minimum(), (), settings, 100) == "budget"
    own = parameters(hops=6, max_force_calls=100)
    assert hopping.ended(at_minimum(), (), own, 10**6) == hopping.ended(at_minimum(), (), own) == "budget"
    assert hopping.ended(at_minimum(force_calls=99), (), own, 10**6) is None
    # a gain within the tolerance of 0.02 eV is none
    assert hopping.ended(at_minimum(), (-1.0, -1.0), settings) is None
    assert hopping.ended(at_minimum(), (-1.0, -1.01, -1.015), settings) == "patience"
    assert hopping.ended(at_minimum(), (-1.0, -1.0, -1.1), settings) is None
    assert hopping.ended(at_minimum(), (-1.0, -1.1, -1.1), settings) is None
    assert hopping.ended(at_minimum(), (-1.0, -1.1, -1.1, -1.1), settings) == "patience"


OH = Atoms("OH", [(0, 0, 0), (0, 0.3, 1.0)])
WATER = Atoms("OH2", [(0, 0, 0), (0.76, 0, 0.59), (-0.76, 0, 0.59)])


def on_silver(molecule: Atoms, facet: Callable[..., Atoms]) -> Structure:
    slab = facet("Ag", (2, 2, 2), vacuum=7.0, periodic=True)
    layers = slab.get_tags()
    add_adsorbate(slab, molecule, 1.6, "ontop")
    slab.set_constraint(FixAtoms(np.flatnonzero(layers > 1)))
    surface = np.append(layers == 1, [False] * len(molecule))
    return Structure.from_atoms(slab, adsorbate=np.arange(len(slab)) >= len(layers), surface=surface)


@pytest.mark.parametrize(("molecule", "facet"), [(OH, fcc111), (WATER, fcc100)])
def test_no_hop_is_for_nothing_where_bonds_are_longer_than_in_the_placement(molecule, facet):
    """EMT's O-H bonds on silver are half as long again as in the molecule: sound by the detector, and far beyond the springs'
    thresholds as measured from the placement."""
    placement = on_silver(molecule, facet)
    clean = relaxed(placement.only(placement.slab)).structure
    restraints = Restraints.build(placement, clean, SPRINGS)
    minimum = relaxed(relaxed(placement, restraints).structure)

    def judge(structure: Structure) -> tuple[str, ...]:
        return anomalies.find(placement, structure, clean)

    assert minimum.converged
    assert not judge(minimum.structure)
    assert restraints.evaluate(minimum.structure.positions)[0] > 0.5
    walker = Walker(1, minimum.structure, minimum.energy, minimum.forces, 2000.0, 0.5, (5, 0), 0)
    known = [Minimum(minimum.structure, minimum.energy)]
    for _ in range(5):
        hop = engine.run(hopping.hop(walker, known, restraints, JobParameters(), judge), EMT_MEMBER)
        assert hop.found is not None
        assert hop.found.converged
        assert hop.found.force_calls == hop.walker.force_calls - walker.force_calls > 3
        walker = hop.walker


def relaxed(start: Structure, restraints: Restraints | None = None) -> Relaxation:
    how = {"restraints": restraints, "hessian": model_hessian(start), "damped": True}
    return engine.run(relax(start, fmax=0.05, max_steps=200, **how), EMT_MEMBER)


def elsewhere_on_copper(walker: Walker, height: float) -> Structure:
    there = walker.structure.positions.copy()
    there[walker.structure.adsorbate, 2] += height
    return walker.structure.moved(there)


def test_after_two_failures_in_a_row_a_walker_hops_from_another_minimum():
    stuck = at_minimum(failures=2)
    broken, known = elsewhere_on_copper(stuck, 0.6), elsewhere_on_copper(stuck, 0.3)
    beyond = Minimum(elsewhere_on_copper(stuck, 0.9), 0.6)  # above the window
    minima = [Minimum(stuck.structure, 0.0), Minimum(broken, -1.0), Minimum(known, 0.2), beyond]

    def judge(structure: Structure) -> tuple[str, ...]:
        return ("dissociated",) if structure.digest == broken.digest else ()

    walk = hopping.hop(stuck, minima, None, parameters(), judge)
    wants = next(walk)
    assert wants.structure.digest == known.digest
    forces = np.zeros((len(known), 3))
    wants = reply(walk, wants, Evaluation(0.21, forces))
    assert np.abs(wants.structure.positions - known.positions).max() < 0.1
    after = finished(walk, wants, to(2.0))
    assert after.found is not None
    assert after.found.force_calls == 4
    # refused, it stays where it went
    assert (after.walker.structure.digest, after.walker.energy, after.walker.failures) == (known.digest, 0.21, 0)
    assert after.walker.force_calls == stuck.force_calls + 4


@pytest.mark.parametrize(("failures", "energy"), [(1, 0.2), (2, 0.6)])
def test_a_walker_stays_until_it_has_failed_twice_and_where_it_knows_nothing_better(failures, energy):
    here = at_minimum(failures=failures)
    minima = [Minimum(elsewhere_on_copper(here, 0.3), energy)]
    wants = next(hopping.hop(here, minima, None, parameters()))
    assert np.abs(wants.structure.positions - here.structure.positions).max() < 0.1


def test_failures_are_counted_until_something_sound_is_found():
    counted = [
        scripted(at_minimum(failures=1), to(-3.0), parameters(), anomalies=("dissociated",)).walker.failures,
        scripted(at_minimum(failures=1), [np.nan], parameters()).walker.failures,
        scripted(at_minimum(failures=1), to(0.01), parameters()).walker.failures,
        scripted(at_minimum(failures=1), to(0.7), parameters()).walker.failures,
    ]
    assert counted == [2, 2, 0, 0]
