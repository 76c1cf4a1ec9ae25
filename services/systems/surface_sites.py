"""High-symmetry sites of a surface, in the order in which they are used.

The surface atoms, seen along the normal, are triangulated (Delaunay); atoms are tops, edges are bridges, faces are hollows: the
rule of pymatgen's AdsorbateSiteFinder (Montoya & Persson, npj Comput. Mater. 3, 14 (2017), doi:10.1038/s41524-017-0017-z), which
OC20 uses. Here faces on one circle are one face, so that the hollow of a square is a hollow and its diagonals, which the
triangulation draws as it likes, are no bridges; and all is found along the surface, so that a third vector that leans, the order of
the atoms, the images in which they are given and the side that the surface is on change nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from ase.geometry import minkowski_reduce
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure as Crystal
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay, cKDTree

from services.geometry.contacts import radii
from services.geometry.reactions import pre_adsorbates
from services.geometry.sites import site_name
from shared.structures import Floats, Integers, Mask, Structure

_T = TypeVar("_T")

_PROBE = 0.86
"""Å: covalent radius of carbon, and the usual clearance: what comes down on the surface to find which of its atoms to stand on."""
_FIRST = 0.1
"""Å: an atom of the surface counts where the probe above it touches it at least this far above its contact with any other."""
_ONE_CIRCLE = 0.25
"""Å: faces whose circumcentres are nearer than this are one face."""
_RIGHT_ANGLE = 1e-3
"""Cosine: a triangle with an angle larger than this says has its centre outside, and is no hollow (pymatgen)."""
_SYMMETRY = 0.1
"""Å: how far a slab may be from symmetric (pymatgen)."""
_SAME_SITE = 0.2
"""Å: sites that a symmetry brings together within this are the same."""
_GRID = 1e-3
"""Fractions of the cell that are ordered as different."""
_OFF_GRID = 2.71e-4
"""Shift of that grid, so that no simple fraction lies on a boundary."""


@dataclass(frozen=True, eq=False)
class _Sites:
    """Sites with the same number of atoms around them."""

    corners: Integers
    """Indices into the mesh [n_sites, n_corners]."""
    centres: Floats
    """Fractions along the two surface vectors, and height in Å [n_sites, 3]."""


def high_symmetry_sites(slab: Structure) -> list[tuple[str, Floats]]:
    """Names and positions, Å [3], of the symmetry-distinct top, bridge and hollow sites, in turns: every kind with every
    combination of elements once (top, bridge and hollow alternating) before any comes again. Empty where no atom is marked as
    surface. What was adsorbed before is no site, nor is what it covers; where it covers all, it counts as surface."""
    before = pre_adsorbates(slab)
    return _sites_among(slab, before) or _sites_among(slab, np.zeros(len(slab), dtype=bool))


def _sites_among(slab: Structure, before: Mask) -> list[tuple[str, Floats]]:
    """The sites between what was adsorbed before [n_atoms]."""
    axes = np.array([slab.cell[0], slab.cell[1], slab.normal])
    chosen = _exposed(slab, axes, before)
    if not len(chosen):
        return []
    mesh = _mesh(slab.positions[chosen], axes)
    operations = _operations(slab, axes)
    found: list[dict[str, list[Floats]]] = [{}, {}, {}]
    for sites in _features(mesh, axes):
        n_corners = sites.corners.shape[1]
        for index in _distinct(sites.centres, operations, axes):
            corners = sites.corners[index]
            name = site_name(slab, slab.numbers[chosen[corners % len(chosen)]], mesh[corners])
            site = sites.centres[index] @ axes
            if not _covered(slab, axes, site, chosen, np.flatnonzero(before)):
                found[min(n_corners, 3) - 1].setdefault(name, []).append(site)
    by_kind = [[[(name, site) for site in same[name]] for name in sorted(same)] for same in found]
    return list(_in_turns(list(_in_turns(by_kind))))


def _in_turns(queues: Sequence[Sequence[_T]]) -> Iterator[_T]:
    """The first of each, then the second of each, and so on."""
    for turn in range(max(map(len, queues), default=0)):
        yield from (queue[turn] for queue in queues if turn < len(queue))


def _exposed(slab: Structure, axes: Floats, before: Mask) -> Integers:
    """Surface atoms that can be stood on [n_exposed]. A second layer marked as surface (OC20 marks what is within 2 Å of the top)
    is no top where an atom that comes down above it touches the first layer before: that is a hollow of the first layer."""
    surface = np.flatnonzero(slab.surface & slab.slab & ~before)
    touched_at = _touched_at(slab, axes, slab.positions[surface], surface)
    own = np.diag(touched_at).copy()
    np.fill_diagonal(touched_at, -np.inf)
    exposed = own > touched_at.max(axis=1, initial=-np.inf) + _FIRST
    return surface[exposed] if exposed.any() else surface


def _covered(slab: Structure, axes: Floats, site: Floats, exposed: Integers, before: Integers) -> bool:
    """Whether what comes down on a site touches an atom that was adsorbed before, and no atom of the surface first."""
    if not len(before):
        return False
    there = _touched_at(slab, axes, site[None], before).max()
    return bool(there > _touched_at(slab, axes, site[None], exposed).max(initial=-np.inf))


def _touched_at(slab: Structure, axes: Floats, places: Floats, atoms: Integers) -> Floats:
    """Height at which the probe above each place touches each atom, by its nearest image along the surface, Å [n_places, n_atoms];
    -inf where it passes by. places: Å [n_places, 3]."""
    inverse = np.linalg.inv(axes)
    fractions = slab.positions[atoms] @ inverse
    apart = (places @ inverse)[:, None, :2] - fractions[None, :, :2]
    aside_squared = (((apart - np.round(apart)) @ axes[:2]) ** 2).sum(axis=-1)
    room = (radii(slab.numbers[atoms]) + _PROBE)[None] ** 2 - aside_squared
    return np.where(room > 0, fractions[None, :, 2] + np.sqrt(np.maximum(room, 0.0)), -np.inf)


def _mesh(positions: Floats, axes: Floats) -> Floats:
    """The atoms of 25 cells, the middle one first, Å [25 n, 3]; the cells are the most compact ones of the same lattice."""
    reduced = minkowski_reduce(axes, [True, True, False])[0]
    inside = positions @ np.linalg.inv(reduced)
    inside[:, :2] -= np.floor(inside[:, :2] + _OFF_GRID)
    steps = sorted(
        ((i, j, 0) for i in range(-2, 3) for j in range(-2, 3)), key=lambda step: (max(map(abs, step)), step)
    )
    return np.asarray(((inside[None] + np.array(steps)[:, None]) @ reduced).reshape(-1, 3), dtype=np.float64)


def _features(mesh: Floats, axes: Floats) -> Iterator[_Sites]:
    """Tops, bridges, and hollows by their number of corners, of the cell in the middle of the mesh."""
    n_atoms = len(mesh) // 25
    inverse = np.linalg.inv(minkowski_reduce(axes, [True, True, False])[0])
    to_fractions = np.linalg.inv(axes)

    def inside(corners: Integers) -> _Sites:
        centres = mesh[corners].mean(axis=1)
        cell = np.floor((centres @ inverse)[:, :2] + _OFF_GRID)
        kept = (cell == 0).all(axis=1)
        return _Sites(corners[kept], centres[kept] @ to_fractions)

    yield inside(np.arange(n_atoms)[:, None])
    first = axes[0] / np.linalg.norm(axes[0])
    flat = mesh @ np.array([first, np.cross(axes[2], first)]).T
    triangulation = Delaunay(flat)
    triangles = np.asarray(triangulation.simplices, dtype=np.int64)
    faces = _faces(flat, triangles, np.asarray(triangulation.neighbors))
    yield inside(_edges(triangles, faces))
    _, first_of, sizes = np.unique(faces, return_index=True, return_counts=True)
    single = triangles[first_of[sizes == 1]]
    hollows = [single[_acute(mesh, single)]]
    hollows += [np.unique(triangles[faces == face])[None] for face in np.flatnonzero(sizes > 1)]
    for n_corners in sorted({corners.shape[1] for corners in hollows}):
        yield inside(np.concatenate([corners for corners in hollows if corners.shape[1] == n_corners]))


def _faces(flat: Floats, triangles: Integers, neighbours: Integers) -> Integers:
    """Number of the face that each triangle is part of [n_triangles]: neighbours on one circle are one face.

    flat: positions along the surface, Å [n_mesh, 2]; neighbours: of each triangle, -1 where there is none [n_triangles, 3].
    """
    origin = flat[triangles[:, 0]]
    b, c = flat[triangles[:, 1]] - origin, flat[triangles[:, 2]] - origin
    twice_area = 2 * (b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0])
    b2, c2 = (b**2).sum(axis=1), (c**2).sum(axis=1)
    offset = np.stack([c[:, 1] * b2 - b[:, 1] * c2, b[:, 0] * c2 - c[:, 0] * b2], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # slivers at the rim have no area
        centres = origin + offset / twice_area[:, None]
        apart = np.linalg.norm(centres[:, None] - centres[neighbours], axis=-1)
    one, side = np.nonzero((neighbours >= 0) & (apart < _ONE_CIRCLE))
    n = len(triangles)
    together = coo_array((np.ones(len(one)), (one, neighbours[one, side])), shape=(n, n))
    return np.asarray(connected_components(together, directed=False)[1], dtype=np.int64)


def _edges(triangles: Integers, faces: Integers) -> Integers:
    """Edges of the faces, diagonals left out [n_edges, 2]."""
    sides = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges, which, counts = np.unique(sides, axis=0, return_inverse=True, return_counts=True)
    face_of_side = np.repeat(faces, 3)
    lowest, highest = np.full(len(edges), len(faces)), np.full(len(edges), -1)
    np.minimum.at(lowest, which.ravel(), face_of_side)
    np.maximum.at(highest, which.ravel(), face_of_side)
    return np.asarray(edges[(counts == 1) | (lowest != highest)], dtype=np.int64)


def _acute(mesh: Floats, triangles: Integers) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Triangles without a right or obtuse angle [n_triangles]."""
    corners = mesh[triangles]
    to_next, to_last = np.roll(corners, -1, axis=1) - corners, np.roll(corners, 1, axis=1) - corners
    lengths = np.linalg.norm(to_next, axis=-1) * np.linalg.norm(to_last, axis=-1)
    cosines = np.einsum("tcx,tcx->tc", to_next, to_last) / np.maximum(lengths, 1e-9)
    return np.asarray((cosines > _RIGHT_ANGLE).all(axis=1))


