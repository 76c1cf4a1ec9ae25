"""One search of one method on one system, and what its minima are worth: the same judge for all.

A minimum counts when it is converged without restraints, has no anomaly, and is none that the search had before
(services.geometry.similarity).
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks import ase_peer
from benchmarks.searches import Search, adhop, clean_slab
from benchmarks.systems import Case, build, starts
from services.geometry import anomalies
from services.geometry.similarity import equivalents, fingerprint
from shared.parameters import Hopping, JobParameters, Masses, Restraints, Similarity
from shared.soundness import is_sound
from shared.structures import Structure
from worker.potentials import registry

METHODS = ("bfgs", "restrained", "adhop", "ase")
LOOSE_METHODS = (*METHODS[:3], "unrestrained", "ase")
BUDGET = 1200
PLACEMENTS = 14
ASE_STARTS = 4
MANY = 200
LEVERS: dict[str, dict[str, Any]] = {
    "constant first Hessian": {"model_curvature": False},
    "undamped updates": {"damped": False},
    "turns along the tangent": {"turning": False},
    "atomic masses": {"masses": Masses.ATOMIC},
    "all atoms start moving": {"confined": False},
    "softened starts": {"softening": 5},
    "every placement hops": {"walkers": PLACEMENTS},
}
"""The whole search with one lever off, or for softening on."""


@dataclass(frozen=True)
class Task:
    """One search."""

    member: str
    case: Case
    method: str
    """One of METHODS, a key of LEVERS, or `unrestrained`, hopping of all atoms without restraints."""
    seed: int
    budget: int
    """Force calls."""


@dataclass(frozen=True)
class Result:
    """What one search found."""

    task: Task
    minima: list[tuple[int, float]]
    """Force calls and energy, eV, of each new sound one."""
    calls: int
    hops: int
    hop_calls: int
    """Force calls of hops."""
    without_minimum: int
    """Hops that found no converged minimum; not counted for ASE's."""
    without_call: int
    """Hops that cost no force call."""
    relaxed: int
    """How many structures it relaxed."""
    labels: dict[str, int]
    """Anomalies of everything it relaxed."""
    seconds: float


_load = lru_cache(registry.load)


def run(task: Task) -> Result:
    """Search, then judge."""
    warnings.simplefilter("ignore")
    potential = _load(task.member)
    system = build(task.case)
    slab = clean_slab(potential, system.slab)
    count = {"bfgs": MANY, "restrained": MANY, "ase": ASE_STARTS}.get(task.method, PLACEMENTS)
    begun = starts(system, count, task.seed)
    began = time.monotonic()
    if task.method == "ase":
        found = ase_peer.minima_hopping(potential, begun, task.budget, task.seed)
    else:
        found = adhop(potential, begun, slab, _parameters(task), task.budget)
    seconds = time.monotonic() - began
    minima, labels = _judged(found, begun, slab)
    return Result(
        task,
        minima,
        found.calls,
        found.hops,
        found.hop_calls,
        found.without_minimum,
        found.without_call,
        len(found.events),
        dict(labels),
        seconds,
    )


def _parameters(task: Task) -> JobParameters:
    method = task.method
    if method in ("bfgs", "restrained"):
        hopping = Hopping(hops=0, model_curvature=False, damped=False, turning=False)
    else:
        changed = {"confined": False} if method == "unrestrained" else LEVERS.get(method, {})
        hopping = Hopping(hops=1000, patience=1000, **changed)
    restraints = Restraints(enabled=method not in ("bfgs", "unrestrained"))
    return JobParameters(seed=task.seed, hopping=hopping, restraints=restraints)


def _judged(found: Search, begun: list[Structure], slab: Structure) -> tuple[list[tuple[int, float]], Counter[str]]:
    tolerances = Similarity()
    labels: Counter[str] = Counter()
    prints: list[Any] = []
    energies: list[float] = []
    minima = []
    for event in found.events:
        names = anomalies.find(begun[event.start], event.structure, slab)
        labels.update(names or ())
        labels["any"] += bool(names)
        if not is_sound(event.converged, names):
            continue
        own = fingerprint(event.structure)
        if prints and equivalents(own, event.energy, np.array(prints), np.array(energies), tolerances).any():
            continue
        prints.append(own)
        energies.append(event.energy)
        minima.append((event.calls, event.energy))
    return minima, labels
