"""Anomalies by the community's detector itself: what services.geometry.anomalies is compared with, and measured against."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from fairchem.data.oc.utils import DetectTrajAnomaly

from services.geometry.contacts import neighbours, radius_sums
from services.geometry.reactions import joined, pre_adsorbates
from shared import molecules
from shared.soundness import Anomaly
from shared.structures import Mask, Structure


def find(start: Structure, relaxed: Structure, clean_slab: Structure) -> tuple[str, ...]:
    """As `services.geometry.anomalies.find`: `DetectTrajAnomaly`, with what is judged otherwise arranged around it."""
    reacted = joined(relaxed, pre_adsorbates(start))
    anomalies = [Anomaly.DISSOCIATED] if _dissociated(start, relaxed) else []
    overlaps = _overlapping(relaxed)
    overlaps[np.ix_(start.slab, start.slab)] &= ~_overlapping(clean_slab)
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
    if overlaps.any():
        anomalies.append(Anomaly.OVERLAPPING)
    return tuple(anomalies)


def _dissociated(start: Structure, relaxed: Structure) -> bool:
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


def _overlapping(structure: Structure) -> Mask:
    """Pairs that are nearer than in any bond, by ASE's distances [n_atoms, n_atoms]."""
    apart = structure.to_atoms().get_all_distances(mic=True)
    radii = covalent_radii[structure.numbers]
    return np.asarray((apart < 0.65 * (radii[:, None] + radii)) & ~np.eye(len(radii), dtype=bool))


def _left_across_the_vacuum(relaxed: Structure) -> bool:
    mine, theirs = relaxed.only(relaxed.adsorbate), relaxed.only(relaxed.slab)
    reach = 1.5 * radius_sums(mine.numbers, theirs.numbers) + molecules.CUSHION
    first, second, vectors = neighbours(
        mine.positions, theirs.positions, relaxed.cell, relaxed.pbc, float(reach.max(initial=0.0))
    )
    touching = np.linalg.norm(vectors, axis=1) < reach[first, second]
    return bool(touching.any() and (vectors[touching] @ relaxed.normal > 0).all())
