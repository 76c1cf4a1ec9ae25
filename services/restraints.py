"""Generalised Hookean restraints: the adsorbate stays whole, on the surface, above it, and the surface stays what it was.

One-sided springs E = k/2 (excess)², exactly zero inside their thresholds, from the covalent contacts of the start structure
and of the relaxed clean slab. Peterson, Top. Catal. 57, 40 (2014), doi:10.1007/s11244-013-0161-8, generalised to all contacts:

dissociation     bonded adsorbate pairs may not stretch, other adsorbate pairs may not come close
desorption       the nearest contact between adsorbate and surface may not grow
intercalation    adsorbate atoms may not come close to subsurface atoms
reconstruction   bonded slab pairs may not stretch, and pairs apart in the clean slab may not come close

Periodic images of slab pairs are told apart, so small cells are right; everything else goes by the nearest image.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from services.contacts import minimum_image, neighbours, radius_sums
from shared import parameters
from shared.structures import Floats, Integers, Structure

_CUSHION = 0.6
"""Å: the anomaly detector's neighbour list adds 0.3 Å to each atom's radius."""


_MARGIN = 0.5
"""Å beyond its threshold to which a spring still sees the right periodic image."""
_TYPICAL = 2.0
"""Å: radius sum at which the stiffness against desorption is that of the settings."""
_NONE = 1e-9
"""Å: a radius sum so small that the scaled distance is never the smallest."""


@dataclass(frozen=True, eq=False)
class Springs:
    """One-sided springs between pairs. side: +1 acts beyond `threshold`, -1 below it [n]. shift: translation of `second`, Å
    [n, 3]. threshold: Å [n]. stiffness: eV/Å²."""

    first: Integers
    second: Integers
    shift: Floats
    side: Floats
    threshold: Floats
    stiffness: float


@dataclass(frozen=True, eq=False)
class Restraints:
    """The springs of one walker. Energies in eV, forces in eV/Å."""

    start: Structure
    inverse: Floats
    images: Floats
    molecule: Integers
    slab: Integers
    bonds: Springs
    contacts: Springs
    surface_sums: Floats
    subsurface_thresholds: Floats
    settings: parameters.Restraints
    """surface_sums: r_i + r_j of each molecule atom and slab atom, infinitely small for subsurface atoms; subsurface_thresholds:
    Å, negative for surface atoms [n_molecule, n_slab]."""

    @classmethod
    def build(cls, start: Structure, clean_slab: Structure, settings: parameters.Restraints) -> Restraints:
        """From the placement and the relaxed clean slab (same slab atoms, same order)."""
        molecule, slab = np.flatnonzero(start.adsorbate), np.flatnonzero(start.slab)
        surface = start.surface[slab]
        sums = radius_sums(start.numbers[molecule], start.numbers[slab])
        bonds = _molecule_springs(start, molecule, settings)
        below = np.where(surface, -1.0, sums + settings.gap)
        reach = max(bonds.threshold.max(initial=0.0), below.max(initial=0.0)) + _MARGIN
        return cls(
            start=start,
            inverse=np.linalg.inv(start.cell),
            images=_images(start, reach),
            molecule=molecule,
            slab=slab,
            bonds=bonds,
            contacts=_slab_springs(start, clean_slab, slab, settings),
            surface_sums=np.where(surface | ~surface.any(), sums, _NONE),
            subsurface_thresholds=below,
            settings=settings,
        )

    def evaluate(self, positions: Floats) -> tuple[float, Floats]:
        """Energy, eV, and forces, eV/Å [n_atoms, 3], zero on fixed atoms; positions: Å [n_atoms, 3], wrapped or not."""
        parts, forces = self._act(positions)
        forces[self.start.fixed] = 0.0
        return sum(parts.values()), forces

    def parts(self, positions: Floats) -> dict[str, float]:
        """Energy by kind of restraint, eV."""
        return self._act(positions)[0]

    def _act(self, positions: Floats) -> tuple[dict[str, float], Floats]:
        forces = np.zeros_like(positions)
        parts = dict.fromkeys(("dissociation", "desorption", "intercalation", "reconstruction"), 0.0)
        parts["reconstruction"] = self._keep_slab(positions, forces)
        if len(self.molecule):
            parts["dissociation"] = self._keep_whole(positions, forces)
            vectors = self._nearest(positions[self.slab] - positions[self.molecule][:, None])
            lengths = np.sqrt(np.einsum("abx,abx->ab", vectors, vectors))
            parts["desorption"] = self._hold_to_surface(vectors, lengths, forces)
            parts["intercalation"] = self._keep_above(vectors, lengths, forces)
        return parts, forces

    def _nearest(self, vectors: Floats) -> Floats:
        """The shortest periodic image of each vector, Å [..., 3], as far as it is within reach."""
        vectors = vectors - np.rint(vectors @ self.inverse) * self.start.pbc @ self.start.cell
        if len(self.images) == 1:
            return np.asarray(vectors, dtype=np.float64)
        options = vectors[..., None, :] + self.images
        nearest = np.einsum("...ix,...ix->...i", options, options).argmin(axis=-1)
        return np.asarray(vectors + self.images[nearest], dtype=np.float64)

    def _keep_whole(self, positions: Floats, forces: Floats) -> float:
        """Springs within the molecule."""
        bonds = self.bonds
        vectors = self._nearest(positions[bonds.second] - positions[bonds.first])
        return _pull(vectors, bonds, bonds.first, bonds.second, forces)

    def _keep_slab(self, positions: Floats, forces: Floats) -> float:
        """Springs within the slab, whose atoms are first put back into the images they have at the start, up to one common
        shift: that makes wrapped positions as good as unwrapped ones."""
        moved = positions[self.slab] - self.start.positions[self.slab]
        whole = positions.copy()
        whole[self.slab] -= np.round((moved - moved[0]) @ self.inverse) * self.start.pbc @ self.start.cell
        springs = self.contacts
        vectors = whole[springs.second] + springs.shift - whole[springs.first]
        return _pull(vectors, springs, springs.first, springs.second, forces)

    def _hold_to_surface(self, vectors: Floats, lengths: Floats, forces: Floats) -> float:
        """A spring on the one pair of molecule and surface with the smallest scaled distance; in scaled lengths, so that the energy
        doesn't jump where another pair becomes the nearest."""
        a, b = divmod(int((lengths / self.surface_sums).argmin()), lengths.shape[1])
        sums = self.surface_sums[a, b]
        threshold = self.settings.contact * sums
        if lengths[a, b] <= threshold:
            return 0.0
        spring = _spring(1.0, threshold, self.settings.stiffness_desorption * (_TYPICAL / sums) ** 2)
        return _pull(vectors[a, b][None], spring, self.molecule[[a]], self.slab[[b]], forces)

    def _keep_above(self, vectors: Floats, lengths: Floats, forces: Floats) -> float:
        """Springs from the subsurface atoms on every molecule atom that comes close."""
        near = lengths < self.subsurface_thresholds
        if not near.any():
            return 0.0
        a, b = np.nonzero(near)
        spring = _spring(-1.0, self.subsurface_thresholds[near], self.settings.stiffness_intercalation)
        return _pull(vectors[near], spring, self.molecule[a], self.slab[b], forces)


