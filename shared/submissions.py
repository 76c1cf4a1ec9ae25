"""A validated submission: the ways to name an (adsorbate, surface) pair, as stored with the job.

The texts that users send are parsed and checked at the API's edge; what is stored here is canonical.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @property
    def digest(self) -> str:
        """SHA-256 of the content as canonical JSON: the same for the same content, by whatever way it came in."""
        canonical = json.dumps(_without_signed_zeros(self.model_dump(mode="json")), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


def _without_signed_zeros(value: Any) -> Any:
    """-0.0 is 0.0: some formats can't tell them apart."""
    if isinstance(value, float):
        return value + 0.0
    if isinstance(value, dict):
        return {key: _without_signed_zeros(part) for key, part in value.items()}
    return [_without_signed_zeros(part) for part in value] if isinstance(value, list | tuple) else value


class Adsorbate(_Frozen):
    """The molecule: an OC20 name such as `*CO`, or atoms with the indices that bind."""

    name: str
    """OC20 name, or the formula of the atoms given."""
    numbers: tuple[int, ...]
    """Atomic numbers [n_atoms]."""
    positions: tuple[tuple[float, float, float], ...]
    """Å [n_atoms, 3]."""
    binding: tuple[int, ...]
    """Indices of the atoms that point at the surface."""
    oriented: bool = False
    """Whether `positions` stand on the surface already, their third axis its normal: OC20's own adsorbates as OC20 stores them."""


class _Whole(_Frozen):
    structure: dict[str, Any]
    """`Structure.to_document()`, adsorbate and slab."""

    @property
    def order(self) -> tuple[int, ...]:
        """How its atoms stand inside, slab before adsorbate [n_atoms]: inside[k] is the atom order[k] of the adslab as given."""
        tags = self.structure["tags"]
        return tuple(sorted(range(len(tags)), key=lambda atom: tags[atom] == 2))


class AdslabSubmission(_Whole):
    """An adslab: its own geometry is the first placement."""

    kind: Literal["adslab"] = "adslab"
    binding: tuple[int, ...] = ()
    """Indices within the adslab; empty: the adsorbate atoms nearest to the surface."""


class Relax(StrEnum):
    """What is done to structures that are given, before their energies are taken."""

    NONE = "none"  # nothing: each member's energy is of the structure as it was given
    SCORE = "score"  # each scoring member relaxes it by itself, for `ensemble.score_steps` at most
    SEARCH = (
        "search"  # the searching members relax it until it has converged; what they find is scored like any candidate
    )


class StructuresSubmission(_Whole):
    """Many adslabs of one system, to be scored without a search. Positions and labels of all are stored beside it (shared.given)."""

    kind: Literal["structures"] = "structures"
    slab: dict[str, Any] | None = None
    """`Structure.to_document()` of the clean slab, where it was given."""
    count: Annotated[int, Field(ge=1)]
    """How many they are; `structure` is the first."""
    content: str
    """SHA-256 of labels and positions."""
    relax: Relax = Relax.NONE

    @property
    def slab_as_given(self) -> bool:
        """Whether energies are relative to the clean slab as it was given, not to one that the member relaxed."""
        return self.slab is not None and self.relax is Relax.NONE


def given_to(submission: Mapping[str, Any]) -> StructuresSubmission | None:
    """The submission of a job that was given its structures; None for one that searches. submission: as stored with the job."""
    return StructuresSubmission.model_validate(submission) if submission.get("kind") == "structures" else None


def slab_as_given(submission: Mapping[str, Any]) -> bool:
    """Whether total energies of a job are relative to the clean slab as it was given. submission: as stored with the job."""
    given = given_to(submission)
    return given is not None and given.slab_as_given


def given_order(submission: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Where each atom as given stands inside [n_atoms], so that inside[given_order[k]] is the atom k of the adslab that was
    submitted; None where nothing changes places. submission: as stored with the job."""
    if submission.get("kind") not in ("adslab", "structures"):
        return None
    order = _Whole(structure=submission["structure"]).order
    back = tuple(sorted(range(len(order)), key=order.__getitem__))
    return None if back == tuple(range(len(back))) else back


class SlabSubmission(_Frozen):
    """A clean slab and an adsorbate."""

    kind: Literal["slab"] = "slab"
    slab: dict[str, Any]
    """`Structure.to_document()`, no adsorbate atoms."""
    adsorbate: Adsorbate


class BulkSubmission(_Frozen):
    """A bulk crystal to be cut, and an adsorbate."""

    kind: Literal["bulk"] = "bulk"
    numbers: tuple[int, ...]
    """Atomic numbers [n_atoms]."""
    positions: tuple[tuple[float, float, float], ...]
    """Å [n_atoms, 3]."""
    cell: tuple[tuple[float, float, float], ...]
    """Rows are lattice vectors, Å [3, 3]."""
    miller: tuple[int, int, int]
    """Of the cell given, or of its standard conventional cell."""
    conventional: bool = True
    """Whether it is of the standard conventional cell (pymatgen's). Jobs that were stored without a word had this."""
    termination: Annotated[int, Field(ge=0)] = 0
    """Which of the terminations along this Miller index, counted from the lowest shift."""
    top: bool = True
    """False turns the slab over."""
    min_depth: Annotated[float, Field(gt=0, le=40)] = 7.0
    """Least thickness of the slab, Å (OC20: 7)."""
    min_width: Annotated[float, Field(gt=0, le=40)] = 8.0
    """Least extent of the cell along both surface vectors, Å (OC20: 8)."""
    vacuum: Annotated[float, Field(ge=10, le=60)] = 20.0
    """Empty space above the slab, Å (OC20: 20)."""
    adsorbate: Adsorbate


Submission = Annotated[
    AdslabSubmission | StructuresSubmission | SlabSubmission | BulkSubmission, Field(discriminator="kind")
]
