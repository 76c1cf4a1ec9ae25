"""Where walkers start: the adsorbate put on the slab by OC20's rules.

Sites (high-symmetry ones, or random points), orientation (binding atoms down with a random turn about the normal, or any rotation),
then lowered along the surface normal to covalent contact plus a clearance. Chanussot et al., ACS Catal. 11, 6059 (2021),
doi:10.1021/acscatal.0c04525; random placements as in AdsorbML, doi:10.1038/s41524-023-01121-5. High-symmetry sites are those of
pymatgen's AdsorbateSiteFinder (Montoya & Persson, npj Comput. Mater. 3, 14 (2017), doi:10.1038/s41524-017-0017-z).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from pymatgen.analysis.adsorption import AdsorbateSiteFinder
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure as Crystal
from pymatgen.core.surface import Slab
from scipy.spatial.transform import Rotation

from services.geometry.contacts import lattice_vectors, radius_sums
from shared.parameters import Placement, PlacementMode
from shared.structures import Floats, Structure
from shared.submissions import Adsorbate

WOBBLE = np.pi / 9
"""Largest tilt of a heuristic orientation on a random site, radians (OC20)."""
_NAMES = {"ontop": "top", "bridge": "bridge", "hollow": "hollow"}


@dataclass(frozen=True, eq=False)
class Placed:
    """A placement."""

    structure: Structure
    site: str
    """Its name."""
    method: str
    """How it was found."""


def place(slab: Structure, adsorbate: Adsorbate, parameters: Placement, rng: np.random.Generator) -> list[Placed]:
    """`parameters.count` placements; the same for the same generator, bit for bit. Every distinct high-symmetry site comes once
    before any comes again with another turn."""
    frame = _frame(slab)
    molecule = _upright(adsorbate)
    heuristic = parameters.mode is PlacementMode.HEURISTIC
    known = high_symmetry_sites(slab) if heuristic else []
    placed = []
    for index in range(parameters.count):
        name, site = known[index % len(known)] if known else ("random", _random_site(slab, rng))
        turned = _orientation(parameters.mode, rng).apply(molecule)
        anchor = turned[list(adsorbate.binding)].mean(axis=0) if _points_down(parameters.mode) else turned.mean(axis=0)
        positions = (turned - anchor) @ frame + site
        positions += lift(slab, adsorbate.numbers, positions, parameters.clearance) * slab.normal
        placed.append(Placed(_joined(slab, adsorbate, positions), name, str(parameters.mode)))
    return placed


def high_symmetry_sites(slab: Structure) -> list[tuple[str, Floats]]:
    """Names and positions, Å [3], of the symmetry-distinct top, bridge and hollow sites."""
    surface = ["surface" if is_surface else "subsurface" for is_surface in slab.surface]
    with warnings.catch_warnings():
        # spglib and pymatgen announce changes of their own interfaces to each other
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        crystal = Crystal(Lattice(slab.cell), slab.numbers.tolist(), slab.positions, coords_are_cartesian=True)
        pymatgen_slab = Slab(
            crystal.lattice,
            crystal.species,
            crystal.frac_coords,
            miller_index=(0, 0, 1),
            oriented_unit_cell=crystal,
            shift=0.0,
            scale_factor=np.eye(3),
            reorient_lattice=False,
            site_properties={"surface_properties": surface},
        )
        found = AdsorbateSiteFinder(pymatgen_slab).find_adsorption_sites(distance=0.0, put_inside=True)
    return [(name, np.asarray(site, dtype=np.float64)) for kind, name in _NAMES.items() for site in found[kind]]


def lift(slab: Structure, numbers: tuple[int, ...], positions: Floats, clearance: float) -> float:
    """How far along the normal, Å, the molecule must move for its first contact with the slab from above to be at the sum of
    covalent radii plus `clearance`: the largest of each pair's own answer, periodic images included."""
    contact = radius_sums(np.array(numbers), slab.numbers) + clearance
    images = lattice_vectors(slab.cell, [slab.pbc[0], slab.pbc[1], False], _reach(slab, positions, contact))
    vectors = positions[:, None, None, :] - slab.positions[None, :, None, :] - images
    along = vectors @ slab.normal
    lateral_squared = np.einsum("abix,abix->abi", vectors, vectors) - along**2
    room = contact[:, :, None] ** 2 - lateral_squared
    touching = room > 0
    return float((np.sqrt(room[touching]) - along[touching]).max())


def _reach(slab: Structure, positions: Floats, contact: Floats) -> float:
    """Longest lattice vector that may matter, Å: the two sets may lie anywhere."""
    extent = np.ptp(np.concatenate([slab.positions, positions]), axis=0)
    return float(np.linalg.norm(extent) + contact.max())


def _joined(slab: Structure, adsorbate: Adsorbate, positions: Floats) -> Structure:
    n = len(adsorbate.numbers)
    return Structure(
        numbers=np.concatenate([slab.numbers, adsorbate.numbers]),
        positions=np.concatenate([slab.positions, positions]),
        cell=slab.cell,
        pbc=slab.pbc,
        adsorbate=np.concatenate([slab.adsorbate, np.ones(n, dtype=bool)]),
        surface=np.concatenate([slab.surface, np.zeros(n, dtype=bool)]),
        fixed=np.concatenate([slab.fixed, np.zeros(n, dtype=bool)]),
    )


def _frame(slab: Structure) -> Floats:
    """Rows: two unit vectors in the surface and its normal [3, 3]."""
    first = slab.cell[0] / np.linalg.norm(slab.cell[0])
    return np.array([first, np.cross(slab.normal, first), slab.normal])


def _upright(adsorbate: Adsorbate) -> Floats:
    """The molecule with its binding atoms at the bottom, in a frame whose third axis is the normal, Å [n, 3]."""
    positions = np.asarray(adsorbate.positions, dtype=np.float64)
    binding = positions[list(adsorbate.binding)].mean(axis=0)
    axis = positions.mean(axis=0) - binding
    length = np.linalg.norm(axis)
    if length < 0.05:
        return np.asarray(positions - binding, dtype=np.float64)
    up, _ = Rotation.align_vectors([[0.0, 0.0, 1.0]], [axis / length])
    return np.asarray(up.apply(positions - binding), dtype=np.float64)


def _points_down(mode: PlacementMode) -> bool:
    return mode is not PlacementMode.RANDOM


def _orientation(mode: PlacementMode, rng: np.random.Generator) -> Rotation:
    if mode is PlacementMode.RANDOM:
        everywhere: Rotation = Rotation.random(rng=rng)
        return everywhere
    turn = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi))
    if mode is PlacementMode.HEURISTIC:
        return turn
    towards, tilt = rng.uniform(0, 2 * np.pi), rng.uniform(-WOBBLE, WOBBLE)
    return Rotation.from_rotvec(tilt * np.array([np.cos(towards), np.sin(towards), 0.0])) * turn


def _random_site(slab: Structure, rng: np.random.Generator) -> Floats:
    """A point of the surface cell, uniformly, at the height of the topmost atom, Å [3]."""
    u, v = rng.uniform(size=2)
    point = u * slab.cell[0] + v * slab.cell[1]
    return np.asarray(point + (slab.heights.max() - point @ slab.normal) * slab.normal, dtype=np.float64)
