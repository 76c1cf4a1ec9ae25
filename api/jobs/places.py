"""Which fields there are at a place of a job's request: for "did you mean"."""

from __future__ import annotations

from pydantic import BaseModel

from api.jobs.requests import (
    AdslabInput,
    ArrayStructure,
    BulkPrototype,
    BulkSurfaceInput,
    CompoundPrototype,
    JobRequest,
    Molecule,
    SlabInput,
    StructuresInput,
    TextStructure,
)

_BRANCHES: dict[str, type[BaseModel]] = {
    "adslab": AdslabInput,
    "slab": SlabInput,
    "bulk": BulkSurfaceInput,
    "structures": StructuresInput,
    "molecule": Molecule,
    "one-element": BulkPrototype,
    "compound": CompoundPrototype,
    "arrays": ArrayStructure,
    **dict.fromkeys(("extxyz", "cif", "poscar", "ase-json"), TextStructure),
}
"""By the name that pydantic gives a branch of a union in the location of an error."""


def fields_at(location: tuple[str | int, ...]) -> list[str]:
    """Names of the fields beside the last one of ("body", "input", "bulk", "miler"); none where the place isn't known."""
    if len(location) == 2:
        return list(JobRequest.model_fields)
    model = _BRANCHES.get(str(location[-2])) if location[1:2] == ("input",) else None
    return [] if model is None else list(model.model_fields)
