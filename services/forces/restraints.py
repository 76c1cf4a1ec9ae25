"""Generalised Hookean restraints: the adsorbate stays whole, on the surface, above it, and the surface stays what it was.

One-sided springs E = k/2 (excess)², exactly zero inside their thresholds, from the covalent contacts of the start structure
and of the relaxed clean slab. Peterson, Top. Catal. 57, 40 (2014), doi:10.1007/s11244-013-0161-8, generalised to all contacts:

dissociation     bonded adsorbate pairs may not stretch, other adsorbate pairs may not come close
desorption       the nearest contact between adsorbate and surface may not grow
intercalation    adsorbate atoms may not come close to subsurface atoms, nor to what was adsorbed on the slab before
reconstruction   bonded slab pairs may not stretch, and pairs apart in the clean slab may not come close

This module says which springs a walker has; services.forces.springs evaluates those of many walkers in one pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from services.forces.leeway import Leeway, calm, leeway, parts
from services.forces.springs import DISSOCIATION, INTERCALATION, KINDS, RECONSTRUCTION, Pass, Seen, Springs
from services.geometry.contacts import distances, pairs_within, radius_sums
from services.geometry.kept import by_content
from services.geometry.reactions import pre_adsorbates
from shared import molecules, parameters
from shared.periodic import minimum_image
from shared.structures import Floats, Integers, Mask, Structure

KEPT = 32
"""Clean slabs whose springs are kept."""
KEPT_PLACEMENTS = 512
"""Placements whose springs are kept: some 100 kB each on a slab of 80 atoms."""
_SLACK = 0.05
"""Share of a length by which a threshold lies beyond it, where the start or the walker's minimum has passed the usual one."""
_MARGIN = 0.5
"""Å beyond its threshold to which a spring that pulls still sees the right periodic image."""
_TYPICAL = 2.0
"""Å: radius sum at which the stiffness against desorption is that of the settings."""
_NONE = 1e-9
"""Å: a radius sum so small that the scaled distance is never the smallest."""


@dataclass(eq=False)
class Restraints:
    """The springs of one walker. Energies in eV, forces in eV/Å."""

    start: Structure
    springs: Springs
    leeway: Leeway | None = None
    """Of the walker, as it goes; None before the springs were looked at, and while one acts."""

    @classmethod
    def build(cls, start: Structure, clean_slab: Structure, settings: parameters.Restraints) -> Restraints:
        """From the placement and the relaxed clean slab (same slab atoms, same order). The springs are kept: each hop asks anew."""
        return cls(start, _springs(start, clean_slab, settings))

    def following(self, minimum: Structure) -> Restraints:
        """As they hold a walker at a minimum: a threshold that it has passed, or nearly so, lies beyond it, as beyond the start. None
        acts there: an escape would be a kick along the springs."""
        springs = self.springs
        seen = Pass([springs]).see([minimum.positions])
        lengths = seen.lengths
        stretched, pressed = (1 + _SLACK) * lengths, (1 - _SLACK) * lengths
        threshold = np.where(
            springs.side > 0, np.maximum(springs.threshold, stretched), np.minimum(springs.threshold, pressed)
        )
        scaled = lengths[len(lengths) - len(springs.sums) :] / springs.sums
        contact = max(springs.contact, (1 + _SLACK) * float(scaled.min())) if len(scaled) else springs.contact
        near = springs.kind != RECONSTRUCTION
        reach = float((threshold + _MARGIN * (springs.side > 0))[near].max(initial=0.0))
        images, sure = _images(self.start.cell, springs.halves, reach), _sure(springs.halves, reach)
        after = Restraints(self.start, replace(springs, threshold=threshold, contact=contact, images=images, sure=sure))
        if len(images) == len(springs.images):
            after.leeway = leeway(after.springs, minimum.positions, seen.vectors, lengths, seen.away)
        return after

    def evaluate(self, positions: Floats) -> tuple[float, Floats]:
        """Energy, eV, and forces, eV/Å [n_atoms, 3], zero on fixed atoms; positions: Å [n_atoms, 3], wrapped or not."""
        return together([self], [positions])[0]

    def parts(self, positions: Floats) -> dict[str, float]:
        """Energy by kind of restraint, eV."""
        energies, _ = Pass([self.springs]).evaluate([positions])
        return dict(zip(KINDS, energies[0].tolist(), strict=True))