def _images(start: Structure, reach: float) -> Floats:
    """Lattice vectors that may bring a vector of fractions within ±1/2 closer than `reach`, Å [n_images, 3], the zero vector first.

    A vector shorter than half the spacing of the lattice planes has its fractions within ±1/2 already. The nearest surface atom lies
    almost straight below, so the spring against desorption needs no more than the others.
    """
    spacing = 1 / np.linalg.norm(np.linalg.inv(start.cell), axis=0)
    steps = [
        (-1, 0, 1) if periodic and reach > half else (0,) for periodic, half in zip(start.pbc, spacing / 2, strict=True)
    ]
    return np.array(sorted(product(*steps), key=lambda step: sum(map(abs, step))), dtype=float) @ start.cell


def _spring(side: float, threshold: float | Floats, stiffness: float) -> Springs:
    none = np.zeros(0, dtype=np.int64)
    values = np.atleast_1d(np.asarray(threshold, dtype=np.float64))
    return Springs(none, none, np.zeros((0, 3)), np.full(len(values), side), values, stiffness)


def _pull(vectors: Floats, springs: Springs, first: Integers, second: Integers, forces: Floats) -> float:
    """Energy of springs along vectors from first to second, Å [n, 3]; their forces are added in place."""
    lengths = np.sqrt(np.einsum("nx,nx->n", vectors, vectors))
    excess = springs.side * (lengths - springs.threshold)
    active = np.flatnonzero(excess > 0)
    if not len(active):
        return 0.0
    beyond = excess[active]
    size = springs.stiffness * beyond * springs.side[active] / np.maximum(lengths[active], 1e-12)
    pull = size[:, None] * vectors[active]
    np.add.at(forces, first[active], pull)
    np.add.at(forces, second[active], -pull)
    return float(0.5 * springs.stiffness * (beyond @ beyond))


