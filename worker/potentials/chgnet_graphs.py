"""CHGNet's graphs without its loops in Python: of one structure by numpy, equal to the package's to the last index, and of a batch in
one piece, so that a GPU is sent some hundred operations a batch and not some hundred a structure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pymatgen.optimization.neighbors import find_points_in_spheres
from torch import Tensor

from shared.structures import Floats, Structure
from worker.potentials.chgnet_package import BatchedGraph, CrystalGraph
from worker.potentials.inputs import wrapped

Indices = NDArray[np.int32]


@dataclass(frozen=True)
class Graph:
    """One structure's bonds (directed edges up to the cutoff) and angles (pairs of bonds up to a shorter one)."""

    numbers: Indices
    """Atomic numbers [n_atoms]."""
    fractional: Floats
    """Fractional coordinates [n_atoms, 3]."""
    cell: Floats
    """Å [3, 3]."""
    bonds: Indices
    """Centre and neighbour [n_bonds, 2]."""
    images: Floats
    """Whole cells that the neighbour is moved by [n_bonds, 3]."""
    undirected: Indices
    """Of each bond, the number of the pair that it makes with its reverse [n_bonds]."""
    first: Indices
    """Of each such pair, its first bond [n_bonds / 2]."""
    angles: Indices
    """Atom, pair and bond of the left, pair and bond of the right [n_angles, 5]."""

    @classmethod
    def of(cls, structure: Structure, cutoff: float, angle_cutoff: float) -> Graph:
        """cutoffs in Å."""
        atoms = wrapped(structure)
        cell = np.array(structure.cell, dtype=float)
        fractional = atoms.positions @ np.linalg.inv(cell)
        positions = np.ascontiguousarray(fractional @ cell)  # as pymatgen has them
        periodic = np.ascontiguousarray(structure.pbc, dtype=np.int64)
        found = find_points_in_spheres(positions, positions, r=cutoff, pbc=periodic, lattice=cell, tol=1e-8)
        centre, neighbour, image, distance, reverse = _mutual(*found)
        itself = np.arange(len(centre))
        leads = itself < reverse  # the first of a pair, which are numbered as they come
        undirected = (np.cumsum(leads) - 1)[np.minimum(itself, reverse)]
        angles = _angles(centre, neighbour, distance, undirected, reverse, angle_cutoff)
        return cls(
            structure.numbers.astype(np.int32),
            fractional,
            cell,
            np.column_stack((centre, neighbour)).astype(np.int32),
            image,
            undirected.astype(np.int32),
            np.flatnonzero(leads).astype(np.int32),
            angles,
        )