def _operations(slab: Structure, axes: Floats) -> tuple[Floats, Floats]:
    """Symmetries of the slab that leave its normal alone: rotations [n, 2, 2] and translations [n, 2], on fractions along the
    surface. The cell they are found in stands upright, whatever the slab's own third vector does."""
    fractions = slab.positions @ np.linalg.inv(axes)
    depth = float(np.ptp(fractions[:, 2])) + 20.0
    fractions[:, 2] = (fractions[:, 2] - fractions[:, 2].min()) / depth
    upright = axes * np.array([1.0, 1.0, depth])[:, None]
    with warnings.catch_warnings():
        # spglib and pymatgen announce changes of their own interfaces to each other
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        crystal = Crystal(Lattice(upright), slab.numbers.tolist(), fractions)
        try:
            found = SpacegroupAnalyzer(crystal, _SYMMETRY).get_symmetry_dataset()
        except (TypeError, ValueError):  # atoms so close together that no symmetry can be told
            found = None
    if found is None:
        return np.eye(2)[None], np.zeros((1, 2))
    rotations, translations = np.asarray(found.rotations, dtype=np.float64), np.asarray(found.translations)
    alone = rotations[:, 2, 2] > 0.5
    return rotations[alone, :2, :2], translations[alone, :2]


def _distinct(centres: Floats, operations: tuple[Floats, Floats], axes: Floats) -> list[int]:
    """One of each set of equivalent sites, in an order that the atoms' order has no part in; fills the chosen ones into the cell.

    centres: fractions along the surface and height, Å [n_sites, 3]; changed in place.
    """
    if not len(centres):
        return []
    centres[:, :2] -= np.floor(centres[:, :2] + _OFF_GRID)
    steps = np.floor((centres[:, :2] + _OFF_GRID) / _GRID)
    tree = cKDTree(_wrapped(centres[:, :2]), boxsize=np.ones(2))
    rotations, translations = operations
    order = np.lexsort((steps[:, 1], steps[:, 0]))
    if len(rotations) == 1:  # the identity: no two are equivalent
        return [int(index) for index in order]
    free, chosen = np.ones(len(centres), dtype=bool), []
    for index in order:
        if not free[index]:
            continue
        chosen.append(int(index))
        images = rotations @ centres[index, :2] + translations
        nearest = np.asarray(tree.query(_wrapped(images))[1], dtype=np.int64)
        apart = images - centres[nearest, :2]
        lengths = np.linalg.norm((apart - np.round(apart)) @ axes[:2], axis=1)
        free[nearest[lengths < _SAME_SITE]] = False
        free[index] = False
    return chosen


def _wrapped(fractions: Floats) -> Floats:
    """Into [0, 1)."""
    inside = fractions - np.floor(fractions)
    return np.asarray(np.where(inside >= 1.0, 0.0, inside), dtype=np.float64)
