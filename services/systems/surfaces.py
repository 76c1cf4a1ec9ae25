"""Slabs: cut from a bulk by OC20's rules, their surface atoms found, their subsurface held.

Chanussot et al., ACS Catal. 11, 6059 (2021), doi:10.1021/acscatal.0c04525: slabs at least 7 Å thick under 20 Å of vacuum, repeated
to at least 8 Å both ways; the surface layer is what lies within 2 Å of the top or has fewer neighbours than in the bulk; everything
below is fixed. Miller indices are of the cell that was given, unless its standard conventional cell is asked for.
"""

from __future__ import annotations

import warnings

import numpy as np
from ase import Atoms
from ase.build import make_supercell
from pymatgen.core.lattice import Lattice
from pymatgen.core.structure import Structure as Crystal
from pymatgen.core.surface import SlabGenerator
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from services.geometry.contacts import neighbours, radius_sums
from shared.errors import InvalidInput
from shared.slabs import outward_heights
from shared.structures import Floats, Integers, Mask, Structure
from shared.submissions import BulkSubmission

TOP_LAYER = 2.0
"""Å below the highest atom: what lies in it is surface."""
_LEVEL = 1e-4
"""Å: heights this close are the same."""
_BONDED = 1.25
"""Scaled distance of a neighbour."""
_SAME = 0.02
"""Å: sites this close under a translation are the same; a wider net would average small distortions away."""

_MOST_TIMES = 1000
"""A supercell of more cells in a row isn't looked for."""


def cut(bulk: BulkSubmission) -> Structure:
    """The slab of one termination. Raises InvalidInput for an index or a termination that the crystal doesn't have."""
    return cut_with_notes(bulk)[0]


def cut_with_notes(bulk: BulkSubmission) -> tuple[Structure, tuple[str, ...]]:
    """The slab of one termination, its face along the index up (or down, for the other side of a polar cut); and which cell it was
    cut from. Raises InvalidInput for an index or a termination that the crystal doesn't have."""
    with warnings.catch_warnings():
        # spglib and pymatgen announce changes of their own interfaces to each other
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        crystal = _crystal(bulk)
        unit, index = _unit(crystal, bulk.miller)
        # An inversion of all three vectors makes a left-handed cell right-handed, and turns the index over.
        mirrored = float(np.linalg.det(unit.lattice.matrix)) < 0
        index = tuple(-number for number in index) if mirrored else index
        right_handed = _inverted(unit) if mirrored else unit
        generator = SlabGenerator(
            right_handed,
            index,
            min_slab_size=bulk.min_depth,
            min_vacuum_size=bulk.vacuum,
            lll_reduce=False,
            center_slab=False,
            primitive=True,
            max_normal_search=1,
            reorient_lattice=False,
        )
        slabs = sorted(generator.get_slabs(tol=_SAME), key=lambda slab: slab.shift)
        notes = (_told(bulk, crystal, len(slabs)), *_of_a_primitive_cell(bulk, crystal))
    if bulk.termination >= len(slabs):
        raise InvalidInput(
            f"termination {bulk.termination} does not exist: this crystal has {len(slabs)} along {bulk.miller}, numbered from 0",
            field="input.termination",
        )
    chosen = AseAtomsAdaptor.get_atoms(slabs[bulk.termination], msonable=False)
    plain = Atoms(numbers=chosen.numbers, positions=chosen.positions, cell=chosen.cell, pbc=True)
    outward = right_handed.lattice.reciprocal_lattice.get_cartesian_coords(index)
    plain = _upright(plain, outward if bulk.top else -outward)
    _gather(plain)
    return marked(_widened(plain, bulk.min_width)), notes


def _crystal(bulk: BulkSubmission) -> Crystal:
    """The cell that the Miller index is of."""
    atoms = Atoms(numbers=bulk.numbers, positions=bulk.positions, cell=bulk.cell, pbc=True)
    given: Crystal = AseAtomsAdaptor.get_structure(atoms)
    if not bulk.conventional:
        return given
    standard: Crystal = SpacegroupAnalyzer(given).get_conventional_standard_structure()
    return standard


def _unit(crystal: Crystal, miller: tuple[int, ...]) -> tuple[Crystal, tuple[int, ...]]:
    """Of a supercell the conventional cell, where it stands, and the index of the same plane in it; any other crystal as it is.
    Cutting takes far longer the larger the cell is."""
    dataset = SpacegroupAnalyzer(crystal).get_symmetry_dataset()
    if dataset is None or np.linalg.det(dataset.transformation_matrix) < 1 + 1e-3:
        return crystal, miller
    to_unit = np.linalg.inv(dataset.transformation_matrix)
    lattice = Lattice(to_unit.T @ crystal.lattice.matrix)
    unit = Crystal(lattice, crystal.species, crystal.cart_coords, coords_are_cartesian=True, to_unit_cell=True)
    unit.merge_sites(tol=_SAME, mode="delete")
    n_atoms = len(crystal) / float(np.linalg.det(dataset.transformation_matrix))
    return (unit, _coprime(np.array(miller) @ to_unit)) if abs(len(unit) - n_atoms) < 1e-3 else (crystal, miller)


def _coprime(index: Floats) -> tuple[int, ...]:
    """The whole numbers without a common divisor that are in these ratios [3]."""
    for times in range(1, _MOST_TIMES):
        whole = np.rint(index * times)
        if np.abs(index * times - whole).max() < 1e-3 and whole.any():
            return tuple(int(number) // int(np.gcd.reduce(whole.astype(int))) for number in whole)
    raise InvalidInput(f"no lattice plane has the index {index.tolist()}", field="input.miller")


def _inverted(crystal: Crystal) -> Crystal:
    """The same crystal with all three lattice vectors the other way round."""
    return Crystal(-crystal.lattice.matrix, crystal.species, crystal.cart_coords, coords_are_cartesian=True)


def _upright(atoms: Atoms, outward: Floats) -> Atoms:
    """The slab in a frame with its first vector along x and `outward` along z; its third vector along z too."""
    normal = outward / np.linalg.norm(outward)
    first = atoms.cell[0] / np.linalg.norm(atoms.cell[0])
    axes = np.array([first, np.cross(normal, first), normal])
    turned = atoms.cell.array @ axes.T
    second = turned[1] if turned[1, 1] > 0 else -turned[1]
    cell = [turned[0], second, [0.0, 0.0, abs(turned[2, 2])]]
    return Atoms(numbers=atoms.numbers, positions=atoms.positions @ axes.T, cell=cell, pbc=True)


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
