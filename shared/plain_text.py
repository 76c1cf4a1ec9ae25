"""Texts that people give and others see: names, labels, where a number came from. What could steer a terminal, turn a line round or
hide in it is refused at the door, and shown as an escape where it comes from elsewhere."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator

_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    r"\ufeff\uffa0\ufff0-\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Controls, ends of lines, marks of direction, characters without width, halves of characters, tags."""
_LAID_OUT = "\n\t"


def check_line(text: str) -> str:
    """The text, where it is one line of visible characters. Raises ValueError with the first other one and its place."""
    return _checked(text, "")


def check_lines(text: str) -> str:
    """The same, where there may be several lines, and tabs."""
    return _checked(text, _LAID_OUT)


def shown(text: str) -> str:
    """The text with an escape in place of each character that can't be seen, but ends of lines and tabs."""
    return _UNSEEN.sub(lambda found: found[0] if found[0] in _LAID_OUT else _escape(found[0]), text)


OneLine = Annotated[str, AfterValidator(check_line)]
Lines = Annotated[str, AfterValidator(check_lines)]


def _checked(text: str, allowed: str) -> str:
    for found in _UNSEEN.finditer(text):
        if found[0] not in allowed:
            name = unicodedata.name(found[0], "a control character")
            raise ValueError(
                f"character {found.start() + 1} is U+{ord(found[0]):04X} ({name}), which can't be seen: leave it out"
            )
    return text


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
