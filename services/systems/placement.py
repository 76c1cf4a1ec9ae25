"""Where walkers start: the adsorbate put on the slab by OC20's rules.

Sites (high-symmetry ones in turns, or random points), orientation (binding atoms down with a random turn about the normal, or any
rotation), then lowered along the surface normal to covalent contact plus a clearance. Chanussot et al., ACS Catal. 11, 6059 (2021),
doi:10.1021/acscatal.0c04525; random placements as in AdsorbML, doi:10.1038/s41524-023-01121-5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase.data import chemical_symbols
from scipy.spatial.transform import Rotation

from services.geometry.contacts import lattice_vectors, radius_sums
from services.systems.canonical import canonical
from services.systems.surface_sites import high_symmetry_sites
from shared.orientation import stances
from shared.parameters import Placement, PlacementMode
from shared.structures import Floats, Structure
from shared.submissions import Adsorbate

WOBBLE = PlacementMode.RANDOM_SITE.tilt
"""Largest tilt of a heuristic orientation on a random site, radians (OC20)."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A placement."""

    structure: Structure
    site: str
    """Its name, with the atoms that make it: `bridge Pt-Ni`; `random near Pt` on a random site, by the atom it came to touch."""
    method: str
    """How it was found."""


def place(slab: Structure, adsorbate: Adsorbate, parameters: Placement, rng: np.random.Generator) -> list[Placed]:
    """`parameters.count` placements; the same for the same generator, bit for bit. Every distinct high-symmetry site comes once
    before any comes again, with another turn and, for a molecule that may lie or stand, the other way. All is found on the slab's
    canonical form and carried back, so that it doesn't depend on how the cell was chosen or the atoms were wrapped."""
    given, form = slab, canonical(slab)
    slab = form.slab
    frame, turns_only = _frame(slab), parameters.mode is not PlacementMode.RANDOM
    molecule = stances(adsorbate)
    known = high_symmetry_sites(slab) if parameters.mode is PlacementMode.HEURISTIC else []
    placed = []
    for index in range(parameters.count):
        again, at = divmod(index, len(known) or 1)
        name, site = known[at] if known else ("random", _random_site(slab, rng))
        turned = _orientation(parameters.mode, rng).apply(molecule.at(name, again if turns_only else 0))
        anchor = np.zeros(3) if turns_only else turned.mean(axis=0)
        positions = (turned - anchor) @ frame + site
        rise, touched = lift(slab, adsorbate.numbers, positions, parameters.clearance)
        if not known:
            name = f"random near {chemical_symbols[slab.numbers[touched]]}"
        there = form.back(positions + rise * slab.normal, anchor=site)
        placed.append(Placed(_joined(given, adsorbate, there), name, str(parameters.mode)))
    return placed


def sites(slab: Structure) -> list[tuple[str, Floats]]:
    """Names and positions, Å [3], of the symmetry-distinct sites of a slab, in the order in which `place` uses them."""
    form = canonical(slab)
    return [(name, form.back(site[None], anchor=site)[0]) for name, site in high_symmetry_sites(form.slab)]


def lift(slab: Structure, numbers: tuple[int, ...], positions: Floats, clearance: float) -> tuple[float, int]:
    """How far along the normal, Å, the molecule must move for its first contact with the slab from above to be at the sum of
    covalent radii plus `clearance`: the largest of each pair's own answer, periodic images included. And the slab's atom that it
    then touches."""
    contact = radius_sums(np.array(numbers), slab.numbers) + clearance
    images = lattice_vectors(slab.cell, [slab.pbc[0], slab.pbc[1], False], _reach(slab, positions, contact))
    vectors = positions[:, None, None, :] - slab.positions[None, :, None, :] - images
    along = vectors @ slab.normal
    lateral_squared = np.einsum("abix,abix->abi", vectors, vectors) - along**2
    room = contact[:, :, None] ** 2 - lateral_squared
    touching = room > 0
    rises = np.sqrt(room[touching]) - along[touching]
    most = int(rises.argmax())
    return float(rises[most]), int(np.nonzero(touching)[1][most])


def _reach(slab: Structure, positions: Floats, contact: Floats) -> float:
    """Longest lattice vector that may matter, Å: the two sets may lie anywhere along the surface, and heights don't count."""
    everything = np.concatenate([slab.positions, positions])
    lateral = everything - np.outer(everything @ slab.normal, slab.normal)
    return float(np.linalg.norm(np.ptp(lateral, axis=0)) + contact.max())


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
