"""From a request to a submission: texts read, roles of the atoms told, names filled in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols
from ase.formula import Formula
from pydantic import ValidationError

from api.jobs import miller, molecules, one_system, prototypes, roles
from api.jobs.requests import (
    AdslabInput,
    ArrayStructure,
    BulkPrototype,
    BulkSurfaceInput,
    CompoundPrototype,
    JobInput,
    Molecule,
    SlabInput,
    StructuresInput,
    StructureText,
)
from api.parsing.pool import Frames, Parsed, Parsers
from api.parsing.reading import fixed_by, means_constraint, unused
from shared import adsorbates
from shared.errors import InvalidInput
from shared.given import Given
from shared.structures import Integers, Structure
from shared.submissions import (
    AdslabSubmission,
    Adsorbate,
    BulkSubmission,
    SlabSubmission,
    StructuresSubmission,
    Submission,
)

_PARTS = {
    "input.structure": "adslab",
    "input.slab": "slab",
    "input.bulk": "bulk",
    "input.adsorbate.structure": "adsorbate",
    "input.structures": "structures",
}
"""What the structure of a field is called in warnings."""


@dataclass(frozen=True)
class Interpreted:
    """What was submitted, and what its parts are called."""

    submission: Submission
    adsorbate: str
    """Its name."""
    surface: str
    """Its name."""
    warnings: tuple[str, ...] = ()
    """What was ignored, simplified or decided for the user, in sentences."""
    given: Given | None = None
    """The structures, where many were given."""


def interpret(given: JobInput, parsers: Parsers, *, max_atoms: int) -> Interpreted:
    """The submission of a request. Raises InvalidInput; what it means physically is checked in api.jobs.validation."""
    reading = _Reading(parsers, max_atoms)
    if isinstance(given, AdslabInput):
        found = _adslab(given, reading)
    elif isinstance(given, SlabInput):
        found = _slab(given, reading)
    elif isinstance(given, StructuresInput):
        found = _structures(given, reading)
    else:
        found = _bulk(given, reading)
    return replace(found, warnings=tuple(dict.fromkeys(reading.notes)))


@dataclass(frozen=True)
class _Reading:
    """Reads the structures of one request, and collects what there is to say about them."""

    parsers: Parsers
    max_atoms: int
    notes: list[str] = dataclass_field(default_factory=list)

    def __call__(self, given: StructureText, field: str) -> Parsed:
        if isinstance(given, ArrayStructure):
            parsed = _from_arrays(given, field)
        else:
            parsed = self.parsers.parse(given.format, given.text, max_atoms=self.max_atoms, field=field)
        self.note(field, parsed.notes)
        return parsed

    def all(self, given: StructureText, field: str) -> Frames:
        """All that one text, or one set of arrays, brings."""
        if isinstance(given, ArrayStructure):
            parsed = _from_arrays(given, field)
            frames = Frames(parsed, [None], np.array([parsed.positions], dtype=np.float64).reshape(1, -1, 3))
        else:
            frames = self.parsers.parse_all(given.format, given.text, max_atoms=self.max_atoms, field=field)
        self.note("input.structures", frames.parsed.notes)
        return frames

    def note(self, field: str, notes: Iterable[str]) -> None:
        """Remember these sentences about the structure of a field."""
        self.notes.extend(f"{_PARTS[field]}: {note}" for note in notes)


def _from_arrays(given: ArrayStructure, field: str) -> Parsed:
    n_atoms = len(given.numbers)
    sized = [(name, getattr(given, name)) for name in ("positions", "tags", "fixed")]
    for name, entries in [*sized, *((f"columns.{name}", rows) for name, rows in given.columns.items())]:
        if entries is not None and len(entries) != n_atoms:
            raise InvalidInput(f"{n_atoms} numbers and {len(entries)} {name} don't match", field=f"{field}.{name}")
    fixed = np.array(given.fixed or [False] * n_atoms, dtype=bool)
    places = [f"atom {index}" for index in range(n_atoms)]
    for name, rows in given.columns.items():
        if means_constraint(name):
            try:
                fixed |= fixed_by(name, rows, places)
            except InvalidInput as error:
                raise InvalidInput(str(error), field=field) from error
    ignored = [name for name in given.columns if not means_constraint(name)]
    return Parsed(
        numbers=given.numbers,
        positions=[list(position) for position in given.positions],
        cell=[list(vector) for vector in given.cell],
        pbc=list(given.pbc),
        tags=given.tags,
        fixed=fixed.tolist(),
        notes=unused([*ignored, *given.left_out]),
    )


def _adslab(given: AdslabInput, read: _Reading) -> Interpreted:
    field = "input.structure"
    parsed = read(given.structure, field)
    found = roles.of_adslab(parsed, given.adsorbate_indices, field)
    read.note(field, found.notes)
    structure = _structure(parsed, found.tags)
    submission = AdslabSubmission(structure=structure.to_document(), binding=tuple(given.binding))
    return Interpreted(submission, structure.only(structure.adsorbate).formula, structure.only(structure.slab).formula)


def _slab(given: SlabInput, read: _Reading) -> Interpreted:
    field = "input.slab"
    parsed = read(given.slab, field)
    found = roles.of_slab(parsed, field)
    read.note(field, found.notes)
    slab = _structure(parsed, found.tags)
    adsorbate = _adsorbate(given.adsorbate, read)
    return Interpreted(SlabSubmission(slab=slab.to_document(), adsorbate=adsorbate), adsorbate.name, slab.formula)


def _structures(given: StructuresInput, read: _Reading) -> Interpreted:
    field = "input.structures"
    texts = [(read.all(one, f"{field}.{number}"), f"{field}.{number}") for number, one in enumerate(given.structures)]
    first = texts[0][0].parsed
    for frames, place in texts:
        one_system.check_like(first, frames.parsed, place)
    found = roles.of_adslab(first, given.adsorbate_indices, f"{field}.0")
    read.note(field, found.notes)
    structure = _structure(first, found.tags)
    labels = one_system.labels(given.labels, [label for frames, _ in texts for label in frames.labels])
    everything = Given(labels, np.concatenate([frames.positions for frames, _ in texts]))
    slab = None
    if given.slab is not None:
        clean = read(given.slab, "input.slab")
        slab = one_system.clean_slab(structure, _structure(clean, np.zeros(len(clean.numbers), dtype=np.int64)))
    submission = StructuresSubmission(
        structure=structure.to_document(),
        slab=None if slab is None else slab.to_document(),
        count=len(everything),
        content=everything.digest,
        relax=given.relax,
    )
    adsorbate, surface = structure.only(structure.adsorbate).formula, structure.only(structure.slab).formula
    return Interpreted(submission, adsorbate, surface, given=everything)


def _bulk(given: BulkSurfaceInput, read: _Reading) -> Interpreted:
    adsorbate = _adsorbate(given.adsorbate, read)
    conventional = given.conventional
    if isinstance(given.bulk, BulkPrototype | CompoundPrototype):
        built = (
            prototypes.element(given.bulk) if isinstance(given.bulk, BulkPrototype) else prototypes.compound(given.bulk)
        )
        read.note("input.bulk", built.notes)
        conventional |= built.conventional
        crystal = _parsed(built.atoms)
    else:
        crystal = read(given.bulk, "input.bulk")
        read.note("input.bulk", _unused_of_bulk(crystal))
    indices, notes = miller.of_three(given.miller, crystal.cell)
    read.note("input.bulk", notes)
    try:
        submission = BulkSubmission(
            numbers=tuple(crystal.numbers),
            positions=_triples(crystal.positions),
            cell=_triples(crystal.cell),
            miller=indices,
            conventional=conventional,
            termination=given.termination,
            top=given.top,
            min_depth=given.min_depth,
            min_width=given.min_width,
            vacuum=given.vacuum,
            adsorbate=adsorbate,
        )
    except ValidationError as error:
        raise InvalidInput(str(error.errors()[0]["msg"]), field="input.bulk") from error
    formula = Formula.from_list([chemical_symbols[number] for number in crystal.numbers]).reduce()[0]
    return Interpreted(submission, adsorbate.name, f"{formula:metal} ({' '.join(map(str, indices))})")


def _unused_of_bulk(crystal: Parsed) -> list[str]:
    """What a crystal brings that the slab cut from it doesn't keep."""
    notes = []
    if any(crystal.fixed):
        notes.append("which atoms are fixed is not used: the slab that is cut fixes its own")
    if any(crystal.tags or ()):
        notes.append("tags are not used: the surface is found from the geometry of the slab")
    if not all(crystal.pbc):
        notes.append("taken as periodic along all three lattice vectors")
    return notes


