"""GET /v1/adsorbates: OC20's, to choose from."""

from __future__ import annotations

from ase.data import chemical_symbols
from fastapi import APIRouter
from pydantic import Field

from api.dependencies import Caller
from api.problems import responses
from api.view import View
from shared import adsorbates

router = APIRouter(prefix="/v1/adsorbates", tags=["systems"])


class NamedAdsorbate(View):
    """A molecule that a job may name."""

    name: str = Field(description="as a job gives it, such as `*CO`")
    symbols: list[str]
    positions: list[list[float]] = Field(description="Å [n_atoms, 3]; binding atoms point down")
    binding: list[int] = Field(description="indices of the atoms that point at the surface")


class Adsorbates(View):
    """All of them."""

    adsorbates: list[NamedAdsorbate] = Field(description="in OC20's order")


@router.get("", responses=responses(401))
def list_adsorbates(caller: Caller) -> Adsorbates:
    """The adsorbates of OC20 by name, with a geometry to draw them by."""
    found = (adsorbates.lookup(name) for name in adsorbates.names())
    return Adsorbates(
        adsorbates=[
            NamedAdsorbate(
                name=one.name,
                symbols=[chemical_symbols[number] for number in one.numbers],
                positions=[list(position) for position in one.positions],
                binding=list(one.binding),
            )
            for one in found
        ]
    )
