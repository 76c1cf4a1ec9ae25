"""Anomalies of a relaxed adslab, by the community's definition.

It is that of `DetectTrajAnomaly` in fairchem-data-oc, with which the tests compare: atoms are bonded within the sum of their covalent
radii times m plus 0.3 Å each; m = 1 for dissociation and intercalation, 1.5 for desorption, and 1.5 as a cushion both ways for the
slab, compared with the relaxed clean slab. Lan et al., npj Comput. Mater. 9, 172 (2023), doi:10.1038/s41524-023-01121-5.

Three things are judged otherwise. Whether a molecule is whole is asked of the molecule alone, in one piece and without its periodic
images, so that touching one's own image is neither a bond nor the loss of one. What was adsorbed on the slab before, once the
molecule has bonded to it, is part of the molecule: that is a reaction, not a rebuilt surface (services.geometry.reactions). And what
left across the vacuum, to the bottom of the periodic image above, has desorbed, not intercalated.

And one thing that the detector doesn't ask: whether two atoms lie closer to each other than in any bond (`SHORTEST`). Potentials that
were never taught such distances have minima there, and those that learned from the same data have them in common, so that no spread
tells (docs/decisions/0052).

A candidate is compared with a `Baseline`, which holds what depends on the placement and the clean slab alone. Of the slab, only pairs
that moved far enough for a bond to change are measured (docs/decisions/0037).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.geometry.contacts import distances, neighbours, pair_vectors, radii, radius_sums
from services.geometry.kept import by_content
from services.geometry.reactions import joined, pre_adsorbates
from shared import molecules
from shared.errors import InvalidInput
from shared.periodic import Lattice
from shared.soundness import Anomaly
from shared.structures import Floats, Integers, Mask, Structure

KEPT = 256
"""Placements, and clean slabs, of which it is kept what candidates are compared with."""
_ATOMS = ("numbers", "adsorbate", "surface")
_SKIN = 0.3
"""Å that the detector's neighbour list adds to each atom."""
_WIDE = 1.5
"""Its cushion, as a factor of covalent radii."""
SHORTEST = 0.65
"""Times the covalent radii: atoms nearer than this overlap. The shortest bonds there are: N2 0.77, CO 0.79, V=O 0.72, uranyl 0.67."""
_CLEARLY = 1e-9
"""Å: more than rounding makes of a distance."""


