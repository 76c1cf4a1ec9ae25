"""A structure that is scored as it was given: the place of a relaxation, without any."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from services.forces.potential import Request, Walk
from services.search.hopping import Judge
from services.search.walker import Found, Hop, Walker


def look(walker: Walker, judge: Judge) -> Walk[Hop]:
    """The walker's placement as a candidate, evaluated once. It counts as converged whatever its forces are: nothing was to be
    relaxed, and the forces are told with it. Raises Diverged where it can't be evaluated."""
    here = (yield Request(walker.structure)).evaluation
    forces = np.linalg.norm(here.forces[walker.structure.free], axis=1)
    found = Found(
        structure=walker.structure,
        energy=here.energy,
        fmax=float(forces.max(initial=0.0)),
        converged=True,
        anomalies=judge(walker.structure),
        accepted=True,
        temperature_k=None,
        force_calls=1,
    )
    after = replace(walker, hop=walker.hop + 1, energy=here.energy, forces=here.forces, force_calls=1)
    return Hop(after, found)
