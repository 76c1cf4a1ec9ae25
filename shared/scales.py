"""The scale of a member's adsorption energies: what one atom in the gas is worth where the member's own molecules aren't asked.

Energies are always relative to the clean slab and CO, H2, H2O, N2 (shared.references). Whose energies of these molecules are taken
differs from member to member, and numbers on unlike scales are never averaged. Constants of OC20's DFT (RPBE) as in fairchem's
recipe for adsorption energies; Chanussot et al., ACS Catal. 11, 6059 (2021), doi:10.1021/acscatal.0c04525.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from ase.data import chemical_symbols
from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.references import CHEMICAL_POTENTIALS, COVERED, EnergyKind

Symbol = Literal["H", "C", "N", "O"]
EnergyPerAtom = Annotated[float, Field(ge=-1000, le=1000)]
Error = Annotated[float, Field(ge=0, le=1000)]


class ScaleKind(StrEnum):
    """Where the energies of the gas molecules come from."""

    PREDICTED = "predicted"  # the member predicts adsorption energies itself
    OWN_GAS = "own gas"  # relaxed by the member
    CONSTANTS = "constants"  # fixed energies per atom, of the DFT that the member learned
    GIVEN = "given"  # energies per atom from a table of the site
    FITTED = "fitted"  # energies per atom, fitted to adsorption energies by DFT


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Fit(_Part):
    """What constants were fitted to, and how far the member is off there. Errors: mean absolute ones, eV, each label's with constants
    that its metal's, or its adsorbate's, labels had no part in."""

    set: Annotated[str, Field(min_length=1, max_length=60)]
    functional: Annotated[str, Field(min_length=1, max_length=60)]
    made: date
    labels: Annotated[int, Field(ge=1)]
    checkpoint: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """SHA-256 of the member's: constants of one are none of another."""
    metal_left_out: Error
    adsorbate_left_out: Error
    by_metal: dict[str, Error] = {}
    by_adsorbate: dict[str, Error] = {}


class Scale(_Part):
    """Of one member."""

    kind: ScaleKind
    label: Annotated[str, Field(max_length=100, pattern=r"^[^\n;]*$")] = ""
    """Whose energies they are: equal for equal scales."""
    energies: dict[Symbol, EnergyPerAtom] = {}
    """eV an atom. Elements that aren't there take the member's own molecules."""
    source: Annotated[str, Field(max_length=500)] = ""
    """Where they are published."""
    fit: Fit | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind in (ScaleKind.CONSTANTS, ScaleKind.GIVEN, ScaleKind.FITTED):
            if not self.energies or not (self.label or self.fit):
                raise ValueError(
                    f"references of the kind `{self.kind}` need energies by element, and a label of whose they are"
                )
        elif self.energies:
            raise ValueError(
                f"references of the kind `{self.kind}` take no energies: leave them out, or name another kind"
            )
        if (self.kind is ScaleKind.FITTED) != (self.fit is not None):
            raise ValueError("references of the kind `fitted` say what they were fitted to (fit), and no others do")
        return self

    @property
    def whose(self) -> str:
        """The label, or what the constants were fitted to."""
        return self.label or (f"{self.fit.set} ({self.fit.functional})" if self.fit else "")

    def document(self) -> dict[str, Any]:
        """What a job keeps of it: all but the errors of each metal and adsorbate."""
        return self.model_dump(mode="json", exclude={"fit": {"by_metal", "by_adsorbate"}})

    def own_molecules(self, numbers: Iterable[int]) -> list[str]:
        """Symbols of the elements among these whose energies are of the member's own molecules; none where it predicts adsorption
        energies."""
        if self.kind is ScaleKind.PREDICTED:
            return []
        return sorted(_symbols(numbers) & CHEMICAL_POTENTIALS.keys() - self.energies.keys())

    def words(self, numbers: Sequence[int]) -> str:
        """For an adsorbate of these atoms; two members' energies may be averaged where the words are equal. Empty where no element
        among them has a reference here."""
        there = _symbols(numbers) & CHEMICAL_POTENTIALS.keys()
        own = self.own_molecules(numbers)
        if not there:
            return ""
        if there == set(own):
            return "by each member's own molecules"
        how = {ScaleKind.FITTED: "by constants fitted to", ScaleKind.GIVEN: "by energies given as"}
        said = f"{how.get(self.kind, 'on the scale of')} {self.whose}"
        return f"{said}, {', '.join(own)} by each member's own molecules" if own else said


def _symbols(numbers: Iterable[int]) -> set[str]:
    return {chemical_symbols[number] for number in numbers}


OC20_LABEL = "OC20 (RPBE)"
PREDICTED = Scale(kind=ScaleKind.PREDICTED, label=OC20_LABEL)
OWN_GAS = Scale(kind=ScaleKind.OWN_GAS)
OC20 = Scale(
    kind=ScaleKind.CONSTANTS,
    label=OC20_LABEL,
    energies={"H": -3.477, "C": -7.282, "N": -8.083, "O": -7.204},
    source="fairchem's recipe for adsorption energies with models of total energies",
)


def usual(kind: EnergyKind | str) -> Scale:
    """Of a member that nothing else is known of."""
    return OWN_GAS if kind == EnergyKind.TOTAL else PREDICTED


def read(documents: Mapping[str, Any], member: str, kind: EnergyKind | str) -> Scale:
    """A member's scale in a job's documents; the usual one where they have none, as those of older jobs."""
    found = documents.get(member)
    return usual(kind) if found is None else Scale.model_validate(found)


def common(found: Iterable[Scale]) -> str:
    """The scale of several members in words, whatever the adsorbate; empty where they are on unlike ones."""
    words = {one.words(sorted(COVERED)) for one in found}
    return words.pop() if len(words) == 1 else ""


def stated(reference: str, words: str | None) -> str:
    """What an energy is relative to, and on which scale; equal for what may be averaged."""
    return f"{reference}, {words}" if words else reference


def accuracy(scales: Iterable[Scale]) -> str:
    """How far members with fitted constants are off on the labels that these were fitted to; empty where there are none."""
    fits = [one.fit for one in scales if one.fit is not None]
    if not fits:
        return ""
    low, high = min(one.metal_left_out for one in fits), max(one.metal_left_out for one in fits)
    off = f"{low:.2f} eV" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f} eV"
    each = "the member is" if len(fits) == 1 else "each member alone is"
    return f"{each} off by {off} on average on the {max(one.labels for one in fits)} labels it was fitted to"
