"""Anomalies of a relaxed adslab, by the community's own detector.

`DetectTrajAnomaly` of fairchem-data-oc: atoms are bonded within the sum of their covalent radii times m plus 0.3 Å each; m = 1 for
dissociation and intercalation, 1.5 for desorption, and 1.5 as a cushion both ways for the slab, compared with the relaxed clean slab.
Lan et al., npj Comput. Mater. 9, 172 (2023), doi:10.1038/s41524-023-01121-5.
"""

from __future__ import annotations

import numpy as np
from fairchem.data.oc.utils import DetectTrajAnomaly

from services.geometry.contacts import neighbours, radius_sums
from shared.errors import InvalidInput
from shared.soundness import Anomaly
from shared.structures import Structure

_SKIN = 0.6
"""Å: the detector's neighbour list adds 0.3 Å for each of the two atoms."""


def find(start: Structure, relaxed: Structure, clean_slab: Structure) -> tuple[str, ...]:
    """Names of what went wrong between the placement and the candidate; empty for a sound one.

    clean_slab: the relaxed clean slab by the member that relaxed the candidate, atoms in the order of the adslab's slab.
    Raises InvalidInput where the three don't hold the same atoms in the same order.
    """
    slab_numbers = relaxed.numbers[relaxed.slab]
    if not np.array_equal(start.tags, relaxed.tags) or not np.array_equal(start.numbers, relaxed.numbers):
        raise InvalidInput("start and relaxed adslab differ in their atoms", field="relaxed")
    if not np.array_equal(slab_numbers, clean_slab.numbers):
        raise InvalidInput("the clean slab's atoms are not those of the adslab's slab", field="clean_slab")
    detector = DetectTrajAnomaly(
        start.to_atoms(), relaxed.to_atoms(), relaxed.tags.tolist(), final_slab_atoms=clean_slab.to_atoms()
    )
    anomalies = []
    if detector.is_adsorbate_dissociated():
        anomalies.append(Anomaly.DISSOCIATED)
    left = _left_across_the_vacuum(relaxed)
    if detector.is_adsorbate_desorbed() or left:
        anomalies.append(Anomaly.DESORBED)
    if detector.is_adsorbate_intercalated() and not left:
        anomalies.append(Anomaly.INTERCALATED)
    if detector.has_surface_changed():
        anomalies.append(Anomaly.RECONSTRUCTED)
    return tuple(anomalies)


def _left_across_the_vacuum(relaxed: Structure) -> bool:
    """Whether the molecule's only contacts are with the bottom of the periodic image above: the detector calls that
    intercalated where the bottom is subsurface atoms, and it has in fact desorbed."""
    mine, theirs = relaxed.only(relaxed.adsorbate), relaxed.only(relaxed.slab)
    reach = 1.5 * radius_sums(mine.numbers, theirs.numbers) + _SKIN
    first, second, vectors = neighbours(
        mine.positions, theirs.positions, relaxed.cell, relaxed.pbc, float(reach.max(initial=0.0))
    )
    touching = np.linalg.norm(vectors, axis=1) < reach[first, second]
    return bool(touching.any() and (vectors[touching] @ relaxed.normal > 0).all())
