"""GET /v1/adsorbates: OC20's, to choose from; and a molecule of one's own by its SMILES."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

from ase.data import atomic_numbers, chemical_symbols
from fastapi import APIRouter, Query
from pydantic import Field

from api.dependencies import Caller, Submitter, UseContext
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
    smiles: bool = Field(description="whether this server reads SMILES too, for which it needs RDKit")


class BuiltMolecule(View):
    """A molecule in three dimensions, with all its hydrogens."""

    smiles: str
    symbols: list[str]
    numbers: list[int] = Field(description="atomic numbers [n_atoms]")
    positions: list[list[float]] = Field(description="Å [n_atoms, 3]; how it stands means nothing")


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
        ],
        smiles=find_spec("rdkit") is not None,
    )


@router.get("/smiles", responses=responses(401, 403, 422))
def read_smiles(
    caller: Submitter, context: UseContext, text: Annotated[str, Query(max_length=200, description="such as `CCO`")]
) -> BuiltMolecule:
    """The molecule that a SMILES describes, to be sent as the adsorbate of a job with the indices of the atoms that bind. The same
    SMILES is the same geometry, here and in the Python client."""
    built = context.smiles.read(text)
    return BuiltMolecule(
        smiles=text,
        symbols=built.symbols,
        numbers=[atomic_numbers[symbol] for symbol in built.symbols],
        positions=built.positions,
    )
