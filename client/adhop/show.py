"""`adhop show`: what was understood of a job, or of a submission without queueing it."""

from __future__ import annotations

from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from adhop import terminal
from adhop.errors import AdhopError
from adhop.submit import arguments, submit

_OF_A_JOB = ("context", "name", "priority", "wait")
"""Of `adhop submit`, and of no submission."""


def show(
    context: typer.Context,
    job_id: Annotated[str | None, typer.Argument(help="The job's id; without it, the options of a submission.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it to .png (a picture), .extxyz or .json.")
    ] = None,
    **options: Any,
) -> None:
    """Show what was understood of a job, or would be of a submission with the options of `adhop submit`: slab, surface and fixed
    atoms, adsorbate, placements, references, cost, warnings. Nothing is queued."""
    asked = any(value is not None and value != [] for value in options.values())
    if (job_id is None) != asked:
        raise AdhopError(
            "give a job's id, or a submission as `adhop submit` takes it: --slab and --adsorbate, or another"
        )
    with terminal.connected(context) as client:
        system = client.system(**arguments(options)) if job_id is None else client.job(job_id).system()
        if output is None:
            system.print()
        else:
            terminal.say(f"wrote {system.write(output)}")


def _with_options_of_submit() -> None:
    """In place of `options`, those of `adhop submit` that say what is submitted: typer reads them off the signature."""
    own = [one for name, one in signature(show, eval_str=True).parameters.items() if name != "options"]
    theirs = [one for name, one in signature(submit, eval_str=True).parameters.items() if name not in _OF_A_JOB]
    known = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in theirs]
    show.__signature__ = signature(show).replace(parameters=[*own, *known])  # type: ignore[attr-defined]


_with_options_of_submit()