def _mutual(centre: Any, neighbour: Any, image: Any, distance: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Without atoms as their own neighbours, and without edges whose reverse lies beyond the cutoff by a rounding; at the end of each
    edge's reverse the place."""
    kept = ~((centre == neighbour) & (distance <= 1e-8))
    while True:
        centre, neighbour, image, distance = centre[kept], neighbour[kept], image[kept], distance[kept]
        code, wanted = _codes(centre, neighbour, image)
        reverse = np.empty(len(code), dtype=np.int64)
        reverse[np.argsort(wanted)] = np.argsort(code)
        if np.array_equal(code[reverse], wanted):
            return centre, neighbour, image, distance, reverse
        kept = np.isin(wanted, code)


def _codes(centre: Any, neighbour: Any, image: Any) -> tuple[Any, Any]:
    """A number for each directed edge, and that of its reverse."""
    n = 1 + int(centre.max(initial=0))
    reach = 1 + int(np.abs(image).max(initial=0))
    width = 2 * reach + 1
    moved = (image @ [width * width, width, 1.0]).astype(np.int64)
    size = width**3
    middle = size // 2
    return (centre * n + neighbour) * size + middle + moved, (neighbour * n + centre) * size + middle - moved


def _angles(centre: Any, neighbour: Any, distance: Any, undirected: Any, reverse: Any, cutoff: float) -> Indices:
    """Both bonds of each short pair, with all other short bonds of their centre, in the package's order: of a centre by its
    neighbours as they first appear."""
    n = 1 + int(centre.max(initial=0))
    between = centre * n + neighbour
    appears = np.empty(n * n, dtype=np.int64)
    appears[between[::-1]] = np.arange(len(between))[::-1]  # of several the last is kept, which is the first
    short = np.flatnonzero(distance < cutoff)
    short = short[np.lexsort((short, appears[between[short]], centre[short]))]
    many = np.bincount(centre[short], minlength=n)
    starts = np.cumsum(many) - many

    first = np.flatnonzero((np.arange(len(reverse)) < reverse) & (distance <= cutoff))
    left = np.column_stack((first, reverse[first])).ravel()
    counts = many[centre[left]]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    left = np.repeat(left, counts)
    right = short[starts[centre[left]] + within]
    other = left != right
    left, right = left[other], right[other]
    made = np.empty((len(left), 5), dtype=np.int32)
    for column, values in enumerate((centre[left], undirected[left], left, undirected[right], right)):
        made[:, column] = values
    return made


def package_graph(graph: Graph, cutoff: float, angle_cutoff: float) -> CrystalGraph:
    """The graph as the package has it, on the CPU."""
    return CrystalGraph(
        atomic_number=torch.from_numpy(graph.numbers),
        atom_frac_coord=torch.from_numpy(graph.fractional).float().requires_grad_(),
        atom_graph=torch.from_numpy(graph.bonds),
        atom_graph_cutoff=cutoff,
        neighbor_image=torch.from_numpy(graph.images).float(),
        directed2undirected=torch.from_numpy(graph.undirected),
        undirected2directed=torch.from_numpy(graph.first),
        bond_graph=torch.from_numpy(graph.angles),
        bond_graph_cutoff=angle_cutoff,
        lattice=torch.from_numpy(graph.cell).float(),
    )


def batch(graphs: Sequence[Graph], bond_basis: Any, angle_basis: Any, device: str) -> tuple[BatchedGraph, Tensor]:
    """All structures as one graph on the device, and their positions, Å [n_atoms, 3]. bond_basis, angle_basis: the model's."""
    atoms, bonds, pairs = (
        np.cumsum([0, *(len(part) for part in parts)])
        for parts in zip(*((one.numbers, one.bonds, one.first) for one in graphs), strict=True)
    )
    owners = np.repeat(np.arange(len(graphs)), np.diff(atoms))
    angles = np.concatenate(
        [one.angles + np.array([a, p, b, p, b]) for one, a, b, p in zip(graphs, atoms, bonds, pairs, strict=False)]
    )
    indices, floats = _sent(
        device,
        [
            np.concatenate([one.numbers for one in graphs]),
            np.concatenate([one.bonds + a for one, a in zip(graphs, atoms, strict=False)]),
            np.concatenate([one.undirected + p for one, p in zip(graphs, pairs, strict=False)]),
            np.concatenate([one.first + b for one, b in zip(graphs, bonds, strict=False)]),
            angles,
            owners,
        ],
        [
            np.concatenate([one.fractional @ one.cell for one in graphs]),
            np.concatenate([one.images @ one.cell for one in graphs]),
        ],
    )
    numbers, atom_graph, undirected, first, angle_graph, owner = indices
    positions, moves = floats
    positions.requires_grad_()
    basis, short_basis, vectors = bond_basis(
        center=positions[atom_graph[:, 0]],
        neighbor=positions[atom_graph[:, 1]],
        undirected2directed=first,
        image=moves,
        lattice=torch.eye(3, device=device),
    )
    left, right = vectors[angle_graph[:, 2]], vectors[angle_graph[:, 4]]
    angle_bases = angle_basis(left, right) if len(angle_graph) else torch.tensor([])
    made = BatchedGraph(
        atomic_numbers=numbers,
        bond_bases_ag=basis,
        bond_bases_bg=short_basis,
        angle_bases=angle_bases,
        batched_atom_graph=atom_graph,
        batched_bond_graph=angle_graph[:, [0, 1, 3]],
        atom_owners=owner,
        directed2undirected=undirected,
        atom_positions=[positions],
        strains=[],
        volumes=[],
    )
    return made, positions


def composition_energies(composition: Any, made: BatchedGraph, n_graphs: int) -> Tensor:
    """What the model's composition adds to each structure, eV per atom [n_graphs]."""
    width = composition.max_num_elements
    counts = torch.bincount(made.atom_owners * width + made.atomic_numbers - 1, minlength=n_graphs * width)
    shares = counts.view(n_graphs, width).float()
    if composition.is_intensive:
        shares = shares / shares.sum(1, keepdim=True)
    energies: Tensor = composition._get_energy(shares)
    return energies


def _sent(device: str, indices: Sequence[Any], floats: Sequence[Any]) -> tuple[list[Tensor], list[Tensor]]:
    """To the device in two transfers, one for each type."""
    return _in_one(device, indices, np.int32), _in_one(device, floats, np.float32)


def _in_one(device: str, parts: Sequence[Any], dtype: type) -> list[Tensor]:
    flat = torch.from_numpy(np.concatenate([np.asarray(part, dtype=dtype).ravel() for part in parts])).to(device)
    sent = torch.split(flat, [part.size for part in parts])
    return [one.view(part.shape) for one, part in zip(sent, parts, strict=True)]