@dataclass(frozen=True, eq=False)
class Baseline:
    """A placement and the relaxed clean slab, with what of them every candidate is compared with."""

    start: Structure
    clean: Structure
    before: Mask
    """What was adsorbed on the slab before [n_atoms]."""
    tree: molecules.Links
    """Of the molecule, by which it is laid out in one piece."""
    bonded: Mask
    """The molecule's bonds [n_molecule, n_molecule]."""
    whole: bool
    """Whether they hold it together."""
    tight: Floats
    """Distance below which the molecule is bonded to each atom of the slab, Å [n_molecule, n_slab]."""
    wide: Floats
    """The same with the cushion, Å [n_molecule, n_slab]."""
    shortest: Floats
    """Distance below which atoms of the molecule overlap each other, then those of the slab, Å [n_molecule, n_molecule + n_slab]."""

    def find(self, relaxed: Structure) -> tuple[str, ...]:
        """Names of what went wrong between the placement and the candidate; empty for a sound one. Raises InvalidInput where the
        two don't hold the same atoms in the same order."""
        start = self.start
        if not all(np.array_equal(getattr(start, what), getattr(relaxed, what)) for what in _ATOMS):
            raise InvalidInput("start and relaxed adslab differ in their atoms", field="relaxed")
        reacted = joined(relaxed, self.before)
        left_alone = ~reacted[start.slab]
        anomalies = [Anomaly.DISSOCIATED] if self._dissociated(relaxed) else []
        mine, theirs = relaxed.positions[start.adsorbate], relaxed.positions[start.slab]
        vectors = pair_vectors(mine, theirs, relaxed.cell, relaxed.pbc)
        lengths = np.sqrt((vectors * vectors).sum(axis=-1))
        touching = (lengths < self.wide) & left_alone
        left = bool(touching.any()) and self._left_across_the_vacuum(relaxed, vectors[touching], ~reacted)
        if left or not touching.any():
            anomalies.append(Anomaly.DESORBED)
        subsurface = left_alone & ~start.surface[start.slab]
        if not left and ((lengths < self.tight) & subsurface).any():
            anomalies.append(Anomaly.INTERCALATED)
        slab = _slab_contacts(self.clean)
        if slab.changed(theirs, relaxed.cell, relaxed.pbc, left_alone):
            anomalies.append(Anomaly.RECONSTRUCTED)
        if reacted.any():
            anomalies.append(Anomaly.REACTED)
        apart = np.hstack([_apart(mine, relaxed.cell, relaxed.pbc), lengths])
        if (apart < self.shortest).any() or slab.overlapping(theirs, relaxed.cell, relaxed.pbc):
            anomalies.append(Anomaly.OVERLAPPING)
        return tuple(anomalies)

    def _dissociated(self, relaxed: Structure) -> bool:
        """Whether the molecule's own bonds are others than in the placement, or it is in pieces: a placement that was torn already
        holds no molecule either."""
        return not self.whole or not np.array_equal(_own_bonds(relaxed, self.tree), self.bonded)

    def _left_across_the_vacuum(self, relaxed: Structure, vectors: Floats, kept: Mask) -> bool:
        """Whether the molecule's only contacts are with the bottom of the periodic image above. vectors: of its contacts by their
        nearest images, Å [n_contacts, 3]; kept: what counts as slab and molecule [n_atoms]."""
        normal = relaxed.only(kept).normal if not kept.all() else relaxed.normal
        if not (vectors @ normal > 0).all():
            return False
        mine, theirs = relaxed.adsorbate, relaxed.slab & kept
        reach = self.wide[:, kept[relaxed.slab]]
        first, second, vectors = neighbours(
            relaxed.positions[mine],
            relaxed.positions[theirs],
            relaxed.cell,
            relaxed.pbc,
            float(reach.max(initial=0.0)),
        )
        touching = np.linalg.norm(vectors, axis=1) < reach[first, second]
        return bool((vectors[touching] @ normal > 0).all())


@by_content(KEPT)
def baseline(start: Structure, clean_slab: Structure) -> Baseline:
    """clean_slab: as the member relaxed it that relaxes the candidates, atoms in the order of the placement's slab. Raises
    InvalidInput where its atoms are others."""
    if not np.array_equal(start.numbers[start.slab], clean_slab.numbers):
        raise InvalidInput("the clean slab's atoms are not those of the adslab's slab", field="clean_slab")
    numbers = start.numbers[start.adsorbate]
    tree = molecules.links(numbers, start.positions[start.adsorbate], start.cell, start.pbc)
    bonded = _own_bonds(start, tree)
    return Baseline(
        start=start,
        clean=clean_slab,
        before=pre_adsorbates(start),
        tree=tree,
        bonded=bonded,
        whole=len(molecules.pieces(bonded)) <= 1,
        tight=_reach(numbers, clean_slab.numbers, 1.0),
        wide=_reach(numbers, clean_slab.numbers, _WIDE),
        shortest=SHORTEST * radius_sums(numbers, np.concatenate([numbers, clean_slab.numbers])),
    )


def find(start: Structure, relaxed: Structure, clean_slab: Structure) -> tuple[str, ...]:
    """`Baseline.find` of one candidate."""
    return baseline(start, clean_slab).find(relaxed)


