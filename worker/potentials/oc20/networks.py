"""What is replaced on a loaded network, on that instance alone: how it finds neighbours, and where its random frames come from.

The rest is fairchem's own code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from shared.structures import Floats, Mask
from worker.potentials.oc20 import neighbours
from worker.potentials.oc20.fairchem import GraphData, get_pbc_distances
from worker.potentials.oc20.generators import Drawn, drawn
from worker.potentials.oc20.neighbours import Neighbours

Graph = dict[str, Any]


class Unconnected(Exception):
    """Structures with too few neighbours for the network to say anything; indices: their places in the batch."""

    def __init__(self, indices: Iterable[int]) -> None:
        self.indices = frozenset(indices)
        super().__init__(f"structures {sorted(self.indices)} have too few neighbours within the cutoff")


def make_deterministic(network: Any) -> None:
    """Make what the network answers for a structure a function of that structure alone."""
    backbone = getattr(network, "backbone", network)
    backbone.generate_graph = partial(_generate_graph, backbone)
    if hasattr(backbone, "subselect_edges"):  # GemNet-OC, which narrows one graph to several
        backbone.generate_graph_dict = partial(_generate_graph_dict, backbone)
        backbone.subselect_edges = partial(_subselect_edges, backbone)
        backbone.get_graphs_and_indices = partial(_with_quadruplets, backbone.get_graphs_and_indices)
    if hasattr(backbone, "_init_edge_rot_mat"):  # EquiformerV2 and eSCN
        backbone._init_edge_rot_mat = partial(_seeded_frames, backbone._init_edge_rot_mat)


def n_elements(backbone: Any) -> int:
    """The heaviest element that the network has weights for."""
    if hasattr(backbone, "max_num_elements"):
        return int(backbone.max_num_elements) - 1
    return int(backbone.atom_emb.embeddings.num_embeddings)


def _seeded_frames(original: Callable[..., Tensor], data: Any, edge_index: Tensor, vectors: Tensor) -> Tensor:
    """Each edge's coordinate frame is turned about the edge at random; here by numbers that every structure draws from the start."""
    counts = torch.bincount(data.batch[edge_index[1]], minlength=len(data.natoms)).tolist()
    with Drawn(drawn(counts, vectors.device)):
        return original(data, edge_index, vectors)


@dataclass(frozen=True)
class Host:
    """What shapes depend on, kept on the host beside a batch: asking the device for it would stop both."""

    sizes: list[int]
    """Atoms of each structure."""
    cells: Floats
    """Å [n_structures, 3, 3]."""
    periodic: Mask
    """[n_structures, 3]"""


@dataclass(frozen=True)
class _Edges:
    """All structures' neighbours, atoms counted through the batch."""

    neighbours: Neighbours
    counts: Tensor
    """Edges of each structure."""


def _edges(data: Any, cutoff: float, most: int, *, strict: bool) -> _Edges:
    """What is kept of all within the cutoff; no structure changes another's."""
    host: Host = data.host
    images = torch.from_numpy(neighbours.images(host.cells, host.periodic, cutoff)).to(data.pos.device)
    found = neighbours.find(data.exact_positions, data.exact_cell, images, data.tags == 2, host.sizes, cutoff)
    kept = neighbours.nearest(
        found.target, found.distance**2, found.key, most, strict=strict, n_atoms=len(data.exact_positions)
    )
    found = found.only(kept)
    counts = torch.bincount(data.batch[found.target], minlength=len(host.sizes))
    _refuse_unconnected(counts)
    return _Edges(found, counts)


def _refuse_unconnected(counts: Tensor) -> None:
    if lonely := [index for index, count in enumerate(counts.tolist()) if count == 0]:
        raise Unconnected(lonely)


def _graph(data: Any, edges: _Edges) -> GraphData:
    """Distances in the network's precision, as fairchem computes them."""
    found = edges.neighbours
    edge_index, image = torch.stack((found.source, found.target)), found.image.to(data.pos.dtype)
    seen = get_pbc_distances(
        data.pos, edge_index, data.cell, image, edges.counts, return_offsets=True, return_distance_vec=True
    )
    return GraphData(
        edge_index=edge_index,
        edge_distance=seen["distances"],
        edge_distance_vec=seen["distance_vec"],
        cell_offsets=image,
        offset_distances=seen["offsets"],
        neighbors=edges.counts,
        batch_full=data.batch,
        atomic_numbers_full=data.atomic_numbers.long(),
    )


def _generate_graph(backbone: Any, data: Any, **asked: Any) -> GraphData:
    strict = asked.get("enforce_max_neighbors_strictly")
    if strict is None:
        strict = getattr(backbone, "enforce_max_neighbors_strictly", True)
    return _graph(data, _edges(data, backbone.cutoff, backbone.max_neighbors, strict=strict))


def _generate_graph_dict(backbone: Any, data: Any, cutoff: float, max_neighbors: int) -> Graph:
    """GemNet-OC's largest graph; its vectors point from target to source, as that network wants them."""
    edges = _edges(data, cutoff, max_neighbors, strict=backbone.enforce_max_neighbors_strictly)
    graph = _graph(data, edges)
    return {
        "edge_index": graph.edge_index,
        "distance": graph.edge_distance,
        "vector": -graph.edge_distance_vec / graph.edge_distance[:, None],
        "cell_offset": -graph.cell_offsets,
        "num_neighbors": graph.neighbors,
        "key": edges.neighbours.key,
    }


def _subselect_edges(
    backbone: Any, data: Any, graph: Graph, cutoff: float | None = None, max_neighbors: int | None = None
) -> Graph:
    """The edges up to a shorter cutoff and a smaller number."""
    if cutoff is not None:
        graph = _narrowed(graph, graph["distance"] <= cutoff, data)
    if max_neighbors is not None:
        kept = neighbours.nearest(
            graph["edge_index"][1],
            graph["key"],
            graph["key"],
            max_neighbors,
            strict=backbone.enforce_max_neighbors_strictly,
            n_atoms=len(data.pos),
        )
        graph = _narrowed(graph, kept, data)
    return graph


def _with_quadruplets(original: Callable[..., tuple[Any, ...]], data: Any) -> tuple[Any, ...]:
    """GemNet-OC looks at chains of four atoms, and its code fails where a whole batch has none, as a diatomic in a box."""
    graphs = original(data)
    quadruplets = graphs[-1]
    if quadruplets and not len(quadruplets["out"]):
        raise Unconnected(range(len(data.natoms)))
    return graphs


def _narrowed(graph: Graph, kept: Tensor, data: Any) -> Graph:
    narrowed = {name: graph[name][kept] for name in ("distance", "vector", "cell_offset", "key")}
    edge_index = graph["edge_index"][:, kept]
    counts = torch.bincount(data.batch[edge_index[1]], minlength=len(data.natoms))
    _refuse_unconnected(counts)
    return {**narrowed, "edge_index": edge_index, "num_neighbors": counts}
