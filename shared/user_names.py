"""What a user may be called: the name stands in logs, tables, terminals and URLs, so it holds nothing that changes those."""

from __future__ import annotations

from shared.errors import InvalidInput

LONGEST = 100
"""Characters."""


def user_name(text: str) -> str:
    """The name, as it was given. Raises InvalidInput, which says what to change, where it can't be one."""
    if not text.strip():
        raise InvalidInput("a user needs a name: give at least one character that can be seen", field="name")
    if text != text.strip():
        raise InvalidInput(f"the name {text!r} begins or ends with a space: leave that out", field="name")
    if len(text) > LONGEST:
        raise InvalidInput(f"the name has {len(text)} characters: give at most {LONGEST}", field="name")
    if strange := sorted({letter for letter in text if not letter.isprintable()}):
        named = ", ".join(f"U+{ord(letter):04X}" for letter in strange)
        raise InvalidInput(
            f"the name {text!a} holds characters that can't be printed ({named}): leave them out", field="name"
        )
    return text