def together(restraints: Sequence[Restraints], positions: Sequence[Floats]) -> list[tuple[float, Floats]]:
    """`evaluate` of each at its own positions, in one pass; the same to the last bit."""
    return _looked(restraints, positions)[0] if restraints else []


def felt(restraints: Sequence[Restraints], positions: Sequence[Floats]) -> list[tuple[float, Floats | None]]:
    """As `together`, but None for forces that are all zero where that is known without looking at the springs."""
    answer: list[tuple[float, Floats | None]] = [(0.0, None)] * len(restraints)
    known = [index for index, one in enumerate(restraints) if one.leeway is not None]
    sure = calm([one.leeway for one in restraints if one.leeway is not None], [positions[index] for index in known])
    still = {index for index, is_calm in zip(known, sure, strict=True) if is_calm}
    rest = [index for index in range(len(restraints)) if index not in still]
    if rest:
        found, seen = _looked([restraints[index] for index in rest], [positions[index] for index in rest])
        for index, own, pairs in zip(rest, found, seen, strict=True):
            answer[index], one = own, restraints[index]
            one.leeway = leeway(one.springs, positions[index], pairs.vectors, pairs.lengths, pairs.away)
    return answer


def _looked(
    restraints: Sequence[Restraints], positions: Sequence[Floats]
) -> tuple[list[tuple[float, Floats]], list[Seen]]:
    """Energy and forces of each, and its pairs as they lie."""
    laid_out = Pass([one.springs for one in restraints])
    seen = laid_out.see(positions)
    energies, forces = laid_out.pull(seen)
    for one, own in zip(restraints, forces, strict=True):
        own[one.start.fixed] = 0.0
    return list(zip(energies.sum(axis=1).tolist(), forces, strict=True)), laid_out.split(seen)


@by_content(KEPT_PLACEMENTS)
def _springs(start: Structure, clean_slab: Structure, settings: parameters.Restraints) -> Springs:
    molecule, slab = np.flatnonzero(start.adsorbate), np.flatnonzero(start.slab)
    kept = _slab_pairs(clean_slab, settings)
    kept = replace(kept, first=slab[kept.first], second=slab[kept.second])
    whole = _molecule_pairs(start, molecule, settings)
    before = pre_adsorbates(start)
    above = _contact_pairs(start, molecule, slab, before[slab], settings)
    surface = (start.surface & ~before)[slab]
    sums = np.where(surface | ~surface.any(), radius_sums(start.numbers[molecule], start.numbers[slab]), _NONE)
    reach = max(float((part.threshold + _MARGIN * (part.side > 0)).max(initial=0.0)) for part in (whole, above))
    every, halves = (kept, whole, above), _halves(start)
    atoms = np.concatenate([[part.first, part.second] for part in every], axis=1)
    return Springs(
        n_atoms=len(start),
        atoms=atoms,
        kind=np.repeat([RECONSTRUCTION, DISSOCIATION, INTERCALATION], [len(part.first) for part in every]),
        reference=np.concatenate([part.reference for part in every]).T.copy(),
        threshold=np.concatenate([part.threshold for part in every]),
        side=np.concatenate([part.side for part in every]),
        stiffness=np.repeat(
            [settings.stiffness_reconstruction, settings.stiffness_dissociation, settings.stiffness_intercalation],
            [len(part.first) for part in every],
        ),
        sums=sums.ravel(),
        hold=settings.stiffness_desorption * (_TYPICAL / sums.ravel()) ** 2,
        contact=settings.contact,
        lattice=np.concatenate([np.linalg.inv(start.cell).ravel(), (start.cell * start.pbc[:, None]).ravel()]),
        images=_images(start.cell, halves, reach),
        parts=parts(start, atoms),
        halves=halves,
        sure=_sure(halves, reach),
    )


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Pairs of one kind that have a spring."""

    first: Integers
    """Atoms [n]."""
    second: Integers
    """Atoms [n]."""
    reference: Floats
    """Å [n, 3]."""
    threshold: Floats
    """Å [n]."""
    side: Floats
    """+1 acts beyond the threshold, -1 below it [n]."""


def _images(cell: Floats, halves: Floats, reach: float) -> Floats:
    """Lattice vectors that may bring a vector of fractions within ±1/2 closer than `reach`, Å [n_images, 3], zero left out.

    A vector shorter than half the spacing of the lattice planes has its fractions within ±1/2 already. The nearest surface atom lies
    almost straight below, so the spring against desorption needs no more than the others.
    """
    steps = [(-1, 0, 1) if reach > half else (0,) for half in halves.tolist()]
    others = [step for step in product(*steps) if any(step)]
    return np.array(others, dtype=float).reshape(-1, 3) @ cell


def _sure(halves: Floats, reach: float) -> float:
    """Up to which length a vector is the shortest image for sure once those images were tried, Å: any image two lattice vectors away
    is longer than three half spacings, and one that wasn't tried is longer than half a spacing."""
    return float(min(3 * half if reach > half else half for half in halves.tolist()))


