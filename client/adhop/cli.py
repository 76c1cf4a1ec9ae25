"""`adhop submit | jobs | watch | minima | select | dft | feed | calibrate | cancel | models`: the server from a terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from ase.io import write
from rich import box
from rich.table import Table

from adhop.client import Client
from adhop.console import console as make_console
from adhop.errors import AdhopError
from adhop.job import Job

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
console = make_console()

JobId = Annotated[str, typer.Argument(help="The job's id.")]


@app.callback()
def main_options(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(envvar="ADHOP_URL", help="The server.")] = None,
    key: Annotated[str | None, typer.Option(envvar="ADHOP_KEY", help="Your API key.")] = None,
) -> None:
    context.obj = (url, key)


def _client(context: typer.Context) -> Client:
    url, key = context.find_root().obj
    return Client(url, key)


@app.command()
def submit(
    context: typer.Context,
    adsorbate: Annotated[str | None, typer.Option(help="OC20 name such as '*CO', or a file.")] = None,
    slab: Annotated[Path | None, typer.Option(help="File with the clean slab.")] = None,
    adslab: Annotated[Path | None, typer.Option(help="File with adsorbate and slab, OC20 tags.")] = None,
    bulk: Annotated[str | None, typer.Option(help="Element, or file with the crystal.")] = None,
    miller: Annotated[str | None, typer.Option(help="Miller index of the cut, such as 1,1,1.")] = None,
    binding: Annotated[str | None, typer.Option(help="Binding atoms of a molecule given as a file: 0,1")] = None,
    adsorbate_indices: Annotated[str | None, typer.Option(help="Atoms of the adslab that are adsorbate.")] = None,
    placements: Annotated[int | None, typer.Option(help="How many placements walkers start from.")] = None,
    hops: Annotated[int | None, typer.Option(help="Most hops of a walker; 0 relaxes the placements only.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed: the same seed gives the same answer.")] = None,
    name: Annotated[str | None, typer.Option(help="A name to find the job by.")] = None,
    wait: Annotated[bool, typer.Option(help="Stay and show progress, then the minima.")] = False,
) -> None:
    """Submit a job: --slab and --adsorbate, or --bulk, --miller and --adsorbate, or --adslab."""
    parameters: dict[str, Any] = {}
    if placements is not None:
        parameters["placement"] = {"count": placements}
    if hops is not None:
        parameters["hopping"] = {"hops": hops}
    if seed is not None:
        parameters["seed"] = seed
    with _client(context) as client:
        job = client.submit(
            adslab=adslab,
            slab=slab,
            bulk=bulk,
            adsorbate=adsorbate,
            miller=miller,
            binding=_integers(binding, "--binding"),
            adsorbate_indices=_integers(adsorbate_indices, "--adsorbate-indices"),
            parameters=parameters or None,
            name=name,
        )
        console.print(job.id, highlight=False)
        if wait:
            job.wait()
            job.print_minima()


@app.command()
def jobs(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(help="The newest so many.")] = 20,
) -> None:
    """List your jobs, the newest first."""
    table = _table("id", "name", "adsorbate", "surface", "state", "created (UTC)", "best (eV)")
    with _client(context) as client:
        for job in client.jobs(state=state, limit=limit):
            body = job.body
            best = (body.get("progress") or {}).get("best")
            energy = "-" if best is None else f"{best['adsorption_energy']:.2f}"
            state = body["stage"] if body["state"] == "running" else body["state"]
            table.add_row(
                body["id"], body["name"], body["adsorbate"], body["surface"], state,
                body["created_at"][:16].replace("T", " "), energy,
            )  # fmt: skip
    console.print(table)


@app.command()
def watch(context: typer.Context, job_id: JobId) -> None:
    """Show a job's progress until it has ended, then its minima."""
    with _client(context) as client:
        job = client.job(job_id)
        job.wait()
        job.print_minima()


@app.command()
def minima(
    context: typer.Context,
    job_id: JobId,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write them to .extxyz or .csv.")] = None,
    rest: Annotated[
        bool, typer.Option("--all", help="Show all other candidates too, and why each was not chosen.")
    ] = False,
    selection: Annotated[int, typer.Option(help="By whose rules: 0 is the job's own selection.")] = 0,
) -> None:
    """Show the chosen minima of a job, or write them to a file."""
    with _client(context) as client:
        job = client.job(job_id)
        if output is None:
            job.print_minima(rest=rest, selection=selection)
        else:
            _write(job, output, rest, selection)
            console.print(f"wrote {output}")


@app.command()
def select(
    context: typer.Context,
    job_id: JobId,
    members: Annotated[str | None, typer.Option(help="Some of the members that scored it: a,b")] = None,
    weight: Annotated[list[str] | None, typer.Option(help="For a weighted mean: member=2; may be repeated.")] = None,
    spread: Annotated[str | None, typer.Option(help="std or range.")] = None,
    limit: Annotated[str | None, typer.Option(help="Largest spread that is trusted, eV, or 'calibrated'.")] = None,
    functional: Annotated[str | None, typer.Option(help="Of the calibration.")] = None,
    count: Annotated[int | None, typer.Option(help="How many minima.")] = None,
    window: Annotated[float | None, typer.Option(help="None further above the lowest, eV.")] = None,
    anomalous: Annotated[bool | None, typer.Option(help="Whether anomalous candidates may be chosen.")] = None,
) -> None:
    """Score and choose again among what a finished job found; no new search, and its own answer stays."""
    with _client(context) as client:
        job = client.job(job_id)
        answer = job.select(
            members=members.split(",") if members else None,
            weights=dict(_weight(text) for text in weight) if weight else None,
            spread=spread,
            limit=limit if limit in (None, "calibrated") else _number(limit, "--limit"),
            functional=functional,
            count=count,
            window=window,
            include_anomalous=anomalous,
        )
        console.print(
            f"selection {answer['number']}: {answer['n_passing']} of {answer['n_candidates']} candidates pass, "
            f"{answer['rules']['spread']} at most {answer['limit']:.3f} eV",
            highlight=False,
        )
        job.print_minima(selection=answer["number"])


