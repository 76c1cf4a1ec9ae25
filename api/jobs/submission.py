"""From a request to a submission: texts read, roles of the atoms told, names filled in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.build import bulk as build_bulk
from pydantic import ValidationError

from api.jobs.requests import (
    AdslabInput,
    ArrayStructure,
    BulkPrototype,
    BulkSurfaceInput,
    Molecule,
    SlabInput,
    StructureText,
)
from api.parsing.pool import Parsed, Parsers
from shared import adsorbates
from shared.errors import InvalidInput
from shared.structures import Integers, Mask, Structure
from shared.submissions import AdslabSubmission, Adsorbate, BulkSubmission, SlabSubmission, Submission

_LAYERS = (
    "OC20 tags are 0 subsurface, 1 surface, 2 adsorbate; ASE's surface builders number layers instead: "
    "leave tags out, or set OC20's"
)


@dataclass(frozen=True)
class Interpreted:
    """What was submitted, and what its parts are called."""

    submission: Submission
    adsorbate: str
    """Its name."""
    surface: str
    """Its name."""


def interpret(given: AdslabInput | SlabInput | BulkSurfaceInput, parsers: Parsers, *, max_atoms: int) -> Interpreted:
    """The submission of a request. Raises InvalidInput; what it means physically is checked in api.jobs.validation."""
    reading = _Reading(parsers, max_atoms)
    if isinstance(given, AdslabInput):
        return _adslab(given, reading)
    if isinstance(given, SlabInput):
        return _slab(given, reading)
    return _bulk(given, reading)


@dataclass(frozen=True)
class _Reading:
    parsers: Parsers
    max_atoms: int

    def __call__(self, given: StructureText, field: str) -> Parsed:
        if not isinstance(given, ArrayStructure):
            return self.parsers.parse(given.format, given.text, max_atoms=self.max_atoms, field=field)
        n_atoms = len(given.numbers)
        for name in ("positions", "tags", "fixed"):
            entries = getattr(given, name)
            if entries is not None and len(entries) != n_atoms:
                raise InvalidInput(f"{n_atoms} numbers and {len(entries)} {name} don't match", field=f"{field}.{name}")
        return Parsed(
            numbers=given.numbers,
            positions=[list(position) for position in given.positions],
            cell=[list(vector) for vector in given.cell],
            pbc=list(given.pbc),
            tags=given.tags,
            fixed=given.fixed or [False] * n_atoms,
        )


def _adslab(given: AdslabInput, read: _Reading) -> Interpreted:
    field = "input.structure"
    parsed = read(given.structure, field)
    tags = np.array(parsed.tags if parsed.tags is not None else [0] * len(parsed.numbers), dtype=np.int64)
    if given.adsorbate_indices is None:
        _refuse_layers(tags, (0, 1, 2), field)
        adsorbate = tags == 2
    else:
        adsorbate = _mask(given.adsorbate_indices, len(tags))
    # Tags that agree with the adsorbate name the surface too; any others mean something else, and it is found by geometry.
    agreed = np.isin(tags, (0, 1, 2)).all() and bool(((tags == 2) == adsorbate).all())
    structure = _structure(parsed, np.where(adsorbate, 2, np.where((tags == 1) & agreed, 1, 0)))
    submission = AdslabSubmission(structure=structure.to_document(), binding=tuple(given.binding))
    return Interpreted(submission, structure.only(structure.adsorbate).formula, structure.only(structure.slab).formula)


def _slab(given: SlabInput, read: _Reading) -> Interpreted:
    parsed = read(given.slab, "input.slab")
    tags = np.array(parsed.tags if parsed.tags is not None else [0] * len(parsed.numbers), dtype=np.int64)
    _refuse_layers(tags, (0, 1), "input.slab")
    slab = _structure(parsed, tags)
    adsorbate = _adsorbate(given.adsorbate, read)
    return Interpreted(SlabSubmission(slab=slab.to_document(), adsorbate=adsorbate), adsorbate.name, slab.formula)


def _bulk(given: BulkSurfaceInput, read: _Reading) -> Interpreted:
    crystal = _prototype(given.bulk) if isinstance(given.bulk, BulkPrototype) else read(given.bulk, "input.bulk")
    adsorbate = _adsorbate(given.adsorbate, read)
    try:
        submission = BulkSubmission(
            numbers=tuple(crystal.numbers),
            positions=_triples(crystal.positions),
            cell=_triples(crystal.cell),
            miller=given.miller,
            termination=given.termination,
            top=given.top,
            min_depth=given.min_depth,
            min_width=given.min_width,
            vacuum=given.vacuum,
            adsorbate=adsorbate,
        )
    except ValidationError as error:
        raise InvalidInput(str(error.errors()[0]["msg"]), field="input.bulk") from error
    plain = _structure(crystal, np.zeros(len(crystal.numbers), dtype=np.int64))
    return Interpreted(submission, adsorbate.name, f"{plain.formula} ({' '.join(map(str, given.miller))})")


def _prototype(given: BulkPrototype) -> Parsed:
    try:
        atoms = build_bulk(given.element, given.crystal, a=given.a)
    except (KeyError, ValueError, RuntimeError, NotImplementedError) as error:
        raise InvalidInput(
            f"the bulk of {given.element} can't be built: {error}. Give crystal and a, or the structure itself",
            field="input.bulk",
        ) from error
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
    molecule = _structure(parsed, np.full(len(parsed.numbers), 2, dtype=np.int64))
    return Adsorbate(
        name=molecule.formula,
        numbers=tuple(parsed.numbers),
        positions=_triples(parsed.positions),
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


def _mask(indices: Sequence[int], n_atoms: int) -> Mask:
    if any(index >= n_atoms for index in indices) or len(set(indices)) != len(indices):
        raise InvalidInput(
            f"adsorbate_indices must be different indices below {n_atoms}", field="input.adsorbate_indices"
        )
    mask = np.zeros(n_atoms, dtype=bool)
    mask[list(indices)] = True
    return mask


def _refuse_layers(tags: Integers, allowed: tuple[int, ...], field: str) -> None:
    strange = sorted({int(tag) for tag in tags} - set(allowed))
    if strange == [2]:
        raise InvalidInput(
            f"the slab holds atoms of tag 2, which marks an adsorbate: leave the adsorbate out. {_LAYERS}", field=field
        )
    if strange:
        raise InvalidInput(f"tags {strange} are not OC20 tags. {_LAYERS}", field=field)


def _triples(rows: Sequence[Sequence[float]]) -> tuple[tuple[float, float, float], ...]:
    return tuple((float(x), float(y), float(z)) for x, y, z in rows)
