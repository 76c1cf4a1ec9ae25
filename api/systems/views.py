"""From what the science made of a submission to what is shown of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from ase import Atoms
from ase.cell import Cell
from ase.data import chemical_symbols
from pydantic import TypeAdapter

from api.jobs.estimate import Cost
from api.placing.pool import PlacedView, Understood
from api.results.responses import StructureView
from api.systems.responses import (
    AdsorbateView,
    CellView,
    CostView,
    MembersView,
    OrderView,
    PlacementView,
    ReferenceView,
    SlabView,
    SystemView,
)
from services.scoring.references import coefficients, molecules, statement, words
from shared.parameters import JobParameters
from shared.references import EnergyKind, in_gas
from shared.scales import Scale, accuracy, stated
from shared.structures import Structure
from shared.submissions import AdslabSubmission, BulkSubmission, StructuresSubmission, Submission, given_order

SUBMISSION: TypeAdapter[Submission] = TypeAdapter(Submission)


@dataclass(frozen=True)
class Subject:
    """What is shown: a job, or a request that a job could be made of."""

    submission: Submission
    parameters: JobParameters
    surface: str
    """Its name."""
    search: list[str]
    """Members, as the next two."""
    refine: list[str]
    score: list[str]
    kinds: Mapping[str, str]
    """Of the members' energies, by name."""
    scales: Mapping[str, Scale]
    """Of those that score, by name."""
    warnings: Sequence[str]
    """Of how the request was read, and what is to be minded."""
    cautions: Sequence[str]
    """What is to be minded, alone."""
    job: UUID | None = None


def system_view(subject: Subject, understood: Understood, cost: Cost, *, stored: bool) -> SystemView:
    """All of it."""
    submission = subject.submission
    return SystemView(
        job=subject.job,
        kind=submission.kind,
        surface=subject.surface,
        slab=_slab(understood.slab),
        adsorbate=_adsorbate(understood),
        stored=stored,
        placements=[
            PlacementView(index=index, site=one.site, method=one.method, structure=_structure(one.structure))
            for index, one in enumerate(as_given(submission, understood.placements))
        ],
        order=_order(submission, understood),
        references=_references(subject, understood.adsorbate.numbers),
        members=MembersView(search=subject.search, refine=subject.refine, score=subject.score),
        cost=CostView(**vars(cost)),
        digest=submission.digest,
        warnings=list(dict.fromkeys([*subject.warnings, *understood.warnings])),
        cautions=list(subject.cautions),
    )


def as_given(submission: Submission, placements: Iterable[PlacedView]) -> list[PlacedView]:
    """The placements with their atoms in the order of the adslab that was submitted, if one was."""
    order = given_order(submission.model_dump(mode="json"))
    if order is None:
        return list(placements)
    indices = np.array(order, dtype=np.int64)
    return [PlacedView(one.structure.only(indices), one.site, one.method) for one in placements]


def _structure(structure: Structure) -> StructureView:
    return StructureView(**structure.to_document())


def _slab(slab: Structure) -> SlabView:
    thickness, height = float(np.ptp(slab.heights)), abs(float(slab.cell[2] @ slab.normal))
    parameters = Cell(slab.cell).cellpar()
    return SlabView(
        formula=slab.formula,
        n_atoms=len(slab),
        thickness=thickness,
        surface=np.flatnonzero(slab.surface).tolist(),
        fixed=np.flatnonzero(slab.fixed).tolist(),
        n_free=int(slab.free.sum()),
        cell=CellView(
            lengths=parameters[:3].tolist(),
            angles=parameters[3:].tolist(),
            area=float(np.linalg.norm(np.cross(slab.cell[0], slab.cell[1]))),
            height=height,
            vacuum=height - thickness,
        ),
        structure=_structure(slab),
    )


def _adsorbate(understood: Understood) -> AdsorbateView:
    adsorbate, fixed = understood.adsorbate, list[int]()
    if understood.placements:
        first = understood.placements[0].structure
        fixed = np.flatnonzero(first.fixed[first.adsorbate]).tolist()
    return AdsorbateView(
        name=adsorbate.name,
        formula=Atoms(numbers=adsorbate.numbers).get_chemical_formula(),
        symbols=[chemical_symbols[number] for number in adsorbate.numbers],
        positions=[list(position) for position in adsorbate.positions],
        binding=list(adsorbate.binding),
        fixed=fixed,
    )


def _order(submission: Submission, understood: Understood) -> OrderView:
    n_slab, n_adsorbate = len(understood.slab), len(understood.adsorbate.numbers)
    if isinstance(submission, AdslabSubmission | StructuresSubmission):
        order = list(submission.order)
        return OrderView(slab=order[:n_slab], adsorbate=order[n_slab:])
    slab = None if isinstance(submission, BulkSubmission) else list(range(n_slab))
    return OrderView(slab=slab, adsorbate=list(range(n_adsorbate)))


def _references(subject: Subject, numbers: Sequence[int]) -> list[ReferenceView]:
    """By what the scoring members' energies mean, and whose molecules they relax."""
    own = subject.parameters.references
    fixed_slab = isinstance(subject.submission, StructuresSubmission) and subject.submission.slab_as_given
    found = dict[tuple[EnergyKind, str, tuple[str, ...]], list[str]]()
    for name in subject.score:
        kind, scale = EnergyKind(subject.kinds.get(name, EnergyKind.TOTAL)), subject.scales[name]
        slab = () if fixed_slab and kind is EnergyKind.TOTAL else ("clean slab",)
        relaxed = (*slab, *map(in_gas, molecules(numbers, scale, own)))
        found.setdefault((kind, words(numbers, scale, own), relaxed), []).append(name)
    return [
        ReferenceView(
            energies=kind,
            members=names,
            statement=stated(
                statement(coefficients(numbers, own), slab_as_given=fixed_slab and kind is EnergyKind.TOTAL), scale
            ),
            relaxed=list(relaxed),
            kinds=sorted({subject.scales[name].kind.value for name in names}),
            accuracy=accuracy(subject.scales[name] for name in names),
        )
        for (kind, scale, relaxed), names in found.items()
    ]


def frames(subject: Subject, understood: Understood) -> list[Atoms]:
    """The clean slab, then the placements, with what each is in `info`."""
    slab = understood.slab.to_atoms()
    slab.info = {"what": "clean slab", "surface_name": subject.surface}
    made = [slab]
    for index, one in enumerate(as_given(subject.submission, understood.placements)):
        atoms = one.structure.to_atoms()
        atoms.info = {
            "what": "placement",
            "index": index,
            "site": one.site,
            "method": one.method,
            "adsorbate": understood.adsorbate.name,
        }
        made.append(atoms)
    for atoms in made:
        atoms.info |= {"job": str(subject.job)} if subject.job is not None else {}
    return made


def document(submission: Submission) -> dict[str, Any]:
    """As it is stored with a job."""
    return submission.model_dump(mode="json")
