"""What a submission must satisfy before anything is queued. Every refusal says what to change, and where.

Pure checks on arrays: no database, no HTTP. Lengths in Å.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from ase.data import chemical_symbols

from api.jobs import extents, hints, molecules, screening, spacing
from api.jobs.referenced import check_referenced
from api.members.choice import KnownMember
from shared.errors import InvalidInput
from shared.given import Given
from shared.orientation import nearest_the_surface, stances
from shared.parameters import NO_REFERENCES, OwnReference, Placement
from shared.slabs import gathered
from shared.structures import Floats, Integers, Structure
from shared.submissions import (
    AdslabSubmission,
    Adsorbate,
    BulkSubmission,
    SlabSubmission,
    StructuresSubmission,
    Submission,
)

MAX_MILLER = 8
_DEFAULT_PLACEMENT = Placement()


def check_submission(
    submission: Submission,
    members: Iterable[KnownMember],
    *,
    max_atoms: int,
    references: Mapping[str, OwnReference] = NO_REFERENCES,
    placement: Placement = _DEFAULT_PLACEMENT,
    given: Given | None = None,
) -> None:
    """Raise InvalidInput for an (adsorbate, surface) pair that can't be computed by these members.

    references: of the user's own, by element symbol. placement: how the adsorbate is put on the surface. given: where structures
    were submitted, all of them.
    """
    hints.check(submission)
    members = list(members)
    if isinstance(submission, AdslabSubmission):
        _check_adslab(submission, members, max_atoms, placement)
    elif isinstance(submission, SlabSubmission):
        _check_slab(submission, members, max_atoms, placement)
    elif isinstance(submission, StructuresSubmission):
        _check_structures(submission, given, members, max_atoms)
    else:
        _check_bulk(submission, members, max_atoms, placement)
    check_referenced(submission, members, references)


def _check_adslab(
    submission: AdslabSubmission, members: list[KnownMember], max_atoms: int, placement: Placement
) -> None:
    field = "input.structure"
    structure = Structure.from_document(submission.structure)
    _check_topology(structure, members, max_atoms, field)
    structure = _check_geometry(structure, field)
    outside = sorted(set(submission.binding) - set(np.flatnonzero(structure.adsorbate).tolist()))
    if outside:
        raise InvalidInput(f"binding atoms {outside} are not adsorbate atoms", field="input.binding")
    positions = molecules.check_adsorbate_of(structure, field)
    molecules.check_as_given(structure, positions, placement, field)
    if placement.count > 1:
        adsorbate = _adsorbate_of(structure, positions, submission.binding)
        molecules.check_room(adsorbate, stances(adsorbate).ways, structure.only(structure.slab), placement, field)


def _check_structures(
    submission: StructuresSubmission, given: Given | None, members: list[KnownMember], max_atoms: int
) -> None:
    """Each is looked at as an adslab is; molecules that touch, or in pieces, are the user's own."""
    field = "input.structures"
    structure = Structure.from_document(submission.structure)
    _check_topology(structure, members, max_atoms, field)
    if submission.slab is not None:
        clean = Structure.from_document(submission.slab)
        _check_atoms(clean.numbers, clean.positions, max_atoms, "input.slab")
        spacing.check_distances(clean.positions, clean.cell, clean.pbc, "input.slab")
        extents.check_heights(gathered(clean), "input.slab")
    if given is None:
        return
    limits = {"closest": spacing.CLOSEST, "clearance": spacing.CLEARANCE, "farthest": spacing.FARTHEST}
    for number in screening.doubtful(structure, given.positions, **limits).tolist():
        try:
            _check_atoms(structure.numbers, given.positions[number], max_atoms, field)
            _check_geometry(structure.moved(given.positions[number]), field)
        except InvalidInput as refusal:
            raise InvalidInput(f"structure {number} ({given.labels[number]}): {refusal}", field=field) from refusal


def _check_topology(structure: Structure, members: list[KnownMember], max_atoms: int, field: str) -> None:
    """Atoms, roles and cell of an adslab."""
    _check_atoms(structure.numbers, structure.positions, max_atoms, field)
    if not structure.adsorbate.any():
        raise InvalidInput(
            "no atom is marked as adsorbate: give adsorbate_indices, or OC20 tags with 2 on its atoms", field=field
        )
    if structure.adsorbate.all():
        raise InvalidInput("every atom is marked as adsorbate: the slab's atoms are missing", field=field)
    if structure.fixed.all():
        raise InvalidInput("every atom is fixed, nothing can move: free the adsorbate at least", field=field)
    spacing.check_cell(structure.cell, structure.pbc, field)
    _check_elements(structure.numbers, members, field)


def _check_geometry(structure: Structure, field: str) -> Structure:
    """Where the atoms of an adslab are; returned in one piece."""
    spacing.check_distances(structure.positions, structure.cell, structure.pbc, field)
    structure = gathered(structure)
    extents.check_heights(structure, field)
    spacing.check_adsorbate_place(structure, field)
    return structure


