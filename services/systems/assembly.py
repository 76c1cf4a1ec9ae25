"""From a submission to a system: the clean slab, the adsorbate, and the submitted geometry where there is one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.systems.surfaces import anchored, cut, with_surface
from shared import molecules
from shared.errors import InvalidInput
from shared.orientation import nearest_the_surface
from shared.structures import Structure
from shared.submissions import AdslabSubmission, Adsorbate, BulkSubmission, Submission


@dataclass(frozen=True, eq=False)
class System:
    """An adsorbate, and the surface that it is put on."""

    slab: Structure
    """Clean."""
    adsorbate: Adsorbate
    first: Structure | None
    """The submitted adslab, slab atoms first; None for the other kinds of submission."""


def assemble(submission: Submission) -> System:
    """The system that was submitted. Raises InvalidInput where a bulk can't be cut as asked."""
    if isinstance(submission, AdslabSubmission):
        return _from_adslab(submission)
    if isinstance(submission, BulkSubmission):
        return System(cut(submission), submission.adsorbate, None)
    slab = anchored(with_surface(Structure.from_document(submission.slab)))
    return System(slab, submission.adsorbate, None)


def _from_adslab(submission: AdslabSubmission) -> System:
    given = Structure.from_document(submission.structure)
    order = np.array(submission.order, dtype=np.int64)
    first = anchored(with_surface(given.only(order)))
    molecule = np.flatnonzero(first.adsorbate)
    if not len(molecule):
        raise InvalidInput("no atom is marked as adsorbate", field="input.structure")
    positions = molecules.unwrapped(first.numbers[molecule], first.positions[molecule], first.cell, first.pbc)
    binding = tuple(int(np.flatnonzero(order[molecule] == index)[0]) for index in submission.binding)
    if not binding:
        binding = nearest_the_surface(positions @ first.normal)
    adsorbate = Adsorbate(
        name=first.only(first.adsorbate).formula,
        numbers=tuple(int(number) for number in first.numbers[molecule]),
        positions=tuple((float(x), float(y), float(z)) for x, y, z in positions),
        binding=binding,
    )
    return System(first.only(first.slab), adsorbate, first)
