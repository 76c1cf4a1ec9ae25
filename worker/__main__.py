"""`python -m worker up`: the potentials workers of this machine. `python -m worker check`: whether they are looked after."""

from __future__ import annotations

import logging
import sys

import typer

from shared.errors import Misconfigured
from shared.settings import settings
from worker.lifecycle import supervisor as supervision

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)


@app.command()
def up() -> None:
    """Start one worker for each CUDA device, or ADHOP_CPU_WORKERS on the CPU, and keep them up until a signal ends it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    supervision.up(settings())


@app.command()
def check() -> None:
    """Exit with 0 where a supervisor of this environment is at work."""
    raise typer.Exit(0 if supervision.check() else 1)


def main() -> None:
    """Entry point: expected trouble is one message, not a traceback."""
    try:
        app()
    except Misconfigured as error:
        print(f"adhop: {error}", file=sys.stderr)  # noqa: T201 - a command line prints
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