@dataclass(frozen=True, eq=False)
class _SlabContacts:
    """Contacts of the relaxed clean slab, and how much room they leave: a pair bonded in it (m = 1) must not come apart past the
    cushion (m = 1.5), and a pair apart in it, cushion and all, must not bond."""

    clean: Structure
    first: Integers
    """Atoms [n_pairs], numbered as in the slab."""
    second: Integers
    """[n_pairs]."""
    bonded: Mask
    """In the clean slab; otherwise apart [n_pairs]."""
    limit: Floats
    """The distance that it mustn't cross, Å [n_pairs]."""
    slack: Floats
    """How far it is from there, Å [n_pairs]."""
    shortest: Floats
    """Distance below which two atoms overlap, Å [n_slab, n_slab]; none for an atom and itself, or where the clean slab's do."""
    room: Floats
    """How far they are from there, Å [n_slab, n_slab]."""

    def changed(self, positions: Floats, cell: Floats, pbc: Mask, kept: Mask) -> bool:
        """Whether contacts of these atoms of the slab have changed. positions: Å [n_slab, 3]; kept: those that are asked about
        [n_slab]."""
        clean = self.clean
        if not (np.array_equal(cell, clean.cell) and np.array_equal(pbc, clean.pbc)):
            return self._changed_in_another_cell(positions, cell, pbc, kept)
        moved = self._moved(positions)
        # a pair's distance, by its nearest images, changes by no more than its two atoms have moved
        far = np.flatnonzero(
            (moved[self.first] + moved[self.second] > self.slack) & kept[self.first] & kept[self.second]
        )
        beyond = self._apart(positions, self.first[far], self.second[far]) >= self.limit[far]
        return bool((beyond == self.bonded[far]).any())

    def overlapping(self, positions: Floats, cell: Floats, pbc: Mask) -> bool:
        """Whether two atoms of the slab do that don't in the clean one. positions: Å [n_slab, 3]."""
        clean = self.clean
        if not (np.array_equal(cell, clean.cell) and np.array_equal(pbc, clean.pbc)):
            return bool((_apart(positions, cell, pbc) < self.shortest).any())
        moved = self._moved(positions)
        first, second = np.nonzero(moved[:, None] + moved > self.room)
        return bool((self._apart(positions, first, second) < self.shortest[first, second]).any())

    def _moved(self, positions: Floats) -> Floats:
        moves = Lattice.of(self.clean.cell, self.clean.pbc).nearest(positions - self.clean.positions)
        return np.asarray(np.sqrt((moves * moves).sum(axis=1)))

    def _apart(self, positions: Floats, first: Integers, second: Integers) -> Floats:
        apart = Lattice.of(self.clean.cell, self.clean.pbc).nearest(positions[second] - positions[first])
        return np.asarray(np.sqrt((apart * apart).sum(axis=1)))

    def _changed_in_another_cell(self, positions: Floats, cell: Floats, pbc: Mask, kept: Mask) -> bool:
        numbers = self.clean.numbers[kept]
        here = _apart(positions[kept], cell, pbc)
        there = _apart(self.clean.positions[kept], self.clean.cell, self.clean.pbc)
        tight, wide = _reach(numbers, numbers, 1.0), _reach(numbers, numbers, _WIDE)
        return bool((((here < tight) & ~(there < wide)) | ((there < tight) & ~(here < wide))).any())


@by_content(KEPT)
def _slab_contacts(clean: Structure) -> _SlabContacts:
    apart = _apart(clean.positions, clean.cell, clean.pbc)
    tight, wide = _reach(clean.numbers, clean.numbers, 1.0), _reach(clean.numbers, clean.numbers, _WIDE)
    bonded = apart < tight
    first, second = np.nonzero(np.triu(bonded | ~(apart < wide), k=1))
    bonded = bonded[first, second]
    shortest = SHORTEST * radius_sums(clean.numbers, clean.numbers)
    shortest[(apart < shortest) | np.eye(len(shortest), dtype=np.bool_)] = -np.inf
    limit = np.where(bonded, wide[first, second], tight[first, second])
    slack = np.abs(limit - apart[first, second]) - _CLEARLY
    return _SlabContacts(clean, first, second, bonded, limit, slack, shortest, apart - shortest)


def _own_bonds(structure: Structure, tree: molecules.Links) -> Mask:
    """The molecule's, periodic images left out [n_molecule, n_molecule]."""
    positions = structure.positions[structure.adsorbate]
    whole = molecules.along(tree, positions, structure.cell, structure.pbc)
    return molecules.bonds(structure.numbers[structure.adsorbate], whole)


def _apart(positions: Floats, cell: Floats, pbc: Mask) -> Floats:
    """Distances by nearest images, an atom's to its own image too, Å [n, n]."""
    apart = distances(positions, positions, cell, pbc)
    np.fill_diagonal(apart, np.sqrt(2 * Lattice.of(cell, pbc).halves.min(initial=np.inf)))
    return apart


def _reach(a_numbers: Integers, b_numbers: Integers, factor: float) -> Floats:
    """Distance below which the detector's neighbour list has each pair, Å [n_a, n_b]."""
    a, b = factor * radii(a_numbers) + _SKIN, factor * radii(b_numbers) + _SKIN
    return np.asarray(a[:, None] + b[None, :], dtype=np.float64)
