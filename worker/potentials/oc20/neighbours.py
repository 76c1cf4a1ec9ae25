"""Who is whose neighbour, with ties broken the same way whatever the batch and wherever in the lattice.

The networks of OC20 see each atom's k nearest neighbours (k = 20, 30, 8). In an ideal lattice, and a slab's fixed layers are one, the
k-th and the next are equally far, and fairchem lets the last bit of a float32 distance choose: in another batch, or with the molecule
on an equivalent site, the answer is another. Here distances are float64 and carry a bias far below anything physical: 1e-6 Å for
each Å between the neighbour and the adsorbate, and 1e-8 Å for each Å along one oblique direction. So of equally near neighbours those
next to the adsorbate are chosen, then those on one side; neither depends on the order of atoms, nor on the periodic image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from shared.structures import Floats, Mask

SAME = 0.01
"""Å: closer than this, two atoms are one and the same (fairchem's limit)."""
DEGENERATE = 0.01
"""fairchem's tolerance for a network that takes all of the equally near: Å² on squared distances, Å on distances."""
MOST_PAIRS = 2**27
"""Pairs of an atom and an image that are looked at together: 1 GiB of distances, and twice that beside them."""
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
        return Neighbours(self.source[kept], self.target[kept], self.image[kept], self.distance[kept], self.key[kept])


def find(
    positions: Tensor, cells: Tensor, images: Tensor, adsorbate: Tensor, sizes: Sequence[int], cutoff: float
) -> Neighbours:
    """All neighbours up to `cutoff` (Å) of atoms inside their cells, of all structures at once; none is another's.

    positions: Å, float64, one structure after the other [n, 3]; cells: rows are vectors [n_structures, 3, 3]; images: as `images`
    gives them [n_structures, n_images, 3]; adsorbate: mask [n]; sizes: atoms of each structure.
    """
    found, first = [], 0
    for chosen in _portions(sizes, images.shape[1]):
        n = sum(sizes[chosen])
        atoms = slice(first, first + n)
        found.append(_of_portion(positions[atoms], cells[chosen], images[chosen], sizes[chosen], cutoff, first))
        first += n
    source, target, image, distance, vectors = (torch.cat(parts) for parts in zip(*found, strict=True))
    away = torch.full((len(positions),), cutoff, dtype=positions.dtype, device=positions.device)
    near = torch.where(adsorbate[source], distance, cutoff)
    away.scatter_reduce_(0, target, near, "amin")
    away = torch.where(adsorbate, 0.0, away)
    key = distance + _TOWARDS_ADSORBATE * away[source] + vectors @ vectors.new_tensor(_OBLIQUE)
    return Neighbours(source, target, image, distance, key)


def _portions(sizes: Sequence[int], n_images: int) -> list[slice]:
    """Structures that are searched together: as many as fit the memory that a search may take."""
    portions, start = [], 0
    for end in range(1, len(sizes) + 1):
        following = max(sizes[start : end + 1])
        if end == len(sizes) or (end + 1 - start) * following**2 * n_images > MOST_PAIRS:
            portions.append(slice(start, end))
            start = end
    return portions


def _of_portion(
    positions: Tensor, cells: Tensor, images: Tensor, sizes: Sequence[int], cutoff: float, first: int
) -> tuple[Tensor, ...]:
    """Source, target (counted from `first`), image, distance and vector of each edge, sorted by target, source, image."""
    device, most = positions.device, max(sizes)
    starts = np.cumsum([0, *sizes[:-1]])
    places = np.concatenate([row * most + np.arange(size) for row, size in enumerate(sizes)])
    padded = positions.new_full((len(sizes) * most, 3), torch.inf)
    padded[torch.from_numpy(places).to(device)] = positions
    padded = padded.view(len(sizes), most, 3)
    moved = padded[:, :, None] + (images @ cells)[:, None]  # [n_structures, most, n_images, 3]
    squared = torch.zeros((len(sizes), most, most, images.shape[1]), dtype=positions.dtype, device=device)
    for axis in range(3):  # summed in the order of a sum over the last axis, without the room for it
        squared += (padded[:, :, None, None, axis] - moved[:, None, :, :, axis]).square()
    within = (squared <= cutoff * cutoff) & (squared > SAME * SAME)  # a padded one is nowhere, and near to nobody
    structure, target, source, which = torch.nonzero(within, as_tuple=True)
    distance = squared[structure, target, source, which].sqrt()
    vectors = moved[structure, source, which] - padded[structure, target]
    offset = torch.from_numpy(first + starts).to(device)[structure]
    return source + offset, target + offset, images[structure, which], distance, vectors


def images(cells: Floats, periodic: Mask, cutoff: float) -> Floats:
    """Whole cells around the first that may hold a neighbour, in lexical order [n_structures, n_images, 3]; a structure that needs
    fewer than the others has infinitely far ones. On the host: a device would be asked for each number that a shape depends on."""
    spacing = 1 / np.linalg.norm(np.linalg.inv(cells), axis=1)  # between lattice planes, Å
    most = np.where(periodic, np.ceil(cutoff / spacing), 0).astype(int)
    made = [
        np.stack(np.meshgrid(*(np.arange(-n, n + 1.0) for n in one), indexing="ij"), -1).reshape(-1, 3) for one in most
    ]
    filled = np.full((len(made), max(map(len, made)), 3), np.inf)
    for row, one in zip(filled, made, strict=True):
        row[: len(one)] = one
    return filled


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
