"""What may be posted to /v1/jobs. Lengths in Å; tags are OC20's (0 subsurface, 1 surface, 2 adsorbate)."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, JsonValue, Tag, model_validator
from pydantic_core import PydanticCustomError

from api.jobs import miller as miller_index
from shared.parameters import JobParameters
from shared.plain_text import OneLine
from shared.submissions import Relax

MOST_ENTRIES = 10_000
"""No list of a request may be longer; the server's own limit on atoms is far lower."""
MOST_FIELDS = 100
"""No object of a request may hold more; a million of unknown ones would be a million errors to write down."""

Finite = Annotated[float, Field(allow_inf_nan=False)]
Vector = tuple[Finite, Finite, Finite]
Numbers = Annotated[list[Annotated[int, Field(ge=1, le=118)]], Field(fail_fast=True, max_length=MOST_ENTRIES)]
Indices = Annotated[list[Annotated[int, Field(ge=0, lt=MOST_ENTRIES)]], Field(fail_fast=True, max_length=MOST_ENTRIES)]
Tagged = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Name = Annotated[OneLine, Field(max_length=100)]
Column = Annotated[
    list[Annotated[list[Tagged], Field(min_length=1, max_length=3)]], Field(fail_fast=True, max_length=MOST_ENTRIES)
]
Vectors = Annotated[list[Vector], Field(fail_fast=True, max_length=MOST_ENTRIES)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TextStructure(_Request):
    """The text of a structure file. Its format is named; nothing is guessed, and nothing is read by file name."""

    format: Literal["extxyz", "cif", "poscar", "ase-json"]
    text: str


class ArrayStructure(_Request):
    """A structure as plain arrays."""

    format: Literal["arrays"]
    numbers: Numbers = Field(description="atomic numbers [n_atoms]")
    positions: Vectors = Field(description="Å [n_atoms, 3]")
    cell: tuple[Vector, Vector, Vector] = Field(description="rows are lattice vectors, Å [3, 3]")
    pbc: tuple[bool, bool, bool] = (True, True, True)
    tags: Annotated[list[Tagged], Field(fail_fast=True, max_length=MOST_ENTRIES)] | None = None
    fixed: Annotated[list[bool], Field(fail_fast=True, max_length=MOST_ENTRIES)] | None = Field(
        default=None, description="atoms that never move [n_atoms]"
    )
    columns: Annotated[dict[Name, Column], Field(max_length=64)] = Field(
        default={},
        description="further flags or whole numbers of each atom, by name [n_atoms][1 or 3]: read as the same columns of an extended "
        "XYZ are, where they say which atoms are fixed (`move_mask`, `selective_dynamics`, `fixed`)",
    )
    left_out: Annotated[list[Name], Field(max_length=200)] = Field(
        default=[],
        description="names of what the sender has besides and doesn't send (`momenta`, `energy`, `charge`): the job's warnings say "
        "that it isn't used",
    )


MillerIndex = Annotated[tuple[int, ...], BeforeValidator(miller_index.checked), Field(min_length=3, max_length=4)]
StructureText = Annotated[TextStructure | ArrayStructure, Field(discriminator="format")]


class BulkPrototype(_Request):
    """A bulk crystal of one element, built with ASE's lattice data unless told otherwise."""

    element: Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")]
    crystal: Literal["fcc", "bcc", "hcp", "diamond", "sc"] | None = None
    a: Annotated[float, Field(gt=1, lt=20)] | None = Field(default=None, description="lattice constant, Å")
    c: Annotated[float, Field(gt=1, lt=60)] | None = Field(default=None, description="second one, of hcp, Å")


class CompoundPrototype(_Request):
    """A bulk crystal of several elements, by the name of its structure."""

    prototype: Literal[
        "rocksalt",
        "zincblende",
        "wurtzite",
        "fluorite",
        "cesiumchloride",
        "B2",
        "rutile",
        "perovskite",
        "L1_0",
        "L1_2",
    ]
    elements: Annotated[list[Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")]], Field(max_length=5)] = Field(
        description="in the order of the formula: Ti, O of rutile; Sr, Ti, O of a perovskite; Pt, Ni of the L1_2 alloy Pt3Ni"
    )
    a: Annotated[float, Field(gt=1, lt=20)] | None = Field(default=None, description="lattice constant, Å")
    c: Annotated[float, Field(gt=1, lt=60)] | None = Field(
        default=None, description="second one, of wurtzite (without it, the ideal one), rutile and L1_0, Å"
    )
    u: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="internal coordinate of wurtzite (without it, 0.375) and rutile (0.305)"
    )


class Molecule(_Request):
    """An adsorbate of one's own."""

    structure: StructureText
    binding: Indices = Field(min_length=1, description="indices of the atoms that point at the surface")


def _adsorbate_tag(value: Any) -> str:
    return "by-name" if isinstance(value, str) else "molecule"


def _bulk_tag(value: Any) -> str:
    if isinstance(value, CompoundPrototype) or (isinstance(value, dict) and "prototype" in value):
        return "compound"
    prototype = isinstance(value, BulkPrototype) or (isinstance(value, dict) and "element" in value)
    return "one-element" if prototype else "text-or-arrays"


AdsorbateInput = Annotated[
    Annotated[Annotated[str, Field(max_length=100)], Tag("by-name")] | Annotated[Molecule, Tag("molecule")],
    Discriminator(_adsorbate_tag),
    Field(description="an OC20 name such as `*CO`, or a molecule", examples=["*CO"]),
]
BulkInput = Annotated[
    Annotated[BulkPrototype, Tag("one-element")]
    | Annotated[CompoundPrototype, Tag("compound")]
    | Annotated[StructureText, Tag("text-or-arrays")],
    Discriminator(_bulk_tag),
]
_TAGS = frozenset(
    {
        "by-name",
        "molecule",
        "one-element",
        "compound",
        "text-or-arrays",
        "extxyz",
        "cif",
        "poscar",
        "ase-json",
        "arrays",
    }
)
"""Names that pydantic puts into error locations for the branch of a union; no field is called so."""


class AdslabInput(_Request):
    """Slab and adsorbate together; the geometry given is the first placement."""

    kind: Literal["adslab"]
    structure: StructureText
    adsorbate_indices: Indices | None = Field(default=None, description="without it, OC20 tag 2 marks the adsorbate")
    binding: Indices = Field(default=[], description="of the adsorbate's atoms; without it, those nearest the surface")


class SlabInput(_Request):
    """A clean slab and an adsorbate to place on it."""

    kind: Literal["slab"]
    slab: StructureText
    adsorbate: AdsorbateInput


class BulkSurfaceInput(_Request):
    """A bulk to cut along a Miller index, and an adsorbate to place on the surface."""

    kind: Literal["bulk"]
    bulk: BulkInput
    miller: MillerIndex = Field(
        description="(h k l) of the cell given, or of the usual cell of an element or a prototype; or (h k i l) of a hexagonal "
        "crystal, i = -(h + k)"
    )
    conventional: bool = Field(
        default=False, description="whether the index is of the crystal's standard conventional cell instead"
    )
    termination: Annotated[int, Field(ge=0, le=100)] = 0
    top: bool = True
    min_depth: Annotated[float, Field(gt=0, le=40)] = Field(default=7.0, description="least thickness of the slab, Å")
    min_width: Annotated[float, Field(gt=0, le=40)] = Field(
        default=8.0, description="least extent of the cell along both surface vectors, Å"
    )
    vacuum: Annotated[float, Field(ge=10, le=60)] = Field(default=20.0, description="empty space above the slab, Å")
    adsorbate: AdsorbateInput


class StructuresInput(_Request):
    """Many adslabs of one system, to be scored as they are, or relaxed first; nothing is searched. Same atoms in the same order, same
    cell, same fixed atoms: they differ in their positions alone."""

    kind: Literal["structures"]
    structures: list[StructureText] = Field(
        min_length=1,
        max_length=MOST_ENTRIES,
        description="an extended XYZ brings all of its frames, any other text one structure",
    )
    labels: Annotated[list[Name], Field(fail_fast=True, max_length=MOST_ENTRIES)] | None = Field(
        default=None,
        description="what each is called, to find it again; without them, what the comment line of an extended XYZ says as `label`, "
        "`name`, `id` or `unique_id`, or else their numbers from 0",
    )
    adsorbate_indices: Indices | None = Field(default=None, description="without it, OC20 tag 2 marks the adsorbate")
    slab: StructureText | None = Field(
        default=None,
        description="the clean slab that energies are relative to, its atoms in the order of the structures' slab atoms: as it is "
        "where `relax` is `none`, otherwise relaxed by each member. Without it, that of the first structure, relaxed by each member",
    )
    relax: Relax = Field(
        default=Relax.NONE,
        description="`none`: each energy is of the structure as it was given; `score`: each scoring member relaxes it first, for up "
        "to `ensemble.score_steps` steps; `search`: the search members relax it until it has converged, and that is scored",
    )


JobInput = Annotated[AdslabInput | SlabInput | BulkSurfaceInput | StructuresInput, Field(discriminator="kind")]
_KINDS = frozenset({"adslab", "slab", "bulk", "structures"})


def dotted(location: tuple[str | int, ...]) -> str:
    """`input.slab.text` of ("body", "input", "slab", "slab", "extxyz", "text"): the branches of unions are left out."""
    parts = list(location[1:]) if len(location) > 1 else list(location)
    if len(parts) > 2 and parts[0] == "input" and parts[1] in _KINDS:
        del parts[1]
    return ".".join(str(part) for part in parts if part not in _TAGS)


_EXAMPLE: JsonValue = {
    "name": "CO on Pt(111)",
    "input": {"kind": "bulk", "bulk": {"element": "Pt"}, "miller": [1, 1, 1], "adsorbate": "*CO"},
    "parameters": {"seed": 1, "placement": {"count": 8}, "hopping": {"hops": 3}},
}


class JobRequest(_Request):
    """A job: one (adsorbate, surface) pair and how to search it; or many structures of one, to be scored."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Annotated[OneLine, Field(max_length=200)] | None = Field(
        default=None, description="one line of visible characters"
    )
    input: JobInput
    parameters: JobParameters = JobParameters()
    priority: Annotated[int, Field(ge=-100, le=100)] = Field(
        default=0, description="among your own jobs; it never passes another user's turn"
    )
    group: Name | None = Field(default=None, description="one of your groups, whose members may then read the job")

    @model_validator(mode="before")
    @classmethod
    def _bounded(cls, body: Any) -> Any:
        """Looked at before any field is, so that a refusal costs little."""
        if isinstance(body, bytes):
            raise PydanticCustomError("not_json", "send JSON, with the header Content-Type: application/json")
        found = [body] if isinstance(body, dict | list) else []
        while found:
            one = found.pop()
            if len(one) > (MOST_FIELDS if isinstance(one, dict) else MOST_ENTRIES):
                raise PydanticCustomError(
                    "too_large",
                    "no list may have more than {entries} entries, and no object more than {fields} fields",
                    {"entries": MOST_ENTRIES, "fields": MOST_FIELDS},
                )
            found += [
                part for part in (one.values() if isinstance(one, dict) else one) if isinstance(part, dict | list)
            ]
        return body

    @property
    def digest(self) -> str:
        """SHA-256 of the request's content, however it was written."""
        without = {"group"} if self.group is None else set()  # as before there were groups
        canonical = json.dumps(self.model_dump(mode="json", exclude=without), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


class JobChange(_Request):
    """What can be changed of a job."""

    group: Name | None = Field(
        description="one of its owner's groups, whose members may then read it; null: nobody but its owner"
    )
