"""What is submitted, as the server reads it: one of adslab, structures, slab and bulk, with what belongs to it and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from adhop import inputs, many
from adhop.errors import AdhopError
from adhop.inputs import StructureLike

_CUT = ("conventional", "termination", "top", "min_depth", "min_width", "vacuum")


def body(
    *,
    adslab: StructureLike | None = None,
    structures: StructureLike | Iterable[StructureLike] | None = None,
    labels: Iterable[str] | None = None,
    relax: str | None = None,
    slab: StructureLike | None = None,
    bulk: str | StructureLike | None = None,
    adsorbate: str | StructureLike | None = None,
    adsorbate_indices: Iterable[int] | None = None,
    binding: Iterable[int] | None = None,
    miller: str | Iterable[int] | None = None,
    conventional: bool | None = None,
    termination: int | None = None,
    top: bool | None = None,
    min_depth: float | None = None,
    min_width: float | None = None,
    vacuum: float | None = None,
    crystal: str | None = None,
    a: float | None = None,
    c: float | None = None,
    u: float | None = None,
    prototype: str | None = None,
    elements: str | Iterable[str] | None = None,
    parameters: Mapping[str, Any] | None = None,
    name: str | None = None,
    priority: int | None = None,
    group: str | None = None,
) -> dict[str, Any]:
    """Of `Client.submit` and `Client.system`, with their arguments. Raises AdhopError for what doesn't belong together."""
    cut = {"termination": termination, "top": top, "min_depth": min_depth, "min_width": min_width, "vacuum": vacuum}
    crystals = {"crystal": crystal, "a": a, "c": c, "u": u, "elements": elements}
    bulks = {"miller": miller, "conventional": conventional} | crystals | cut
    if bulk is not None and prototype is not None:
        raise AdhopError("a prototype is a bulk: give one of the two")
    kinds = (adslab, structures, slab if structures is None else None, bulk, prototype)
    if sum(kind is not None for kind in kinds) != 1:
        raise AdhopError("give exactly one of adslab, structures, slab and bulk (or a prototype)")
    if bulk is None and prototype is None:
        _refuse(bulks, "is of the cut of a bulk, and no bulk is given")
    if structures is None:
        _refuse({"labels": labels, "relax": relax}, "is of structures to be scored, and none are given")
    if structures is not None:
        _refuse({"adsorbate": adsorbate, "binding": binding}, "is of a search, and structures are scored as they are")
        made = _structures(structures, labels, adsorbate_indices) | present(
            slab=None if slab is None else inputs.structure(slab), relax=relax
        )
    elif adslab is not None:
        _refuse({"adsorbate": adsorbate}, "is in the adslab already: give adsorbate_indices, or OC20 tags")
        made = _adslab(adslab, adsorbate_indices, binding)
    else:
        _refuse({"adsorbate_indices": adsorbate_indices}, "is of an adslab, and none is given")
        made = _slab(slab) if slab is not None else _bulk(bulk, prototype, bulks)
        made["adsorbate"] = _adsorbate(adsorbate, binding)
    return {"input": made} | present(name=name, parameters=parameters, priority=priority, group=group)


def present(**values: Any) -> dict[str, Any]:
    """Those that were given."""
    return {name: value for name, value in values.items() if value is not None}


def _adslab(
    given: StructureLike, adsorbate_indices: Iterable[int] | None, binding: Iterable[int] | None
) -> dict[str, Any]:
    whole = inputs.structure(given)
    made: dict[str, Any] = {"kind": "adslab", "structure": whole}
    for what, atoms in (("adsorbate_indices", adsorbate_indices), ("binding", binding)):
        made |= {} if atoms is None else {what: inputs.indices(atoms, what, whole)}
    return made


def _structures(
    given: StructureLike | Iterable[StructureLike],
    labels: Iterable[str] | None,
    adsorbate_indices: Iterable[int] | None,
) -> dict[str, Any]:
    bodies, called = many.structures(given)
    made: dict[str, Any] = {"kind": "structures", "structures": bodies}
    if adsorbate_indices is not None:
        made["adsorbate_indices"] = inputs.indices(adsorbate_indices, "adsorbate_indices")
    return made | present(labels=called if labels is None else [str(label) for label in labels])


def _slab(given: StructureLike) -> dict[str, Any]:
    return {"kind": "slab", "slab": inputs.structure(given)}


def _bulk(given: str | StructureLike | None, prototype: str | None, asked: Mapping[str, Any]) -> dict[str, Any]:
    if asked["miller"] is None:
        raise AdhopError("a bulk needs its Miller index: miller=(1, 1, 1)")
    crystal = _prototype(prototype, asked) if given is None else _crystal(given, asked)
    made = {"kind": "bulk", "bulk": crystal, "miller": inputs.miller(asked["miller"])}
    return made | present(**{name: asked[name] for name in _CUT})


def _prototype(name: str | None, asked: Mapping[str, Any]) -> dict[str, Any]:
    _refuse({"crystal": asked["crystal"]}, "is of a bulk named by its element; a prototype is a crystal")
    elements = asked["elements"]
    if elements is None:
        raise AdhopError('a prototype needs its elements in the order of the formula: elements=("Ti", "O") of rutile')
    listed = (
        re.findall(r"[A-Z][a-z]?|[^\s,]", elements) if isinstance(elements, str) else [str(one) for one in elements]
    )
    return {"prototype": name, "elements": listed} | present(a=asked["a"], c=asked["c"], u=asked["u"])


def _crystal(given: str | StructureLike, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A bulk that is a structure, or named by its element."""
    _refuse({name: asked[name] for name in ("elements", "u")}, "is of a prototype, and none is given")
    crystal = inputs.bulk(given, asked["crystal"], asked["a"])
    if "format" in crystal:
        _refuse(
            {name: asked[name] for name in ("crystal", "a", "c")}, "is of a bulk that is named; this one has its own"
        )
    return crystal | present(c=asked["c"])


def _adsorbate(given: str | StructureLike | None, binding: Iterable[int] | None) -> Any:
    if given is None:
        raise AdhopError("give the adsorbate: an OC20 name such as '*CO', or a molecule with binding=[...]")
    molecule = inputs.adsorbate(given, binding)
    if isinstance(molecule, str):
        _refuse({"binding": binding}, f"is of a molecule of one's own; {molecule} has binding atoms by its name")
    return molecule


def _refuse(values: Mapping[str, Any], why: str) -> None:
    for name, value in values.items():
        if value is not None:
            raise AdhopError(f"{name} {why}")
