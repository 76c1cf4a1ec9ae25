"""Slabs: cut from a bulk by OC20's rules, their surface atoms found, their subsurface held.

Chanussot et al., ACS Catal. 11, 6059 (2021), doi:10.1021/acscatal.0c04525: slabs at least 7 Å thick under 20 Å of vacuum, repeated
to at least 8 Å both ways; the surface layer is what lies within 2 Å of the top or has fewer neighbours than in the bulk; everything
below is fixed. Miller indices are of the cell that was given, unless its standard conventional cell is asked for.
"""

from __future__ import annotations

import warnings

import numpy as np
from ase import Atoms
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure as Crystal
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from services.geometry.contacts import neighbours, radius_sums
from services.systems.cutting import Cut, cut_of
from shared.errors import InvalidInput
from shared.planes import coprime
from shared.slabs import outward_heights
from shared.structures import Floats, Integers, Mask, Structure
from shared.submissions import BulkSubmission

TOP_LAYER = 2.0
"""Å below the highest atom: what lies in it is surface."""
_LEVEL = 1e-4
"""Å: heights this close are the same."""
_BONDED = 1.25
"""Scaled distance of a neighbour."""


def cut(bulk: BulkSubmission) -> Structure:
    """The slab of one termination. Raises InvalidInput for an index or a termination that the crystal doesn't have."""
    return cut_with_notes(bulk)[0]


def cut_with_notes(bulk: BulkSubmission, *, max_atoms: int | None = None) -> tuple[Structure, tuple[str, ...]]:
    """The slab of one termination, its face along the index up (or down, for the other side of a polar cut); and which cell it was
    cut from. Raises InvalidInput for an index or a termination that the crystal doesn't have, and before anything is built for a slab
    of more than max_atoms."""
    with warnings.catch_warnings():
        # spglib and pymatgen announce changes of their own interfaces to each other
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        crystal = _crystal(bulk)
        found = cut_of(
            crystal,
            bulk.miller,
            _unit(crystal, bulk.miller),
            min_depth=bulk.min_depth,
            min_width=bulk.min_width,
            vacuum=bulk.vacuum,
        )
        if max_atoms is not None and found.n_atoms > max_atoms:
            raise InvalidInput(_too_many(bulk, found, max_atoms), field="input.miller")
        terminations = found.terminations()
        notes = (_told(bulk, crystal, len(terminations)), *_of_a_primitive_cell(bulk, crystal))
    if bulk.termination >= len(terminations):
        raise InvalidInput(
            f"termination {bulk.termination} does not exist: this crystal has {len(terminations)} along {bulk.miller}, "
            "numbered from 0",
            field="input.termination",
        )
    return marked(found.build(terminations[bulk.termination], top=bulk.top)), notes


def _crystal(bulk: BulkSubmission) -> Crystal:
    """The cell that the Miller index is of."""
    atoms = Atoms(numbers=bulk.numbers, positions=bulk.positions, cell=bulk.cell, pbc=True)
    given: Crystal = AseAtomsAdaptor.get_structure(atoms)
    if not bulk.conventional:
        return given
    standard: Crystal = SpacegroupAnalyzer(given).get_conventional_standard_structure()
    return standard


def _unit(crystal: Crystal, miller: tuple[int, ...]) -> tuple[Floats, tuple[int, ...]]:
    """Of a supercell the conventional cell, where it stands, and the index of the same plane in it; any other crystal's own. Rows are
    lattice vectors, Å [3, 3]."""
    matrix = np.asarray(crystal.lattice.matrix, dtype=np.float64)
    dataset = SpacegroupAnalyzer(crystal).get_symmetry_dataset()
    if dataset is None or np.linalg.det(dataset.transformation_matrix) < 1 + 1e-3:
        return matrix, miller
    to_unit = np.linalg.inv(dataset.transformation_matrix)
    return to_unit.T @ matrix, _coprime(np.array(miller) @ to_unit)


def _coprime(index: Floats) -> tuple[int, ...]:
    """The whole numbers without a common divisor that are in these ratios [3]."""
    try:
        return tuple(int(number) for number in coprime(index))
    except ValueError as error:
        raise InvalidInput(str(error), field="input.miller") from error