def _parsed(atoms: Atoms) -> Parsed:
    document = Structure.from_atoms(atoms, adsorbate=[False] * len(atoms), surface=[False] * len(atoms)).to_document()
    return Parsed(**document)


def _adsorbate(given: str | Molecule, read: _Reading) -> Adsorbate:
    if isinstance(given, str):
        try:
            return adsorbates.lookup(given)
        except InvalidInput as error:
            raise InvalidInput(str(error), field="input.adsorbate") from error
    field = "input.adsorbate.structure"
    parsed = read(given.structure, field)
    if not parsed.numbers:
        raise InvalidInput("the adsorbate has no atoms", field=field)
    if any(parsed.fixed):
        held = ", ".join(str(index) for index, is_fixed in enumerate(parsed.fixed) if is_fixed)
        raise InvalidInput(
            f"atoms {held[:100]} of the adsorbate are fixed, and the placed molecule must be free to move: take the constraint off",
            field=field,
        )
    molecule = _structure(parsed, np.full(len(parsed.numbers), 2, dtype=np.int64))
    positions = molecules.whole(molecule, field)
    if not np.array_equal(positions, molecule.positions):
        read.note(field, ["its atoms lay across the faces of their box: the molecule was put in one piece"])
    return Adsorbate(
        name=molecule.formula,
        numbers=tuple(parsed.numbers),
        positions=_triples(positions.tolist()),
        binding=tuple(given.binding),
    )


def _structure(parsed: Parsed, tags: Integers) -> Structure:
    return Structure.from_tags(
        numbers=parsed.numbers,
        positions=parsed.positions,
        cell=parsed.cell,
        pbc=parsed.pbc,
        tags=tags,
        fixed=parsed.fixed,
    )


def _triples(rows: Sequence[Sequence[float]]) -> tuple[tuple[float, float, float], ...]:
    return tuple((float(x), float(y), float(z)) for x, y, z in rows)
