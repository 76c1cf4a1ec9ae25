"""Every element of an adsorbate has a reference, and the members that score have one scale. Pure checks: no database, no HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ase.data import atomic_numbers, chemical_symbols

from api.members.choice import KnownMember
from services.scoring.references import words
from shared import cautions
from shared.errors import InvalidInput
from shared.parameters import OwnReference
from shared.references import CHEMICAL_POTENTIALS, COVERED, GAS, EnergyKind, in_words
from shared.scales import Scale, ScaleKind
from shared.structures import Structure
from shared.submissions import BulkSubmission, SlabSubmission, Submission


def check_referenced(
    submission: Submission, members: list[KnownMember], references: Mapping[str, OwnReference]
) -> None:
    """Raise InvalidInput where an element of the adsorbate has no reference by one of the members. references: the job's own, by
    element symbol."""
    field, own = "parameters.references", {atomic_numbers[symbol] for symbol in references}
    elements = set(adsorbate_numbers(submission))
    total = sorted({member.name for member in members if member.energy_kind == EnergyKind.TOTAL})
    direct = sorted({member.name for member in members if member.energy_kind != EnergyKind.TOTAL})
    missing = _symbols(elements - COVERED - own)
    if missing:
        hint = ", or give the total energies of a reference of your own in parameters.references" if total else ""
        raise InvalidInput(
            f"the adsorbate holds {missing}, but the gas references ({', '.join(GAS)}) of {', '.join(total or direct)} cover "
            f"{in_words(CHEMICAL_POTENTIALS)} only: use an adsorbate of these{hint}",
            field="input.adsorbate" if isinstance(submission, SlabSubmission | BulkSubmission) else "input.structure",
        )
    needed = elements & own
    if needed and direct:
        raise InvalidInput(
            f"{', '.join(direct)} predict{'s' if len(direct) == 1 else ''} adsorption energies on OC20's references and can't be "
            f"brought to yours of {_symbols(needed)}: leave it out of search_members and score_members",
            field=field,
        )
    for symbol, reference in references.items():
        lacking = sorted(set(total) - reference.energies.keys())
        if atomic_numbers[symbol] in needed and lacking:
            raise InvalidInput(
                f"the reference of {symbol}, {reference.label}, has no energy by {', '.join(lacking)}: each member needs its own",
                field=field,
            )


def check_one_scale(
    numbers: Sequence[int], scales: Mapping[str, Scale], references: Mapping[str, OwnReference]
) -> None:
    """Raise InvalidInput where the members that score are on unlike scales. numbers: the adsorbate's atoms. scales: by member."""
    found: dict[str, list[str]] = {}
    for member, scale in scales.items():
        found.setdefault(words(numbers, scale, references), []).append(member)
    if len(found) < 2:
        return
    each = "; ".join(f"{', '.join(members)}: {how or 'nothing of its own'}" for how, members in found.items())
    totals = all(scale.kind is not ScaleKind.PREDICTED for scale in scales.values())
    way_out = ", or set parameters.ensemble.scale to `own gas`, which all of these members can" if totals else ""
    raise InvalidInput(
        f"the members that score have unlike scales, and such energies are never averaged ({each}): name members of one scale in "
        f"parameters.ensemble.score_members{way_out}",
        field="parameters.ensemble.score_members",
    )


def cautions_of(submission: Submission, known: Mapping[str, Sequence[Any]]) -> list[str]:
    """What is to be minded of these members on this system. known: documents of their cautions, by member."""
    adsorbate = Counter(chemical_symbols[number] for number in adsorbate_numbers(submission))
    if isinstance(submission, SlabSubmission):
        numbers = Structure.from_document(submission.slab).numbers.tolist()
    elif isinstance(submission, BulkSubmission):
        numbers = list(submission.numbers)
    else:
        numbers = Structure.from_document(submission.structure).numbers.tolist()
    adslab = {chemical_symbols[number] for number in numbers} | adsorbate.keys()
    return cautions.said(known, known, adslab, adsorbate)


def adsorbate_numbers(submission: Submission) -> list[int]:
    """Of the adsorbate's atoms."""
    if isinstance(submission, SlabSubmission | BulkSubmission):
        return list(submission.adsorbate.numbers)
    structure = Structure.from_document(submission.structure)
    return [int(number) for number in structure.numbers[structure.adsorbate]]


def _symbols(numbers: Iterable[int]) -> str:
    return ", ".join(chemical_symbols[number] for number in sorted(numbers))
