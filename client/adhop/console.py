"""Where the client prints to."""

from __future__ import annotations

import os

from rich.console import Console

_WIDTH_OF_FILES = 160


def console(*, stderr: bool = False) -> Console:
    """The terminal; where the output goes into a file or a pipe, lines are wide enough for an id and a table. What is printed is
    text: no name in it is taken for a style, a link or a picture."""
    found = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not found.is_terminal and "COLUMNS" not in os.environ:
        found.width = _WIDTH_OF_FILES
    return found
