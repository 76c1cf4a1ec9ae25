"""What is wrong with a field, in the words of whoever filled it in."""

from __future__ import annotations

from collections.abc import Mapping
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


def plainly(error: Mapping[str, Any]) -> str:
    """The message of one of pydantic's errors."""
    if error["type"] == "extra_forbidden":
        return "there is no field of this name" + _meant(error["loc"])
    said = str(error["msg"]).removeprefix("Value error, ")
    return _PLAIN.get(error["type"], said.replace("Input should", "it should"))


def _meant(location: tuple[str | int, ...]) -> str:
    """The parameter that was meant, where one is spelt much like it."""
    model: Any = JobParameters
    *way, last = location[2:] if location[:2] == ("body", "parameters") else ("",)
    for step in way:
        field = getattr(model, "model_fields", {}).get(step)
        model = None if field is None else field.annotation
    if last and isinstance(model, type) and issubclass(model, BaseModel):
        close = get_close_matches(str(last), model.model_fields, n=1)
        return (
            f": did you mean {'.'.join([*map(str, way), *close])}?"
            if close
            else f"; there are {', '.join(model.model_fields)}"
        )
    return ""