def _too_many(bulk: BulkSubmission, found: Cut, max_atoms: int) -> str:
    """What is said of a slab that is too large, and what would fit."""
    taken, sides = found.extent, np.linalg.norm(found.face.vectors, axis=1)
    per_plane = len(found.numbers)
    smallest = per_plane * taken.planes
    cell = f"its smallest cell is {sides[0]:.1f} by {sides[1]:.1f} Å with {per_plane} atoms every {found.face.spacing:.2f} Å of depth"
    what = (
        "lower min_width or min_depth, or take lower Miller indices"
        if smallest <= max_atoms
        else "take lower Miller indices, or a smaller min_depth"
    )
    return (
        f"the slab along {_indices(bulk.miller)} would have {found.n_atoms} atoms, and at most {max_atoms} are allowed: {cell}, and "
        f"{taken.planes * found.face.spacing:.1f} Å are needed, {taken.repeats[0]} by {taken.repeats[1]} times: {what}"
    )


def _told(bulk: BulkSubmission, crystal: Crystal, terminations: int) -> str:
    """Which cell was cut, and along what."""
    which = "the standard conventional cell" if bulk.conventional else "the cell"
    side = "upper" if bulk.top else "lower"
    return (
        f"cut along {_indices(bulk.miller)} of {which}, {_in_words(crystal.lattice)}: "
        f"termination {bulk.termination} of {terminations}, numbered from 0, its {side} face"
    )


def _of_a_primitive_cell(bulk: BulkSubmission, crystal: Crystal) -> tuple[str, ...]:
    """Where the cell given is a primitive one of a centred lattice, which face that is in the usual indices."""
    if bulk.conventional:
        return ()
    dataset = SpacegroupAnalyzer(crystal).get_symmetry_dataset()
    if dataset is None or np.linalg.det(dataset.transformation_matrix) > 1 - 1e-3:
        return ()
    face = _indices(_coprime(np.array(bulk.miller) @ np.linalg.inv(dataset.transformation_matrix)))
    return (
        f"the cell given is a primitive one ({dataset.international}): its {_indices(bulk.miller)} is {face} of the conventional "
        f"cell, {_in_words(Lattice(dataset.std_lattice))}; for indices of the conventional cell set conventional: true",
    )


def _indices(miller: tuple[int, ...]) -> str:
    return f"({' '.join(str(int(number)) for number in miller)})"


def _in_words(lattice: Lattice) -> str:
    lengths = ", ".join(f"{name} = {length:.3f}" for name, length in zip("abc", lattice.abc, strict=True))
    angles = ", ".join(f"{angle:.1f}" for angle in lattice.angles)
    return f"{lengths} Å, angles {angles}°"


def marked(atoms: Atoms) -> Structure:
    """A clean slab with its surface layer marked and its subsurface fixed, unless some atoms are fixed already."""
    none = np.zeros(len(atoms), dtype=bool)
    slab = Structure.from_atoms(atoms, adsorbate=none, surface=none)
    return anchored(with_surface(slab))


def with_surface(structure: Structure) -> Structure:
    """With the surface layer found where none is marked, on the side that shared.slabs says; adsorbate atoms are left out of
    account. The slab in one piece."""
    if structure.surface.any():
        return structure
    slab = np.flatnonzero(structure.slab)
    surface = np.zeros(len(structure), dtype=bool)
    surface[slab[surface_mask(structure.only(structure.slab), outward_heights(structure)[slab])]] = True
    return structure.with_roles(surface=surface)


def anchored(structure: Structure) -> Structure:
    """With OC20's constraint, the subsurface fixed, where nothing of the slab is fixed."""
    if (structure.fixed & structure.slab).any():
        return structure
    return structure.with_roles(fixed=structure.fixed | (structure.slab & ~structure.surface))


def surface_mask(slab: Structure, heights: Floats | None = None) -> Mask:
    """Surface atoms of a clean slab [n_atoms]: within 2 Å of the top, or in the upper half with fewer neighbours than the
    best-coordinated slab atom of the same element has. heights: out of the surface, Å [n_atoms]; without them, those of the slab's
    own normal."""
    heights = slab.heights if heights is None else heights
    top = heights > heights.max() - TOP_LAYER + _LEVEL
    upper = heights > 0.5 * (heights.max() + heights.min()) + _LEVEL
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
