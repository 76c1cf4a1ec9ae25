"""From a submission to a system: the clean slab, the adsorbate, and the submitted geometry where there is one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from services.systems.canonical import upright
from services.systems.surfaces import anchored, cut_with_notes, with_surface
from shared import molecules
from shared.errors import InvalidInput
from shared.orientation import nearest_the_surface
from shared.slabs import brought_back, faces_down, gathered
from shared.structures import Structure
from shared.submissions import AdslabSubmission, Adsorbate, BulkSubmission, StructuresSubmission, Submission


@dataclass(frozen=True, eq=False)
class System:
    """An adsorbate, and the surface that it is put on."""

    slab: Structure
    """Clean."""
    adsorbate: Adsorbate
    first: Structure | None
    """The submitted adslab, or the first of many, slab atoms first; None for the other kinds of submission."""
    warnings: tuple[str, ...] = ()
    """What was decided on the way: which cell was cut, what was moved by lattice vectors, surface and fixed atoms found."""


def assemble(submission: Submission, *, max_atoms: int | None = None) -> System:
    """The system that was submitted. max_atoms: of a slab that is cut and its adsorbate together. Raises InvalidInput where a bulk
    can't be cut as asked."""
    if isinstance(submission, AdslabSubmission):
        return _from_adslab(submission)
    if isinstance(submission, StructuresSubmission):
        return _from_structures(submission)
    if isinstance(submission, BulkSubmission):
        left = None if max_atoms is None else max_atoms - len(submission.adsorbate.numbers)
        slab, notes = cut_with_notes(submission, max_atoms=left)
        return System(slab, submission.adsorbate, None, notes)
    slab, notes = _prepared(Structure.from_document(submission.slab))
    return System(slab, submission.adsorbate, None, notes)


def _prepared(given: Structure) -> tuple[Structure, tuple[str, ...]]:
    """In one piece, its surface layer and its fixed atoms marked where they weren't; and what was done, in words."""
    notes = []
    near = brought_back(given)
    far = (near.positions != given.positions).any(axis=1)
    if far.any():
        notes.append(
            f"{int(far.sum())} atoms lay more than ten cells away along the surface and were brought back by whole lattice vectors"
        )
    whole = gathered(near)
    moved = (whole.positions != near.positions).any(axis=1)
    if (moved & given.slab).any():
        notes.append(
            f"the slab is cut in two by the cell's face: {int((moved & given.slab).sum())} of its atoms were moved by the third "
            "lattice vector, into one piece with the others"
        )
    if (moved & given.adsorbate).any():
        notes.append("adsorbate atoms were moved by the third lattice vector, onto the slab's surface")
    marked = with_surface(whole)
    if marked is not whole:
        notes.append(
            f"no surface layer was marked: {int(marked.surface.sum())} of {int(marked.slab.sum())} slab atoms were found to be "
            "surface (within 2 Å of the top, or with fewer neighbours than deeper atoms of their element)"
        )
    if faces_down(marked):
        notes.append(f"the surface looks against the third lattice vector, as its {_told_by(whole)}")
    held = anchored(marked)
    if held is not marked:
        notes.append(f"no atom was fixed: the {int(held.fixed.sum())} atoms below the surface layer are, as OC20 does")
    return held, tuple(notes)


def _told_by(structure: Structure) -> str:
    if structure.surface.any():
        return "marked layer says"
    return "adsorbate sits on that side" if structure.adsorbate.any() else "fixed atoms lie on the other side"


def _from_adslab(submission: AdslabSubmission) -> System:
    given = Structure.from_document(submission.structure)
    order = np.array(submission.order, dtype=np.int64)
    if not given.adsorbate.any():
        raise InvalidInput("no atom is marked as adsorbate", field="input.structure")
    first, notes = _prepared(given.only(order))
    molecule = np.flatnonzero(first.adsorbate)
    numbers = first.numbers[molecule]
    positions = molecules.unwrapped(numbers, first.positions[molecule], first.cell, first.pbc)
    binding = tuple(int(np.flatnonzero(order[molecule] == index)[0]) for index in submission.binding)
    if not binding:
        binding = nearest_the_surface(positions @ first.normal)
    slab = first.only(first.slab)
    adsorbate = Adsorbate(
        name=first.only(first.adsorbate).formula,
        numbers=tuple(int(number) for number in numbers),
        positions=tuple((float(x), float(y), float(z)) for x, y, z in upright(slab, numbers, positions)),
        binding=binding,
    )
    return System(slab, adsorbate, first, notes)


def _from_structures(submission: StructuresSubmission) -> System:
    """The first of them stands for all. The clean slab is the one given; without one, that of the first."""
    system = _from_adslab(AdslabSubmission(structure=submission.structure))
    if submission.slab is None:
        return system
    clean = system.slab.moved(Structure.from_document(submission.slab).positions)
    return replace(system, slab=gathered(clean))