@app.command()
def dft(
    context: typer.Context,
    job_id: JobId,
    code: Annotated[str, typer.Option(help="vasp, espresso, or extxyz for the structures alone.")] = "vasp",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The zip; JOB-CODE.zip if not given.")] = None,
    selection: Annotated[int, typer.Option(help="By whose rules: 0 is the job's own selection.")] = 0,
) -> None:
    """Write DFT inputs of the chosen minima, the slab and the gas molecules, with OC20's settings."""
    with _client(context) as client:
        path = client.job(job_id).dft_inputs(output or Path(f"{job_id}-{code}.zip"), code=code, selection=selection)
        console.print(f"wrote {path}; README.txt in it says how to hand the energies back")


@app.command()
def feed(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="energies.csv of a hand-off, a table, or extxyz.")],
    functional: Annotated[str | None, typer.Option(help="Such as RPBE.")] = None,
    code: Annotated[str | None, typer.Option(help="Such as 'VASP 6.4.3'.")] = None,
    provenance: Annotated[str, typer.Option(help="Where the numbers come from; the file's name if not given.")] = "",
) -> None:
    """Hand reference energies back to the server."""
    with _client(context) as client:
        for one in client.feed_back(path, functional=functional, code=code, provenance=provenance):
            console.print(
                f"{one['adsorption_energy']:.3f} eV ({one['functional']}, {one['code']}), relative to {one['reference']}",
                highlight=False,
            )


@app.command()
def calibrate(
    context: typer.Context,
    members: Annotated[str, typer.Option(help="The members that the limit is for: a,b,c")],
    functional: Annotated[str, typer.Option(help="Of the reference energies.")] = "RPBE",
    spread: Annotated[str, typer.Option(help="std or range.")] = "std",
    share: Annotated[float, typer.Option(help="Share of what is kept that lies within the error.")] = 0.9,
    error: Annotated[float, typer.Option(help="eV.")] = 0.1,
) -> None:
    """Learn the limit of the spread from the reference energies that were fed back."""
    with _client(context) as client:
        answer = client.calibrate(
            members.split(","), functional=functional, spread=spread, target_share=share, target_error=error
        )
    report, limit = answer["report"], answer["limit"]
    low, high = report["interval"]
    said = (
        "no limit keeps the promise" if limit is None else f"limit {limit:.3f} eV (90 % interval {low:.3f}-{high:.3f})"
    )
    kept, held = report["kept"], report["held_out"]
    console.print(
        f"calibration {answer['number']}: {said}; keeps {kept['hits']} of {kept['count']} candidates of {report['systems']} "
        f"systems; of {held['learned']} halves of the systems that gave a limit {held['reached']} reached the target on the others",
        highlight=False,
    )


@app.command()
def cancel(context: typer.Context, job_id: JobId) -> None:
    """Cancel a job; what it found so far stays."""
    with _client(context) as client:
        console.print(client.job(job_id).cancel().state)


@app.command()
def models(context: typer.Context) -> None:
    """List the members that the server has."""
    table = _table("member", "family", "version", "energy", "elements", "trained on", "workers now")
    with _client(context) as client:
        for model in client.models():
            table.add_row(
                model["name"], model["family"], model["version"], model["energy_kind"], str(len(model["elements"])),
                model["trained_on"], str(model["workers"]),
            )  # fmt: skip
    console.print(table)


def _table(first: str, *headings: str) -> Table:
    """A table whose first column, what one copies from it, is never cut."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _write(job: Job, output: Path, rest: bool, selection: int) -> None:
    if output.suffix == ".csv":
        job.to_csv(output, rest=rest, selection=selection)
    elif output.suffix in (".extxyz", ".xyz"):
        write(output, job.minima(selection=selection), format="extxyz")
    else:
        raise AdhopError(f"{output}: use .extxyz or .csv")


def _weight(text: str) -> tuple[str, float]:
    member, _, value = text.rpartition("=")
    return member, _number(value, "--weight")


def _number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise AdhopError(f"{option} {text!r}: give a number such as 0.3") from None


def _integers(text: str | None, option: str) -> list[int] | None:
    if text is None:
        return None
    try:
        return [int(word) for word in text.replace(",", " ").split()]
    except ValueError:
        raise AdhopError(f"{option} {text!r}: give whole numbers such as 1,1,1") from None


def main() -> None:
    """Entry point: expected trouble is one message, not a traceback."""
    try:
        app()
    except AdhopError as error:
        make_console(stderr=True).print(f"[red]adhop:[/red] {error}", highlight=False, soft_wrap=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
