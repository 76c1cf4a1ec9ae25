"""Anomalies of a relaxed adslab, by the community's own detector.

`DetectTrajAnomaly` of fairchem-data-oc: atoms are bonded within the sum of their covalent radii times m plus 0.3 Å each; m = 1 for
dissociation and intercalation, 1.5 for desorption, and 1.5 as a cushion both ways for the slab, compared with the relaxed clean slab.
Lan et al., npj Comput. Mater. 9, 172 (2023), doi:10.1038/s41524-023-01121-5.

Two things are judged otherwise. Whether a molecule is whole is asked of the molecule alone, in one piece and without its periodic
images, so that touching one's own image is neither a bond nor the loss of one. And what was adsorbed on the slab before, once the
molecule has bonded to it, is part of the molecule: that is a reaction, not a rebuilt surface (services.geometry.reactions).
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from fairchem.data.oc.utils import DetectTrajAnomaly

from services.geometry.contacts import neighbours, radius_sums
from services.geometry.reactions import joined, pre_adsorbates
from shared import molecules
from shared.errors import InvalidInput
from shared.soundness import Anomaly
from shared.structures import Structure


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
    reacted = joined(relaxed, pre_adsorbates(start))
    anomalies = [Anomaly.DISSOCIATED] if _dissociated(start, relaxed) else []
    if reacted.any():
        kept = ~reacted
        clean_slab = clean_slab.only(kept[start.slab])
        start, relaxed = start.only(kept), relaxed.only(kept)
    detector = DetectTrajAnomaly(
        start.to_atoms(), relaxed.to_atoms(), relaxed.tags.tolist(), final_slab_atoms=clean_slab.to_atoms()
    )
    left = _left_across_the_vacuum(relaxed)
    if detector.is_adsorbate_desorbed() or left:
        anomalies.append(Anomaly.DESORBED)
    if detector.is_adsorbate_intercalated() and not left:
        anomalies.append(Anomaly.INTERCALATED)
    if detector.has_surface_changed():
        anomalies.append(Anomaly.RECONSTRUCTED)
    if reacted.any():
        anomalies.append(Anomaly.REACTED)
    return tuple(anomalies)


def _dissociated(start: Structure, relaxed: Structure) -> bool:
    """Whether the molecule's own bonds are others than in the placement, or it is in pieces: a placement that was torn already
    holds no molecule either."""
    numbers = start.numbers[start.adsorbate]
    before, after = start.positions[start.adsorbate], relaxed.positions[relaxed.adsorbate]
    tree = molecules.links(numbers, before, start.cell, start.pbc)
    whole = [
        Atoms(numbers, molecules.along(tree, positions, one.cell, one.pbc))
        for one, positions in ((start, before), (relaxed, after))
    ]
    if DetectTrajAnomaly(*whole, [2] * len(numbers)).is_adsorbate_dissociated():
        return True
    return len(molecules.pieces(molecules.bonds(numbers, whole[1].positions))) > 1


def _left_across_the_vacuum(relaxed: Structure) -> bool:
    """Whether the molecule's only contacts are with the bottom of the periodic image above: the detector calls that
    intercalated where the bottom is subsurface atoms, and it has in fact desorbed."""
    mine, theirs = relaxed.only(relaxed.adsorbate), relaxed.only(relaxed.slab)
    reach = 1.5 * radius_sums(mine.numbers, theirs.numbers) + molecules.CUSHION
    first, second, vectors = neighbours(
        mine.positions, theirs.positions, relaxed.cell, relaxed.pbc, float(reach.max(initial=0.0))
    )
    touching = np.linalg.norm(vectors, axis=1) < reach[first, second]
    return bool(touching.any() and (vectors[touching] @ relaxed.normal > 0).all())
