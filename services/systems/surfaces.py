"""Slabs: cut from a bulk by OC20's rules, their surface atoms found, their subsurface held.

Chanussot et al., ACS Catal. 11, 6059 (2021), doi:10.1021/acscatal.0c04525: slabs of the conventional cell at least 7 Å thick under
20 Å of vacuum, repeated to at least 8 Å both ways; the surface layer is what lies within 2 Å of the top or has fewer neighbours
than in the bulk; everything below is fixed.
"""

from __future__ import annotations

import warnings

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from pymatgen.core.surface import SlabGenerator
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from services.geometry.contacts import neighbours, radius_sums
from shared.errors import InvalidInput
from shared.structures import Integers, Mask, Structure
from shared.submissions import BulkSubmission

TOP_LAYER = 2.0
"""Å below the highest atom: what lies in it is surface."""
_BONDED = 1.25
"""Scaled distance of a neighbour."""


def cut(bulk: BulkSubmission) -> Structure:
    """The slab of one termination. Raises InvalidInput for an index or a termination that the crystal doesn't have."""
    atoms = Atoms(numbers=bulk.numbers, positions=bulk.positions, cell=bulk.cell, pbc=True)
    with warnings.catch_warnings():
        # spglib and pymatgen announce changes of their own interfaces to each other
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        conventional = SpacegroupAnalyzer(AseAtomsAdaptor.get_structure(atoms)).get_conventional_standard_structure()
        generator = SlabGenerator(
            conventional,
            bulk.miller,
            min_slab_size=bulk.min_depth,
            min_vacuum_size=bulk.vacuum,
            lll_reduce=False,
            center_slab=False,
            primitive=True,
            max_normal_search=1,
        )
        slabs = sorted(generator.get_slabs(tol=0.3), key=lambda slab: slab.shift)
        if bulk.termination >= len(slabs):
            raise InvalidInput(
                f"termination {bulk.termination} does not exist: this crystal has {len(slabs)} along "
                f"{bulk.miller}, numbered from 0",
                field="input.termination",
            )
        chosen = AseAtomsAdaptor.get_atoms(slabs[bulk.termination].get_orthogonal_c_slab(), msonable=False)
    plain = Atoms(numbers=chosen.numbers, positions=chosen.positions, cell=chosen.cell, pbc=True)
    if not bulk.top:
        _turn_over(plain)
    _gather(plain)
    return marked(_widened(plain, bulk.min_width))


def _turn_over(atoms: Atoms) -> None:
    """Half a turn about the first surface vector. An inversion would make a chiral crystal its mirror image."""
    axis = atoms.cell[0] / np.linalg.norm(atoms.cell[0])
    atoms.positions = 2 * np.outer(atoms.positions @ axis, axis) - atoms.positions
    atoms.cell[1] -= 2 * (atoms.cell[1] @ axis) * axis


def _gather(atoms: Atoms) -> None:
    """Move the slab into one piece at the bottom of its cell."""
    fractions = atoms.get_scaled_positions(wrap=True)
    levels = np.sort(fractions[:, 2])
    gaps = np.diff(np.append(levels, levels[0] + 1))
    bottom = levels[(int(gaps.argmax()) + 1) % len(levels)]
    fractions[:, 2] = (fractions[:, 2] - bottom + 1e-6) % 1.0
    atoms.set_scaled_positions(fractions)


def _widened(atoms: Atoms, min_width: float) -> Atoms:
    """Repeated along both surface vectors until neither is shorter than min_width, Å."""
    repeats = [int(np.ceil(min_width / length - 1e-6)) for length in atoms.cell.lengths()[:2]]
    widened: Atoms = make_supercell(atoms, np.diag([*repeats, 1]))
    return widened


def marked(atoms: Atoms) -> Structure:
    """A clean slab with its surface layer marked and its subsurface fixed, unless some atoms are fixed already."""
    none = np.zeros(len(atoms), dtype=bool)
    slab = Structure.from_atoms(atoms, adsorbate=none, surface=none)
    return anchored(with_surface(slab))


def with_surface(structure: Structure) -> Structure:
    """With the surface layer found where none is marked; adsorbate atoms are left out of account."""
    if structure.surface.any():
        return structure
    slab = np.flatnonzero(structure.slab)
    surface = np.zeros(len(structure), dtype=bool)
    surface[slab[surface_mask(structure.only(structure.slab))]] = True
    return structure.with_roles(surface=surface)


def anchored(structure: Structure) -> Structure:
    """With OC20's constraint, the subsurface fixed, where nothing is fixed."""
    if structure.fixed.any():
        return structure
    return structure.with_roles(fixed=structure.slab & ~structure.surface)


def surface_mask(slab: Structure) -> Mask:
    """Surface atoms of a clean slab [n_atoms]: within 2 Å of the top, or in the upper half with fewer neighbours than the
    best-coordinated slab atom of the same element has."""
    heights = slab.heights
    top = heights > heights.max() - TOP_LAYER
    upper = heights > 0.5 * (heights.max() + heights.min())
    counts = _coordination(slab)
    most = np.zeros(int(slab.numbers.max()) + 1, dtype=np.int64)
    np.maximum.at(most, slab.numbers, counts)
    return np.asarray(top | (upper & (counts < most[slab.numbers])), dtype=np.bool_)


def _coordination(slab: Structure) -> Integers:
    """Covalent neighbours of each atom, images counted [n_atoms]."""
    sums = radius_sums(slab.numbers, slab.numbers)
    first, second, vectors = neighbours(
        slab.positions, slab.positions, slab.cell, slab.pbc, _BONDED * float(sums.max(initial=0.0))
    )
    lengths = np.linalg.norm(vectors, axis=1)
    bonded = (lengths > 1e-6) & (lengths < _BONDED * sums[first, second])
    return np.bincount(first[bonded], minlength=len(slab)).astype(np.int64)