def _molecule_springs(start: Structure, molecule: Integers, settings: parameters.Restraints) -> Springs:
    """Bonds that may not stretch, and non-bonded pairs that may not come close."""
    a, b = np.triu_indices(len(molecule), k=1)
    first, second = molecule[a], molecule[b]
    vectors = minimum_image(start.positions[second] - start.positions[first], start.cell, start.pbc)
    distance = np.linalg.norm(vectors.reshape(-1, 3), axis=1)
    sums = radius_sums(start.numbers[molecule], start.numbers[molecule])[a, b]
    bonded = distance < settings.bonded * sums
    threshold = np.where(
        bonded,
        np.maximum(settings.stretch * sums, 1.05 * distance),
        np.minimum(sums + settings.gap, 0.95 * distance),
    )
    side = np.where(bonded, 1.0, -1.0)
    return Springs(first, second, np.zeros((len(first), 3)), side, threshold, settings.stiffness_dissociation)


def _slab_springs(start: Structure, clean: Structure, slab: Integers, settings: parameters.Restraints) -> Springs:
    """Contacts of the relaxed clean slab that may not stretch, and pairs apart in it that may not come close."""
    sums = radius_sums(clean.numbers, clean.numbers)
    cushioned = 1.5 * sums + _CUSHION
    # A pair further apart than this would have to move by more than an ångström to touch.
    reach = float(cushioned.max(initial=0.0)) + 1.5
    i, j, vectors = neighbours(clean.positions, clean.positions, clean.cell, clean.pbc, reach)
    distance = np.linalg.norm(vectors, axis=1)
    free = clean.free[i] | clean.free[j]
    bonded = distance < settings.bonded * sums[i, j]
    apart = distance > cushioned[i, j]
    chosen = free & (i < j) & (bonded | apart)  # an atom's own images never move relative to it
    i, j, vectors, distance, bonded = (part[chosen] for part in (i, j, vectors, distance, bonded))
    threshold = np.where(
        bonded, (1 + settings.slab_slack) * distance, np.minimum(sums[i, j] + settings.gap, 0.95 * distance)
    )
    # The same images of the same atoms, where the adslab has them: whole lattice vectors away from the clean slab's.
    apart_by = start.positions[slab] - clean.positions
    whole = np.round((apart_by - apart_by[0]) @ np.linalg.inv(clean.cell)) * clean.pbc @ clean.cell
    shift = vectors - (clean.positions[j] - clean.positions[i]) - (whole[j] - whole[i])
    return Springs(slab[i], slab[j], shift, np.where(bonded, 1.0, -1.0), threshold, settings.stiffness_reconstruction)
