"""Constrained minima hopping: one walker, one hop at a time.

Goedecker, J. Chem. Phys. 120, 9911 (2004), doi:10.1063/1.1724816; with Hookean restraints: Peterson, Top. Catal. 57, 40 (2014),
doi:10.1007/s11244-013-0161-8. Per hop: MD escape, relaxation, comparison with what is known, feedback on temperature and
energy window:

    same as the last    T *= beta1, return
    known               T *= beta2, return, E_diff *= alpha2
    unsound             T *= beta3, return
    new, E < E_last + E_diff    T *= beta3, accepted, E_diff *= alpha1
    new, otherwise              T *= beta3, return,   E_diff *= alpha2

Unsound is what did not converge, or has an anomaly: the escape was too violent. A walker that comes to nothing sound twice in a row
hops from another minimum of the job, where it knows one.

Restraints steer, and never rank: what is compared, accepted and returned is the minimum of the bare potential, relaxed at last
without restraints. They follow the walker: none acts at the minimum where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeAlias

import numpy as np

from services.forces.potential import Evaluation, Request, Restraining, Walk
from services.forces.restraints import Restraints
from services.geometry.similarity import same
from services.search.curvature import model_hessian
from services.search.dynamics import escape
from services.search.elsewhere import elsewhere
from services.search.minimisation import Relaxation, relax
from services.search.walker import Found, Hop, Minimum, Walker
from shared.errors import Diverged
from shared.parameters import Hopping, JobParameters
from shared.states import WalkerEnd
from shared.structures import Floats, Structure

RELEASE_STEP = 0.05
"""Å: the first move once restraints let go. What was learnt of the curvature holds their springs': a full step along a stretched bond
would pass a shallow minimum and break it."""

Judge: TypeAlias = Callable[[Structure], tuple[str, ...]]
"""Names of what is wrong with a relaxed adslab (services.geometry.anomalies); empty for a sound one."""


def _unjudged(structure: Structure) -> tuple[str, ...]:
    return ()


def begin(placement: Structure, parameters: Hopping, seed: Sequence[int]) -> Walker:
    """A walker before its hop 0. Hop r draws from a generator seeded with (*seed, r) alone, so it can be redone by itself."""
    return Walker(
        hop=0,
        structure=placement,
        energy=None,
        forces=None,
        temperature_k=parameters.temperature_k,
        energy_window=parameters.energy_window,
        seed=tuple(seed),
        force_calls=0,
    )


def hop(
    walker: Walker,
    known: Sequence[Minimum],
    restraints: Restraining | None,
    parameters: JobParameters,
    judge: Judge = _unjudged,
) -> Walk[Hop]:
    """The walker's next hop. `known` are the minima it may know of, earliest first.

    Raises Diverged where the placement itself can't be relaxed; later, a hop that diverges counts as rejected.
    """
    if walker.energy is None:
        return (yield from _first(walker, restraints, parameters, judge))
    return (yield from _counted(_attempt(walker, known, restraints, parameters, judge), walker, parameters.hopping))


def _first(walker: Walker, restraints: Restraining | None, parameters: JobParameters, judge: Judge) -> Walk[Hop]:
    """Where the minimum is unsound, the walker stays at what restraints held whole: hops from there may still reach a sound one."""
    steered, final = yield from _relax_twice(walker.structure, None, restraints, parameters.hopping)
    calls = steered.force_calls + final.force_calls
    found = _found(final, judge(final.structure), accepted=True, temperature_k=None, force_calls=calls)
    return Hop(_moved_on(walker, calls, final if found.sound(parameters.selection) else steered), found)


def _counted(attempt: Walk[Hop], walker: Walker, parameters: Hopping) -> Walk[Hop]:
    """The attempt; where it diverges it counts as rejected, and its force calls as spent."""
    calls = 0
    try:
        wants = next(attempt)
        while True:
            calls += 1
            wants = attempt.send((yield wants))
    except StopIteration as stop:
        after: Hop = stop.value
        return after
    except Diverged:
        return Hop(_cooled(walker, parameters, calls), None)


def _attempt(
    walker: Walker,
    known: Sequence[Minimum],
    restraints: Restraining | None,
    parameters: JobParameters,
    judge: Judge,
) -> Walk[Hop]:
    hopping, calls = parameters.hopping, 0
    rng = np.random.default_rng([*walker.seed, walker.hop])
    other = elsewhere(walker, known, rng, parameters, judge)
    if other is not None:
        structure, calls = walker.structure.moved(other.structure.positions), 1
        there = (yield Request(structure)).evaluation
        walker = replace(walker, structure=structure, energy=there.energy, forces=there.forces, failures=0)
    here = Evaluation(_energy(walker), _forces(walker))
    if isinstance(restraints, Restraints) and _at_rest(walker, hopping):
        restraints = restraints.following(walker.structure)
    escaped = yield from escape(
        walker.structure,
        here,
        temperature_k=walker.temperature_k,
        rng=rng,
        parameters=hopping,
        restraints=restraints,
    )
    steered, final = yield from _relax_twice(escaped.structure, escaped.evaluation, restraints, hopping)
    calls += escaped.force_calls + steered.force_calls + final.force_calls
    found = _found(final, judge(final.structure), accepted=False, temperature_k=walker.temperature_k, force_calls=calls)
    return _feedback(walker, known, final, found, parameters)


def _feedback(
    walker: Walker, known: Sequence[Minimum], final: Relaxation, found: Found, parameters: JobParameters
) -> Hop:
    hopping, tolerances = parameters.hopping, parameters.similarity
    here, last = Minimum(found.structure, found.energy), Minimum(walker.structure, _energy(walker))
    accepted, sound = False, found.sound(parameters.selection)
    if not sound:
        factor, window = hopping.beta3, 1.0
    elif same(here, last, tolerances):
        factor, window = hopping.beta1, 1.0
    elif any(same(here, other, tolerances) for other in known):
        factor, window = hopping.beta2, hopping.alpha2
    else:
        accepted = here.energy < last.energy + walker.energy_window
        factor, window = hopping.beta3, hopping.alpha1 if accepted else hopping.alpha2
    heated = replace(
        walker,
        temperature_k=min(walker.temperature_k * factor, hopping.max_temperature_k),
        energy_window=walker.energy_window * window,
        failures=0 if sound else walker.failures + 1,
    )
    moved = _moved_on(heated, found.force_calls, final if accepted else None)
    return Hop(moved, replace(found, accepted=accepted))


def ended(
    walker: Walker,
    best_by_round: Sequence[float],
    parameters: JobParameters,
    force_call_share: int | None = None,
) -> WalkerEnd | None:
    """Why the walker stops here, or None.

    best_by_round[k]: lowest bare energy, eV, that the job's walkers of this member found in rounds <= k, for the rounds that
    this walker may know of. force_call_share: force calls this walker may use.
    """
    hopping = parameters.hopping
    if walker.hop > hopping.hops:
        return WalkerEnd.HOPS
    shares = [share for share in (force_call_share, hopping.max_force_calls) if share is not None]
    if shares and walker.force_calls >= min(shares):
        return WalkerEnd.BUDGET
    if len(best_by_round) > hopping.patience:
        before, now = best_by_round[-1 - hopping.patience], best_by_round[-1]
        if now >= before - parameters.similarity.energy:
            return WalkerEnd.PATIENCE
    return None


def _relax_twice(
    start: Structure, first: Evaluation | None, restraints: Restraining | None, parameters: Hopping
) -> Walk[tuple[Relaxation, Relaxation]]:
    """With restraints, then without. Where no restraint acts at the first minimum, the second costs nothing."""
    again = partial(
        relax,
        fmax=parameters.fmax,
        max_steps=parameters.max_relaxation_steps,
        max_step=parameters.max_step,
        damped=parameters.damped,
        turning=parameters.turning,
    )
    model = model_hessian(start) if parameters.model_curvature else None
    steered = yield from again(start, restraints=restraints, first=first, hessian=model)
    if restraints is None or (steered.converged and steered.restraint_energy == 0.0):
        return steered, replace(steered, steps=0, force_calls=0)
    learnt = steered.curvature if parameters.model_curvature else None
    final = yield from again(steered.structure, first=steered.evaluation, curvature=learnt, first_step=RELEASE_STEP)
    return steered, final


def _found(
    final: Relaxation, anomalies: tuple[str, ...], *, accepted: bool, temperature_k: float | None, force_calls: int
) -> Found:
    return Found(
        structure=final.structure,
        energy=final.energy,
        fmax=final.fmax,
        converged=final.converged,
        anomalies=anomalies,
        accepted=accepted,
        temperature_k=temperature_k,
        force_calls=force_calls,
    )


def _moved_on(walker: Walker, calls: int, to: Relaxation | None) -> Walker:
    """The walker before its next hop, at a new minimum or where it was."""
    walker = replace(walker, hop=walker.hop + 1, force_calls=walker.force_calls + calls)
    if to is None:
        return walker
    return replace(walker, structure=to.structure, energy=to.energy, forces=to.forces)


def _cooled(walker: Walker, parameters: Hopping, calls: int) -> Walker:
    """After a hop that diverged: cooler, with a wider window, at the same minimum."""
    return replace(
        walker,
        hop=walker.hop + 1,
        temperature_k=walker.temperature_k * parameters.beta3,
        energy_window=walker.energy_window * parameters.alpha2,
        force_calls=walker.force_calls + calls,
        failures=walker.failures + 1,
    )


def _at_rest(walker: Walker, parameters: Hopping) -> bool:
    """Whether it stands at a minimum of the bare potential: one that only restraints hold together has forces against theirs."""
    free = _forces(walker)[walker.structure.free]
    return float(np.linalg.norm(free, axis=1).max(initial=0.0)) < parameters.fmax


def _energy(walker: Walker) -> float:
    if walker.energy is None:
        raise ValueError("a walker has no energy before its hop 0")
    return walker.energy


def _forces(walker: Walker) -> Floats:
    if walker.forces is None:
        raise ValueError("a walker has no forces before its hop 0")
    return walker.forces
