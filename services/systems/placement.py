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

from services.geometry.contacts import distances, radius_sums
from services.geometry.reactions import pre_adsorbates
from services.systems.canonical import canonical
from services.systems.surface_sites import high_symmetry_sites
from shared.errors import InvalidInput
from shared.molecules import CUSHION
from shared.orientation import Stances, stances
from shared.parameters import Placement, PlacementMode
from shared.structures import Floats, Integers, Structure
from shared.submissions import Adsorbate

_TRIES = 20
"""Draws for one placement: where each bonds to what was adsorbed before, the last one has to do."""
_TURNS = 24
"""About the normal, at which a molecule looks whether a site is free."""
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
    canonical form and carried back, so that it doesn't depend on how the cell was chosen or the atoms were wrapped. No molecule is
    bonded to what was adsorbed on the slab before, where there is room beside it."""
    form, molecule = canonical(slab), stances(adsorbate)
    ground = _Ground.of(form.slab, adsorbate, parameters.clearance)
    known = _known_sites(ground, molecule) if parameters.mode is PlacementMode.HEURISTIC else []
    placed: list[Placed] = []
    for index in range(parameters.count):
        for _ in range(_TRIES):
            again, at = divmod(index, len(known) or 1)
            name, site = known[at] if known else ("random", _random_site(form.slab, rng))
            upright = molecule.at(name, again if parameters.mode is not PlacementMode.RANDOM else 0)
            down, touched = ground.let_down(_orientation(parameters.mode, rng).apply(upright), site, parameters.mode)
            if not ground.has_reacted(down):
                break
        if not known:
            name = f"random near {chemical_symbols[form.slab.numbers[touched]]}"
        there = form.back(down, anchor=site)
        structure = (
            placed[0].structure.moved(np.concatenate([slab.positions, there]))
            if placed
            else _joined(slab, adsorbate, there)
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
    frame: Floats
    """Rows: two unit vectors in the surface and its normal [3, 3]."""
    contact: Floats
    """Distance of each pair in contact, Å [n_molecule, n_slab]."""
    to_cells: Floats
    """From Å to fractions of the surface cell [3, 2]."""
    before: Integers
    """Atoms that were adsorbed before [n_before]."""
    bonds: Floats
    """Distance below which the molecule is bonded to each of these, Å [n_molecule, n_before]."""
    images: Floats
    """Lattice vectors along the surface that may bring a pair into contact once it is wrapped, Å [n_images, 3]."""

    @classmethod
    def of(cls, slab: Structure, adsorbate: Adsorbate, clearance: float) -> _Ground:
        contact = radius_sums(np.array(adsorbate.numbers), slab.numbers) + clearance
        a, b = slab.cell[:2]
        widths = float(np.linalg.norm(np.cross(a, b))) / np.array([np.linalg.norm(b), np.linalg.norm(a)])
        i, j = (np.arange(-most, most + 1) for most in np.ceil(contact.max() / widths + 0.5).astype(int))
        images = (i[:, None, None] * a + j[None, :, None] * b).reshape(-1, 3)
        before = np.flatnonzero(pre_adsorbates(slab))
        bonds = radius_sums(np.array(adsorbate.numbers), slab.numbers[before]) + CUSHION
        return cls(slab, slab.normal, _frame(slab), contact, np.linalg.pinv(slab.cell[:2]), before, bonds, images)

    def has_reacted(self, positions: Floats) -> bool:
        """Whether the molecule is bonded to what was adsorbed before. positions: Å [n_molecule, 3]."""
        if not len(self.before):
            return False
        apart = distances(positions, self.slab.positions[self.before], self.slab.cell, self.slab.pbc)
        return bool((apart < self.bonds).any())

    def let_down(self, turned: Floats, site: Floats, mode: PlacementMode) -> tuple[Floats, int]:
        """The molecule over a site, down on the slab, Å [n_molecule, 3], and the slab's atom that it touches. turned: with the atoms
        that bind at the origin; where its rotation is any, its middle comes over the site."""
        anchor = turned.mean(axis=0) if mode is PlacementMode.RANDOM else np.zeros(3)
        positions = (turned - anchor) @ self.frame + site
        rise, touched = self.rise(positions)
        return positions + rise * self.normal, touched

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


def _known_sites(ground: _Ground, molecule: Stances) -> list[tuple[str, Floats]]:
    """The high-symmetry sites on which the molecule, at one turn or another, isn't bonded to what was adsorbed before; all of them
    where there is no such site."""
    known = high_symmetry_sites(ground.slab)
    if not len(ground.before):
        return known
    turns = Rotation.from_euler("z", np.linspace(0, 2 * np.pi, _TURNS, endpoint=False)[:, None])

    def is_free(name: str, site: Floats) -> bool:
        ways = (turn.apply(molecule.at(name, 0)) for turn in turns)
        return any(not ground.has_reacted(ground.let_down(way, site, PlacementMode.HEURISTIC)[0]) for way in ways)

    return [(name, site) for name, site in known if is_free(name, site)] or known


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
