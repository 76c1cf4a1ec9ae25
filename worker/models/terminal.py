"""What the administrator's commands share: the site's file, and a console."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

DEFAULT_FILE = Path("models/members.toml")

File = Annotated[
    Path,
    typer.Option(
        "--file", envvar="ADHOP_MODELS_FILE", help="The site's file of members; checkpoints are fetched beside it."
    ),
]

console = Console(highlight=False)


def say(text: str) -> None:
    """A line, whatever it holds."""
    console.print(text, markup=False, soft_wrap=True)