def _halves(start: Structure) -> Floats:
    """Half the spacing between the lattice planes of each vector, Å, infinite where nothing repeats [3]."""
    spacing = 1 / np.linalg.norm(np.linalg.inv(start.cell), axis=0)
    return np.where(start.pbc, spacing / 2, np.inf)


def _molecule_pairs(start: Structure, molecule: Integers, settings: parameters.Restraints) -> _Pairs:
    """Bonds that may not stretch, and non-bonded pairs that may not come close. The bonds are the molecule's own, whatever image
    of it lies nearer; the others keep away from the nearest image too."""
    a, b = np.triu_indices(len(molecule), k=1)
    first, second = molecule[a], molecule[b]
    own = molecules.unwrapped(start.numbers[molecule], start.positions[molecule], start.cell, start.pbc)
    length = np.linalg.norm(own[b] - own[a], axis=1)
    vectors = minimum_image(own[b] - own[a], start.cell, start.pbc)
    distance = np.linalg.norm(vectors.reshape(-1, 3), axis=1)
    sums = radius_sums(start.numbers[molecule], start.numbers[molecule])[a, b]
    bonded = length < settings.bonded * sums
    threshold = np.where(
        bonded,
        np.maximum(settings.stretch * sums, (1 + _SLACK) * length),
        np.minimum(sums + settings.gap, (1 - _SLACK) * distance),
    )
    return _Pairs(first, second, np.zeros((len(first), 3)), threshold, np.where(bonded, 1.0, -1.0))


def _contact_pairs(
    start: Structure, molecule: Integers, slab: Integers, before: Mask, settings: parameters.Restraints
) -> _Pairs:
    """Adsorbate atoms that may not come close to subsurface atoms, nor to what was adsorbed before [n_slab]; those of the surface
    are never too close."""
    first, second = (atoms.ravel() for atoms in np.meshgrid(molecule, slab, indexing="ij"))
    sums = radius_sums(start.numbers[molecule], start.numbers[slab]).ravel()
    threshold = np.where(start.surface[second], -1.0, sums + settings.gap)
    apart = np.tile(before, len(molecule))
    if apart.any():
        here = distances(start.positions[molecule], start.positions[slab], start.cell, start.pbc).ravel()
        threshold = np.where(apart, np.minimum(sums + settings.gap, (1 - _SLACK) * here), threshold)
    return _Pairs(first, second, np.zeros((len(first), 3)), threshold, np.full(len(first), -1.0))


@by_content(KEPT)
def _slab_pairs(clean: Structure, settings: parameters.Restraints) -> _Pairs:
    """Contacts of the relaxed clean slab that may not stretch, and pairs apart in it that may not come close: the same for all
    placements and hops of a job with one member. Atoms are numbered as in the slab."""
    sums = radius_sums(clean.numbers, clean.numbers)
    cushioned = 1.5 * sums + molecules.CUSHION
    # A pair further apart than this would have to move by more than an ångström to touch.
    reach = float(cushioned.max(initial=0.0)) + 1.5
    i, j = np.triu_indices(len(clean), k=1)  # an atom's own images never move relative to it
    free = clean.free[i] | clean.free[j]
    i, j, vectors = pairs_within(clean.positions, i[free], j[free], clean.cell, clean.pbc, reach)
    distance = np.linalg.norm(vectors, axis=1)
    bonded = distance < settings.bonded * sums[i, j]
    chosen = bonded | (distance > cushioned[i, j])
    i, j, vectors, distance, bonded = (part[chosen] for part in (i, j, vectors, distance, bonded))
    threshold = np.where(
        bonded, (1 + settings.slab_slack) * distance, np.minimum(sums[i, j] + settings.gap, (1 - _SLACK) * distance)
    )
    return _Pairs(i, j, vectors, threshold, np.where(bonded, 1.0, -1.0))
