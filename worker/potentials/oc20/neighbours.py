"""Who is whose neighbour, with ties broken the same way whatever the batch and wherever in the lattice.

The networks of OC20 see each atom's k nearest neighbours (k = 20, 30, 8). In an ideal lattice, and a slab's fixed layers are one, the
k-th and the next are equally far, and fairchem lets the last bit of a float32 distance choose: in another batch, or with the molecule
on an equivalent site, the answer is another. Here distances are float64 and carry a bias far below anything physical: 1e-6 Å for
each Å between the neighbour and the adsorbate, and 1e-8 Å for each Å along one oblique direction. So of equally near neighbours those
next to the adsorbate are chosen, then those on one side; neither depends on the order of atoms, nor on the periodic image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

SAME = 0.01
"""Å: closer than this, two atoms are one and the same (fairchem's limit)."""
DEGENERATE = 0.01
"""fairchem's tolerance for a network that takes all of the equally near: Å² on squared distances, Å on distances."""
_TOWARDS_ADSORBATE = 1e-6
_OBLIQUE = (0.4143e-8, 0.7321e-8, 0.5408e-8)


@dataclass(frozen=True)
class Neighbours:
    """Edges sorted by target, then source, then image."""

    source: Tensor
    """[n_edges]"""
    target: Tensor
    """[n_edges]"""
    image: Tensor
    """Whole cells that the source is moved by [n_edges, 3]."""
    distance: Tensor
    """Å, float64 [n_edges]."""
    key: Tensor
    """The distance with its bias, by which the nearest are chosen [n_edges]."""

    def only(self, kept: Tensor) -> Neighbours:
        """The edges that the mask selects [n_edges]."""
        return Neighbours(*(part[kept] for part in self._parts()))

    def numbered_from(self, first: int) -> Neighbours:
        """The same, atoms counted on from `first`."""
        return replace(self, source=self.source + first, target=self.target + first)

    @classmethod
    def joined(cls, all_of: Sequence[Neighbours]) -> Neighbours:
        """One after the other."""
        return cls(*(torch.cat(parts) for parts in zip(*(one._parts() for one in all_of), strict=True)))

    def _parts(self) -> tuple[Tensor, ...]:
        return self.source, self.target, self.image, self.distance, self.key


def find(positions: Tensor, cell: Tensor, pbc: Tensor, adsorbate: Tensor, cutoff: float) -> Neighbours:
    """All neighbours up to `cutoff` (Å) of atoms inside their cell. positions: Å, float64 [n, 3]; cell: rows are vectors [3, 3];
    pbc [3]; adsorbate: mask [n]."""
    images = _images(cell, pbc, cutoff)
    moved = positions[:, None] + images @ cell  # [n, n_images, 3]
    squared = (positions[:, None, None] - moved).square().sum(-1)
    target, source, which = torch.nonzero((squared <= cutoff * cutoff) & (squared > SAME * SAME), as_tuple=True)
    distance = squared[target, source, which].sqrt()
    vectors = moved[source, which] - positions[target]
    away = torch.full((len(positions),), cutoff, dtype=positions.dtype, device=positions.device)
    seen = adsorbate[source]
    away.scatter_reduce_(0, target[seen], distance[seen], "amin")
    away[adsorbate] = 0.0
    key = distance + _TOWARDS_ADSORBATE * away[source] + vectors @ vectors.new_tensor(_OBLIQUE)
    return Neighbours(source, target, images[which], distance, key)


def _images(cell: Tensor, pbc: Tensor, cutoff: float) -> Tensor:
    """Whole cells around the first that may hold a neighbour, in lexical order [n_images, 3]."""
    spacing = 1 / torch.linalg.inv(cell).norm(dim=0)  # between lattice planes, Å
    most = torch.where(pbc, torch.ceil(cutoff / spacing), 0.0).tolist()
    return torch.cartesian_prod(
        *(torch.arange(-int(n), int(n) + 1, dtype=cell.dtype, device=cell.device) for n in most)
    )


def nearest(target: Tensor, distance: Tensor, key: Tensor, most: int, *, strict: bool, n_atoms: int) -> Tensor:
    """Mask of the edges that each target keeps [n_edges]: its `most` nearest by key, and where not strict also those that
    are as far as the next one, within fairchem's tolerance. distance: what that tolerance applies to."""
    order = torch.argsort(key)
    order = order[torch.argsort(target[order], stable=True)]
    counts = torch.bincount(target, minlength=n_atoms)
    rank = torch.empty_like(target)
    rank[order] = torch.arange(len(target), device=target.device) - (counts.cumsum(0) - counts)[target[order]]
    if strict:
        return rank < most
    reach = torch.full((n_atoms,), torch.inf, dtype=distance.dtype, device=distance.device)
    following = rank == most
    reach[target[following]] = distance[following] + DEGENERATE
    return distance <= reach[target]
