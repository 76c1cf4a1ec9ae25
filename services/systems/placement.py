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

from services.geometry.contacts import radius_sums
from services.systems.canonical import canonical
from services.systems.surface_sites import high_symmetry_sites
from shared.errors import InvalidInput
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
    label: str | None = None
    """What it was called by who gave it."""


def place(slab: Structure, adsorbate: Adsorbate, parameters: Placement, rng: np.random.Generator) -> list[Placed]:
    """`parameters.count` placements; the same for the same generator, bit for bit. Every distinct high-symmetry site comes once
    before any comes again, with another turn and, for a molecule that may lie or stand, the other way. All is found on the slab's
    canonical form and carried back, so that it doesn't depend on how the cell was chosen or the atoms were wrapped."""
    given, form = slab, canonical(slab)
    slab = form.slab
    frame, turns_only = _frame(slab), parameters.mode is not PlacementMode.RANDOM
    molecule, ground = stances(adsorbate), _Ground.of(slab, adsorbate, parameters.clearance)
    known = high_symmetry_sites(slab) if parameters.mode is PlacementMode.HEURISTIC else []
    placed: list[Placed] = []
    for index in range(parameters.count):
        again, at = divmod(index, len(known) or 1)
        name, site = known[at] if known else ("random", _random_site(slab, rng))
        turned = _orientation(parameters.mode, rng).apply(molecule.at(name, again if turns_only else 0))
        anchor = np.zeros(3) if turns_only else turned.mean(axis=0)
        positions = (turned - anchor) @ frame + site
        rise, touched = ground.rise(positions)
        if not known:
            name = f"random near {chemical_symbols[slab.numbers[touched]]}"
        there = form.back(positions + rise * ground.normal, anchor=site)
        structure = (
            placed[0].structure.moved(np.concatenate([given.positions, there]))
            if placed
            else _joined(given, adsorbate, there)
        )
        placed.append(Placed(structure, name, str(parameters.mode)))
    return placed


def sites(slab: Structure) -> list[tuple[str, Floats]]:
    """Names and positions, Å [3], of the symmetry-distinct sites of a slab, in the order in which `place` uses them."""
    form = canonical(slab)
    return [(name, form.back(site[None], anchor=site)[0]) for name, site in high_symmetry_sites(form.slab)]


@dataclass(frozen=True, eq=False)
class _Ground:
    """A slab that one molecule comes down on."""

    slab: Structure
    normal: Floats
    contact: Floats
    """Distance of each pair in contact, Å [n_molecule, n_slab]."""
    to_cells: Floats
    """From Å to fractions of the surface cell [3, 2]."""
    images: Floats
    """Lattice vectors along the surface that may bring a pair into contact once it is wrapped, Å [n_images, 3]."""

    @classmethod
    def of(cls, slab: Structure, adsorbate: Adsorbate, clearance: float) -> _Ground:
        contact = radius_sums(np.array(adsorbate.numbers), slab.numbers) + clearance
        a, b = slab.cell[:2]
        widths = float(np.linalg.norm(np.cross(a, b))) / np.array([np.linalg.norm(b), np.linalg.norm(a)])
        i, j = (np.arange(-most, most + 1) for most in np.ceil(contact.max() / widths + 0.5).astype(int))
        images = (i[:, None, None] * a + j[None, :, None] * b).reshape(-1, 3)
        return cls(slab, slab.normal, contact, np.linalg.pinv(slab.cell[:2]), images)

    def rise(self, positions: Floats) -> tuple[float, int]:
        """How far along the normal, Å, the molecule must move for its first contact with the slab from above to be at the sum of
        covalent radii plus the clearance: the largest of each pair's own answer, periodic images included. And the slab's atom that
        it then touches. positions: Å [n_molecule, 3]. Raises InvalidInput where there is none."""
        vectors = positions[:, None] - self.slab.positions
        along = vectors @ self.normal
        turns = np.rint(vectors @ self.to_cells)  # however far away the two were written down
        aside = (vectors - along[..., None] * self.normal - turns @ self.slab.cell[:2])[:, :, None] + self.images
        room = self.contact[..., None] ** 2 - np.einsum("abix,abix->abi", aside, aside)
        rises = np.where(room > 0, np.sqrt(np.maximum(room, 0.0)) - along[..., None], -np.inf).max(axis=2)
        most = int(rises.max(axis=0).argmax())
        if not room.max() > 0:
            raise InvalidInput(
                "the molecule would fall through the slab without touching an atom: the slab has a hole there; use the heuristic "
                "placement mode, or give a slab without holes",
                field="parameters.placement.mode",
            )
        return float(rises[:, most].max()), most


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
