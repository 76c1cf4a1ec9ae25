"""The registry's file format: TOML with one `[[member]]` table for each member.

[[member]]
name = "eqv2-31m-oc20-all-md"
family = "equiformer_v2"
path = "eq2_31M_ec4_allmd.pt"     # beside this file, or absolute; omitted where the weights come in the wheel
sha256 = "…"                      # a file with another checksum is refused
energy_kind = "adsorption"        # or "total"
elements = ["H-Bi", "Ac-Pu"]      # symbols and ranges; omitted where the family is OC20's
precision = "float32"
trained_on = "OC20 S2EF All+MD"
license = "CC-BY-4.0"
options = {}                      # what the family understands
limits = { devices = ["cuda"], memory_gib = 6, batch_atoms = 4000 }
cautions = ["spin", { says = "…", elements = ["O"], meeting = ["Ni"] }]  # names of cautions.toml, or as shared/cautions.py has them

Whose gas molecules the energies are relative to stands in a file beside it, references.toml (worker/potentials/references_file.py).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from services.forces.potential import EnergyKind
from shared.cautions import Caution
from shared.errors import Misconfigured
from worker.potentials import elements
from worker.potentials.entry import Limits, Option, RegistryEntry
from worker.potentials.families import FAMILIES
from worker.potentials.site_files import read_toml

NAME = r"[a-z0-9][a-z0-9.+_-]{0,63}"


class _Limits(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    devices: frozenset[Literal["cpu", "cuda"]] = frozenset({"cpu", "cuda"})
    memory_gib: Annotated[float, Field(gt=0)] | None = None
    batch_atoms: Annotated[int, Field(ge=1)] | None = None


class MemberTable(BaseModel):
    """One `[[member]]` table of the file, checked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=f"^{NAME}$")]
    family: str
    path: Path | None = None
    sha256: Annotated[str, Field(pattern="^([0-9a-f]{64})?$")] = ""
    energy_kind: EnergyKind
    elements: tuple[str, ...] | None = None
    precision: str | None = None
    trained_on: str = ""
    license: str = ""
    options: dict[str, Option] = {}
    limits: _Limits = _Limits()
    address: Annotated[str, Field(pattern="^https://")] | None = None
    """Where the checkpoint is published."""
    hosts: tuple[Annotated[str, Field(pattern=r"^[a-z0-9.-]+$")], ...] = ()
    """Other hosts that this address may redirect to."""
    cautions: Annotated[tuple[Caution, ...], Field(max_length=20)] = ()

    @field_validator("family")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in FAMILIES:
            raise ValueError(f"{value!r} is no family; known are {', '.join(FAMILIES)}")
        return value

    @field_validator("cautions", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        known = _cautions()
        if unknown := [one for one in value if isinstance(one, str) and one not in known]:
            raise ValueError(f"{', '.join(unknown)}: no such caution; named ones are {', '.join(known)}")
        return [known[one] if isinstance(one, str) else one for one in value]

    @field_validator("elements")
    @classmethod
    def _symbols(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value is not None:
            elements.parse(value)
        return value

    @model_validator(mode="after")
    def _fits_family(self) -> MemberTable:
        family = FAMILIES[self.family]
        if self.precision is not None and self.precision not in family.precisions:
            raise ValueError(f"precision of {family.title} is {' or '.join(family.precisions)}, not {self.precision!r}")
        if unknown := sorted(self.options.keys() - family.options):
            known = ", ".join(sorted(family.options)) or "none"
            raise ValueError(f"{family.title} has no option {', '.join(unknown)}; its options are: {known}")
        if self.path is None and self.address is None and not family.in_wheel:
            raise ValueError(f"path is missing: the weights of {family.title} come in no package")
        if self.elements is None and family.elements is None:
            raise ValueError("elements is missing: `python -m worker.models add` reads them from the checkpoint")
        if family.checkpoint and not self.sha256 and self.address is None:
            raise ValueError("sha256 is missing: `python -m worker.models add` writes it")
        return self

    def entry(self, folder: Path) -> RegistryEntry:
        """The registry entry that it makes; a relative path starts at the file's own folder."""
        return RegistryEntry(
            name=self.name,
            family=self.family,
            path=None if self.path is None else folder / self.path,
            sha256=self.sha256,
            energy_kind=self.energy_kind,
            elements=FAMILIES[self.family].elements if self.elements is None else elements.parse(self.elements),
            precision=self.precision or FAMILIES[self.family].precisions[0],
            options=MappingProxyType(dict(self.options)),
            limits=Limits(frozenset(self.limits.devices), self.limits.memory_gib, self.limits.batch_atoms),
            trained_on=self.trained_on,
            license=self.license,
            cautions=self.cautions,
        )


@lru_cache(maxsize=1)
def _cautions() -> dict[str, Any]:
    """Those that come with Adhop, by name."""
    return tomllib.loads(Path(__file__).with_name("cautions.toml").read_text(encoding="utf-8"))


def read(file: Path) -> list[MemberTable]:
    """The members of a file, in its order. Raises Misconfigured, which names the file, the member and what to change."""
    document = read_toml(file, kind="members")
    tables = document.pop("member", [])
    if document or not isinstance(tables, list):
        strange = ", ".join(document) or "member"
        raise Misconfigured(f"{file}: {strange}: the file holds [[member]] tables and nothing else")
    members = [_member(file, index, table) for index, table in enumerate(tables)]
    names = [member.name for member in members]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Misconfigured(f"{file}: {', '.join(twice)} stands there twice; a name means one checkpoint")
    return members


def _member(file: Path, index: int, table: object) -> MemberTable:
    name = table.get("name", f"number {index + 1}") if isinstance(table, dict) else f"number {index + 1}"
    try:
        return MemberTable.model_validate(table)
    except ValidationError as error:
        raise Misconfigured(f"{file}: member {name}: {'; '.join(reasons(error))}") from error


def reasons(error: ValidationError) -> Iterator[str]:
    """What is wrong, field by field, in words."""
    for one in error.errors():
        where = ".".join(str(part) for part in one["loc"])
        message = one["msg"].removeprefix("Value error, ")
        yield f"{where}: {message}" if where else message
