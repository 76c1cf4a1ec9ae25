"""The body of a request to submit, from what a user has at hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from adhop import inputs
from adhop.errors import AdhopError
from adhop.inputs import StructureLike


def body(
    *,
    adslab: StructureLike | None = None,
    slab: StructureLike | None = None,
    bulk: str | StructureLike | None = None,
    adsorbate: str | StructureLike | None = None,
    adsorbate_indices: Iterable[int] | None = None,
    binding: Iterable[int] | None = None,
    miller: str | Iterable[int] | None = None,
    termination: int | None = None,
    crystal: str | None = None,
    a: float | None = None,
    parameters: Mapping[str, Any] | None = None,
    name: str | None = None,
    priority: int | None = None,
) -> dict[str, Any]:
    """Of `Client.submit` and `Client.system`, with their arguments."""
    given = [kind for kind in (adslab, slab, bulk) if kind is not None]
    if len(given) != 1:
        raise AdhopError("give exactly one of adslab, slab and bulk")
    made: dict[str, Any]
    if adslab is not None:
        whole = inputs.structure(adslab)
        made = {"kind": "adslab", "structure": whole}
        for what, atoms in (("adsorbate_indices", adsorbate_indices), ("binding", binding)):
            made |= {} if atoms is None else {what: inputs.indices(atoms, what, whole)}
    else:
        if adsorbate is None:
            raise AdhopError("give the adsorbate: an OC20 name such as '*CO', or a molecule with binding=[...]")
        molecule = inputs.adsorbate(adsorbate, binding)
        if slab is not None:
            made = {"kind": "slab", "slab": inputs.structure(slab), "adsorbate": molecule}
        else:
            if bulk is None or miller is None:
                raise AdhopError("a bulk needs its Miller index: miller=(1, 1, 1)")
            made = {"kind": "bulk", "bulk": inputs.bulk(bulk, crystal, a), "miller": inputs.miller(miller)}
            made |= {"adsorbate": molecule} | _present(termination=termination)
    return {"input": made} | _present(name=name, parameters=parameters, priority=priority)


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
