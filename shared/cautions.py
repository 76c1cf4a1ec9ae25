"""What is known to be wrong with a member on a system, as data: said before the search, and beside what it found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from ase.data import atomic_numbers
from ase.formula import Formula
from pydantic import BaseModel, ConfigDict, Field, field_validator

Symbols = Annotated[tuple[str, ...], Field(max_length=118)]


class Caution(BaseModel):
    """One thing to mind. It holds where all conditions do; with none, always."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    says: Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\n]*$")]
    elements: Symbols = ()
    """One of these is in the adslab."""
    meeting: Symbols = ()
    """And one of these."""
    adsorbates: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    """The adsorbate is one of these, by formula."""

    @field_validator("elements", "meeting")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [symbol for symbol in value if atomic_numbers.get(symbol, 0) < 1]:
            raise ValueError(f"{', '.join(unknown)}: no element; conditions are lists of symbols")
        return value

    def holds(self, adslab: set[str], adsorbate: Mapping[str, int]) -> bool:
        """adslab: its elements. adsorbate: how many atoms of each element."""
        return (
            (not self.elements or bool(adslab & set(self.elements)))
            and (not self.meeting or bool(adslab & set(self.meeting)))
            and (not self.adsorbates or any(Formula(one).count() == dict(adsorbate) for one in self.adsorbates))
        )


def said(
    cautions: Mapping[str, Sequence[Any]], members: Iterable[str], adslab: set[str], adsorbate: Mapping[str, int]
) -> list[str]:
    """What is to be minded, each once, with the members that it is true of. cautions: documents by member."""
    found: dict[str, list[str]] = {}
    for member in dict.fromkeys(members):
        for document in cautions.get(member, ()):
            caution = Caution.model_validate(document)
            if caution.holds(adslab, adsorbate):
                found.setdefault(caution.says, []).append(member)
    return [f"{', '.join(names)}: {says}" for says, names in found.items()]
