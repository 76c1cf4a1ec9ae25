"""`python -m worker up`: the potentials workers of this machine. `python -m worker check`: whether they are looked after."""

from __future__ import annotations

from typing import Annotated

import typer

from shared.command_line import ended
from shared.logs import configure
from shared.secrets import no_core_dumps
from shared.settings import settings
from worker.lifecycle import answering
from worker.lifecycle import supervisor as supervision

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)


@app.command()
def up() -> None:
    """Start one worker for each CUDA device, or ADHOP_CPU_WORKERS on the CPU, and keep them up until a signal ends it."""
    no_core_dumps()
    configure(settings().log_format)
    supervision.up(settings())


@app.command()
def check(
    name: Annotated[str, typer.Option(help="ask the Celery worker of this name on this machine, such as cpu")] = "",
) -> None:
    """Exit with 0 where a supervisor of this environment is at work, or where the named worker answers."""
    asked = answering.node(name) if name else "the supervisor of the potentials workers"
    well = answering.answers(settings(), asked) if name else supervision.check(settings())
    typer.echo(f"{asked} {'is at work' if well else 'does not answer'}", err=not well)
    raise typer.Exit(0 if well else 1)


def main() -> None:
    """Entry point: expected trouble is one message, not a traceback."""
    raise SystemExit(ended("adhop", app))


if __name__ == "__main__":
    main()
