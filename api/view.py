"""What every answer has in common: its texts hold nothing that could steer a terminal, or hide in it, wherever they came from."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, field_validator

from shared.plain_text import shown


class View(BaseModel):
    """Base of what is answered. Texts of it, in lists and documents too, are shown with an escape for each character that can't be
    seen: reasons come from the packages of members, from files and from rows that older versions wrote."""

    @field_validator("*")
    @classmethod
    def _seen(cls, value: Any) -> Any:
        return _seen(value)


def _seen(value: Any) -> Any:
    """Lists of numbers, which are long, are told by their first entry."""
    if type(value) is str:
        return shown(value)
    if isinstance(value, dict):
        return {_seen(key): _seen(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple) and value and isinstance(value[0], str | dict):
        return type(value)(map(_seen, value))
    return value
