"""A warm process that puts systems together and places them (shared.children). It starts when it is first needed."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.children.pool import Kind, Lost, Pool
from shared.errors import InvalidInput
from shared.structures import Structure
from shared.submissions import Adsorbate

_KIND = Kind(
    name="placer",
    module="api.placing.child",
    time_limit_s=20.0,  # on a busy machine; its processor time is limited below
    cpu_s=10,
    memory_bytes=1_500_000_000,
    queue_limit_s=5.0,
    niceness=10,  # the process that answers everybody goes first
    busy="too many systems are being worked out just now; try again shortly",
    most_waiting=4,  # each holds one of the threads that answer requests
)


@dataclass(frozen=True, eq=False)
class PlacedView:
    """A placement."""

    structure: Structure
    site: str
    """Its name."""
    method: str
    """How it was found."""


@dataclass(frozen=True, eq=False)
class Understood:
    """What the science made of a submission."""

    slab: Structure
    """Clean, with its surface found and its fixed atoms."""
    adsorbate: Adsorbate
    placements: list[PlacedView]
    warnings: list[str]
    """What was decided for the user."""
    picture: bytes | None
    """PNG, where it was asked for."""


class Placers:
    """One process, used by any thread."""

    def __init__(self, *, max_atoms: int, size: int = 1) -> None:
        self._pool = Pool(_KIND, size=size)
        self._max_atoms = max_atoms

    def understood(
        self,
        submission: dict[str, Any],
        parameters: dict[str, Any],
        stored: Sequence[PlacedView] = (),
        *,
        drawn: bool = False,
    ) -> Understood:
        """submission, parameters: documents, as they are stored with a job. stored: the placements that the job has already.

        Raises InvalidInput for what can't be put together, or not within the limits of a request that waits.
        """
        request = {
            "submission": submission,
            "parameters": parameters,
            "stored": [
                {"structure": one.structure.to_document(), "site": one.site, "method": one.method} for one in stored
            ],
            "drawn": drawn,
            "max_atoms": self._max_atoms,
        }
        try:
            found = self._pool.ask(request)
        except Lost as lost:
            raise InvalidInput(
                "this system takes too long or too much memory to put together while a request waits: ask for fewer "
                "placements, or for a smaller cell. A job that is queued may take longer",
                field="parameters.placement.count",
            ) from lost
        return Understood(
            slab=Structure.from_document(found["slab"]),
            adsorbate=Adsorbate.model_validate(found["adsorbate"]),
            placements=[
                PlacedView(Structure.from_document(one["structure"]), one["site"], one["method"])
                for one in found["placements"]
            ],
            warnings=found["warnings"],
            picture=None if found["picture"] is None else b64decode(found["picture"]),
        )

    def close(self) -> None:
        """End the process; what is being worked out is given up."""
        self._pool.close()