def _check_slab(submission: SlabSubmission, members: list[KnownMember], max_atoms: int, placement: Placement) -> None:
    field = "input.slab"
    slab = Structure.from_document(submission.slab)
    _check_adsorbate(submission.adsorbate, members, max_atoms - 1)
    _check_atoms(slab.numbers, slab.positions, max_atoms - len(submission.adsorbate.numbers), field)
    spacing.check_cell(slab.cell, slab.pbc, field)
    _check_elements(slab.numbers, members, field)
    spacing.check_distances(slab.positions, slab.cell, slab.pbc, field)
    slab = gathered(slab)
    extents.check_heights(slab, field)
    if slab.pbc[2]:
        spacing.check_vacuum(spacing.height(slab) - float(np.ptp(slab.heights)), submission.adsorbate, field)
    molecules.check_room(submission.adsorbate, stances(submission.adsorbate).ways, slab, placement, field)


def _check_bulk(submission: BulkSubmission, members: list[KnownMember], max_atoms: int, placement: Placement) -> None:
    field = "input.bulk"
    positions, cell = np.array(submission.positions, dtype=float).reshape(-1, 3), np.array(submission.cell, dtype=float)
    numbers = np.array(submission.numbers, dtype=np.int64)
    periodic = np.ones(3, dtype=bool)
    _check_atoms(numbers, positions, max_atoms, field)
    spacing.check_cell(cell, periodic, field)
    _check_elements(numbers, members, field)
    spacing.check_crystal_distances(submission.positions, submission.cell, field)
    _check_adsorbate(submission.adsorbate, members, max_atoms)
    spacing.check_vacuum(submission.vacuum, submission.adsorbate, "input.vacuum")
    if not any(submission.miller) or max(map(abs, submission.miller)) > MAX_MILLER:
        raise InvalidInput(
            f"Miller index {submission.miller} must not be (0, 0, 0), and no index beyond ±{MAX_MILLER}",
            field="input.miller",
        )
    extents.check_cut(submission, max_atoms - len(submission.adsorbate.numbers))
    molecules.check_width(submission.adsorbate, stances(submission.adsorbate).ways, submission.min_width, placement)


def _check_adsorbate(adsorbate: Adsorbate, members: list[KnownMember], max_atoms: int) -> None:
    field = "input.adsorbate"
    numbers = np.array(adsorbate.numbers, dtype=np.int64)
    positions = np.array(adsorbate.positions, dtype=float).reshape(-1, 3)
    _check_atoms(numbers, positions, max_atoms, field)
    _check_elements(numbers, members, field)
    spacing.check_molecule_distances(adsorbate, field)
    outside = [index for index in adsorbate.binding if not 0 <= index < len(numbers)]
    if outside or not adsorbate.binding:
        raise InvalidInput(
            f"binding atoms {list(adsorbate.binding)} must be some of the adsorbate's {len(numbers)} atoms, from 0",
            field="input.adsorbate.binding",
        )
    molecules.check_one_piece(adsorbate, field)


def _adsorbate_of(structure: Structure, positions: Floats, binding: tuple[int, ...]) -> Adsorbate:
    """The adsorbate of an adslab by itself. positions: of its atoms, in one piece, Å [n_adsorbate, 3]; binding: as submitted."""
    atoms = np.flatnonzero(structure.adsorbate)
    local = tuple(int(np.flatnonzero(atoms == index)[0]) for index in binding)
    return Adsorbate(
        name=structure.only(atoms).formula,
        numbers=tuple(structure.numbers[atoms].tolist()),
        positions=tuple((float(x), float(y), float(z)) for x, y, z in positions),
        binding=local
        or nearest_the_surface(positions @ (-structure.normal if spacing.turned(structure) else structure.normal)),
    )


def _check_atoms(numbers: Integers, positions: Floats, max_atoms: int, field: str) -> None:
    if not len(numbers):
        raise InvalidInput("there are no atoms", field=field)
    if len(numbers) > max_atoms:
        raise InvalidInput(f"{len(numbers)} atoms are too many: at most {max_atoms} fit here", field=field)
    if not np.isfinite(positions).all():
        bad = np.flatnonzero(~np.isfinite(positions).all(axis=1))[:5].tolist()
        raise InvalidInput(f"the coordinates of atoms {bad} are not finite numbers", field=field)
    if np.abs(positions).max() > spacing.FARTHEST:
        raise InvalidInput(f"coordinates beyond {spacing.FARTHEST:.0f} Å: are they in Å?", field=field)


def _check_elements(numbers: Integers, members: list[KnownMember], field: str) -> None:
    elements = {int(number) for number in numbers}
    unknown = sorted(number for number in elements if not 1 <= number < len(chemical_symbols))
    if unknown:
        raise InvalidInput(f"atomic numbers {unknown} are no elements", field=field)
    for member in members:
        missing = _symbols(elements - member.elements)
        if missing:
            raise InvalidInput(
                f"member {member.name} does not support {missing}: leave it out of the job's members",
                field=field,
            )


def _symbols(numbers: Iterable[int]) -> str:
    return ", ".join(chemical_symbols[number] for number in sorted(numbers))
