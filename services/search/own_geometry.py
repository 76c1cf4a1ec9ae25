"""How a member that only scores a candidate relaxes it first, so that its energy is of a geometry of its own.

A candidate is a minimum of the member that found it. Another one's minimum lies a few tenths of an Å away, on a slab that this
member relaxes otherwise: an energy at the finder's geometry holds the strain of both, and the clean slab, which it is measured
against, holds none. A few steps take it off (docs/scoring.md has the measurement, docs/decisions/0022 why so many).

The answer is never above the single evaluation: the lowest geometry on the way counts. It is never of another minimum: where the walk
breaks the molecule or leaves the site, the candidate's own geometry counts, and it is said why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from ase.data import chemical_symbols

from services.forces.potential import Evaluation, Request, Walk
from services.geometry import anomalies
from services.search.curvature import model_hessian
from services.search.minimisation import relax
from shared.errors import Diverged
from shared.parameters import Hopping
from shared.structures import Floats, Structure

FURTHEST = 0.7
"""Å that an adsorbate atom may go. From a bridge to the next hollow of a close-packed metal it is 0.72 Å (Ni) to 0.83 Å (Ag, Au),
from hollow to hollow twice that: what goes no further has kept its site."""


@dataclass(frozen=True, eq=False)
class Scored:
    """One member's energy of a candidate, and the geometry that it is of."""

    structure: Structure
    evaluation: Evaluation
    """Bare, at `structure`."""
    steps: int = 0
    """That were made; one force call each, after the one at the candidate's geometry."""
    displacement: float | None = None
    """How far the atom that went furthest is from its place in the candidate, Å; None where `structure` is the candidate's own."""
    left_minimum: str | None = None
    """How the walk left the candidate's minimum, in words: `dissociated`, `O moved 0.94 Å`; None where it didn't."""


def scored(candidate: Structure, clean_slab: Structure, *, steps: int, parameters: Hopping) -> Walk[Scored]:
    """Evaluate a candidate, then relax it without restraints by at most `steps` moves, to `parameters.fmax`; with 0 that is all.

    clean_slab: the relaxed clean slab by the member that scores, atoms in the order of the candidate's slab. Raises Diverged where
    the candidate itself can't be evaluated; a walk that runs away later counts as one that left the minimum.
    """
    here = (yield Request(candidate)).evaluation
    own = Scored(candidate, here)
    if steps == 0:
        return own
    walk = relax(
        candidate,
        fmax=parameters.fmax,
        max_steps=steps,
        max_step=parameters.max_step,
        first=here,
        hessian=model_hessian(candidate) if parameters.model_curvature else None,
        damped=parameters.damped,
    )
    lowest, made = own, 0
    try:
        wants = next(walk)
        while True:
            answer = yield wants
            made += 1
            if answer.energy < lowest.evaluation.energy:
                lowest = Scored(wants.structure, answer.evaluation)
            wants = walk.send(answer)
    except StopIteration:
        pass
    except Diverged as failure:
        return replace(own, steps=made, left_minimum=str(failure))
    if lowest is own:
        return replace(own, steps=made)
    moved = np.linalg.norm(lowest.structure.positions - candidate.positions, axis=1)
    left = _left(candidate, lowest.structure, moved, clean_slab)
    if left is not None:
        return replace(own, steps=made, left_minimum=left)
    return replace(lowest, steps=made, displacement=float(moved.max()))


def _left(candidate: Structure, relaxed: Structure, moved: Floats, clean_slab: Structure) -> str | None:
    """How the relaxed candidate is another minimum, in words; None where it is the same. moved: Å [n_atoms]."""
    found = anomalies.find(candidate, relaxed, clean_slab)
    if found:
        # what the candidate shows too, held to this member's slab, is nothing that the walk did
        found = tuple(name for name in found if name not in anomalies.find(candidate, candidate, clean_slab))
    if found:
        return ", ".join(found)
    atom = max(np.flatnonzero(candidate.adsorbate).tolist(), key=lambda index: float(moved[index]), default=None)
    if atom is None or moved[atom] <= FURTHEST:
        return None
    return f"{chemical_symbols[candidate.numbers[atom]]} moved {moved[atom]:.2f} Å"
