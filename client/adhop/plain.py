"""What a server says, made safe to show: other people's names and reasons stand in it, and a terminal obeys what is written to it."""

from __future__ import annotations

import re
from typing import Any

_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Controls (the escape that begins a link or a colour among them), marks of direction, characters without width; not \\n and \\t."""


def text(given: str) -> str:
    """The text with an escape in place of each character that can't be seen."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), given)


def cell(given: str) -> str:
    """A text of a table's file, with the mark that makes it text where a spreadsheet would compute it."""
    return f"'{given}" if given.startswith(("=", "+", "-", "@", "\t", "\r")) else given


def document(given: Any) -> Any:
    """The same, of every text of a JSON document."""
    if isinstance(given, str):
        return text(given)
    if isinstance(given, list):
        return given if given and isinstance(given[0], float) else [document(one) for one in given]
    if isinstance(given, dict):
        return {text(key): document(one) for key, one in given.items()}
    return given
