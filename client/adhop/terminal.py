"""What the commands share: the server they speak to, and how they print."""

from __future__ import annotations

import typer
from rich import box
from rich.table import Table

from adhop import key as api_key
from adhop import plain
from adhop.client import Client
from adhop.console import console as make_console
from adhop.job import Job

console = make_console()


def connected(context: typer.Context) -> Client:
    """The server that the options of `adhop` name."""
    url, file = context.find_root().obj
    return Client(url, api_key.find(file=file))


def say(text: object) -> None:
    """One line, as it is: nothing in it is taken for a style."""
    console.print(plain.text(str(text)), soft_wrap=True)


def warn(job: Job) -> None:
    """What was ignored, simplified or decided when the job was read."""
    job.tell_warnings()


def table(first: str, *headings: str) -> Table:
    """A table whose first column, what one copies from it, is never cut."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column(first, no_wrap=True)
    for heading in headings:
        made.add_column(heading, overflow="fold")
    return made
