"""What is wrong with a field, in the words of whoever filled it in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel

from shared.parameters import JobParameters

_PLAIN = {
    "missing": "is missing",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be an object with named fields",
    "model_type": "must be an object with named fields",
    "model_attributes_type": "must be an object with named fields",
}
"""By pydantic's name of the error."""
_SHAPES = frozenset({"dict_type", "model_type", "model_attributes_type", "string_type", "list_type", "tuple_type"})


_KINDS = {"kind": "adslab, slab, bulk, structures", "format": "extxyz, cif, poscar, ase-json, arrays"}
"""What the field that tells branches apart may say."""
_STRUCTURE = 'a structure: {"format": "poscar", "text": "..."} (or extxyz, cif, ase-json), or one as arrays'
_WANTED = {
    "adsorbate": "an OC20 name such as *CO, or a molecule with its structure and binding atoms",
    "molecule": "an OC20 name such as *CO, or a molecule with its structure and binding atoms",
    "binding": "indices of the atoms that point at the surface",
    "slab": _STRUCTURE,
    "structure": _STRUCTURE,
    "structures": 'a list of structures, such as [{"format": "extxyz", "text": "..."}], whose frames are all read',
    "labels": "one line of text for each structure",
    "relax": "none, score or search",
    "bulk": f'{{"element": "Pt"}}, or {_STRUCTURE}',
    "text-or-arrays": f'{{"element": "Pt"}}, or {_STRUCTURE}',
    "miller": "the Miller index, such as [1, 1, 1]",
    "cell": "three lattice vectors of three numbers each, Å",
    "positions": "three numbers for each atom, Å",
    "pbc": "three of true or false",
    "numbers": "atomic numbers",
    "element": "an element's symbol, such as Pt",
    "elements": "symbols of elements, such as Pt",
    "name": "one line of text",
}
"""By the field, or the branch of a union: what it takes."""

_LONGEST = 60
"""Characters of a name that is compared with others: megabytes would take seconds."""

Fields = Callable[[tuple[str | int, ...]], Iterable[str]]
"""Names that there are at the place of a field."""


def plainly(error: Mapping[str, Any], fields: Fields = lambda location: ()) -> str:
    """The message of one of pydantic's errors."""
    kind, location, given = error["type"], error["loc"], error.get("ctx") or {}
    names = [step for step in location if isinstance(step, str)]
    last = _WANTED.get(names[-1]) if names else None
    if kind == "extra_forbidden":
        return "there is no field of this name" + (_meant(location) or _close(str(location[-1]), fields(location)))
    if kind == "union_tag_invalid":
        what = str(given["discriminator"]).strip("'")
        return f"there is no {what} {str(given['tag'])[:40]!r}; there are {_KINDS.get(what, given['expected_tags'])}"
    if kind == "union_tag_not_found":
        what = str(given["discriminator"]).strip("'")
        return f"{what} is missing; there are {_KINDS[what]}" if what in _KINDS else "is incomplete"
    if kind == "missing":
        return f"is missing: {last}" if last else _PLAIN[kind]
    if kind == "string_pattern_mismatch":
        return f"must be {last}" if last else "has characters that can't be used here"
    if kind == "too_short":
        return f"must hold at least {given['min_length']}" + (f": {last}" if last else "")
    if kind == "too_long":
        return f"must hold at most {given['max_length']}"
    if kind in _SHAPES:
        return f"must be {last}" if last else _PLAIN[kind]
    said = str(error["msg"]).removeprefix("Value error, ")
    return _PLAIN.get(kind, said.replace("Input should", "it should").replace("String should", "it should"))


def _close(word: str, names: Iterable[str]) -> str:
    """The field that was meant, where one is spelt much like it; or all there are, where they are few."""
    known = list(names)
    close = get_close_matches(word, known, n=1) if len(word) <= _LONGEST else []
    if close:
        return f": did you mean {close[0]}?"
    return f"; there are {', '.join(known)}" if known else ""


def _meant(location: tuple[str | int, ...]) -> str:
    """The parameter that was meant, where one is spelt much like it."""
    model: Any = JobParameters
    *way, last = location[2:] if location[:2] == ("body", "parameters") else ("",)
    for step in way:
        field = getattr(model, "model_fields", {}).get(step)
        model = None if field is None else field.annotation
    if last and isinstance(model, type) and issubclass(model, BaseModel):
        close = get_close_matches(str(last), model.model_fields, n=1) if len(str(last)) <= _LONGEST else []
        return (
            f": did you mean {'.'.join([*map(str, way), *close])}?"
            if close
            else f"; there are {', '.join(model.model_fields)}"
        )
    return ""
