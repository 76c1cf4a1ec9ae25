"""What a placing process answers (an `shared.children.child.Answering`): a submission with its parameters in, the fields of
`api.placing.pool.Understood` out. The science is imported here, in the child, and nowhere else in the API."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from api.placing import picture
from services.systems.assembly import System, assemble
from services.systems.find import find_placements, rehearse
from services.systems.placement import Placed
from shared.errors import InvalidInput
from shared.parameters import JobParameters
from shared.structures import Structure
from shared.submissions import Adsorbate, Submission

_SUBMISSION: TypeAdapter[Submission] = TypeAdapter(Submission)


def warm_up() -> None:
    """Cut, place and draw a small system: all that is imported late is there, and so are the fonts."""
    picture.draw(*rehearse())


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Request: submission, parameters (as stored with a job), stored (the job's placements, none before they are found), drawn
    (whether a picture is wanted), max_atoms (of a slab that is cut). Raises InvalidInput where the system can't be put together as
    asked."""
    submission = _SUBMISSION.validate_python(request["submission"])
    if request["stored"]:
        placed = [
            Placed(Structure.from_document(one["structure"]), one["site"], one["method"]) for one in request["stored"]
        ]
        system, notes = _as_stored(submission, placed)
    else:
        system, placed = find_placements(
            submission, JobParameters.model_validate(request["parameters"]), max_atoms=request["max_atoms"]
        )
        notes = []
    return {
        "slab": system.slab.to_document(),
        "adsorbate": system.adsorbate.model_dump(mode="json"),
        "placements": [
            {"structure": one.structure.to_document(), "site": one.site, "method": one.method} for one in placed
        ],
        "warnings": [*getattr(system, "warnings", ()), *notes],
        "picture": b64encode(picture.draw(system, placed)).decode() if request["drawn"] else None,
    }


def _as_stored(submission: Submission, placed: Sequence[Placed]) -> tuple[System, list[str]]:
    """The system of a job whose placements are stored: with the slab that these stand on, whatever this version would make of
    the submission."""
    first = placed[0].structure
    slab = first.only(first.slab)
    try:
        return replace(assemble(submission), slab=slab), []
    except InvalidInput as refusal:
        molecule = first.only(first.adsorbate)
        positions = tuple((float(x), float(y), float(z)) for x, y, z in molecule.positions)
        numbers = tuple(int(number) for number in molecule.numbers)
        adsorbate = Adsorbate(name=molecule.formula, numbers=numbers, positions=positions, binding=())
        return System(slab, adsorbate, None), [f"this version of the server would refuse the submission: {refusal}"]
