"""`adhop COMMAND`: the server from a terminal."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from adhop import account_commands, admin, lab_commands, plain, terminal, words
from adhop import key as api_key
from adhop.console import console as make_console
from adhop.errors import AdhopError
from adhop.job import Job
from adhop.show import show
from adhop.submit import submit
from adhop.submit_many import submit_many

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
_MISUSED: Any = typer.BadParameter.__mro__[2]
"""Root of what is wrong with a command line; the package doesn't export it."""

JobId = Annotated[str, typer.Argument(help="The job's id.")]


@app.callback()
def main_options(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(envvar="ADHOP_URL", help="The server.")] = None,
    key_file: Annotated[
        str | None,
        typer.Option(
            help="File with your API key that only you can read, - to type it; without it ADHOP_KEY or ADHOP_KEY_FILE."
        ),
    ] = None,
    key: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    if key is not None:
        raise AdhopError(api_key.ON_THE_COMMAND_LINE)
    context.obj = (url, key_file)


app.command()(submit)
app.command()(submit_many)
app.command()(show)
for command in (lab_commands.feed, lab_commands.fed, lab_commands.calibrate, lab_commands.selections):
    app.command()(command)
for command in (
    account_commands.me,
    account_commands.share,
    account_commands.delete,
    account_commands.usage,
    account_commands.audit,
):
    app.command()(command)
app.add_typer(account_commands.keys, name="keys")
app.add_typer(admin.app, name="admin")
app.add_typer(lab_commands.calibrations, name="calibrations")
app.add_typer(lab_commands.references, name="references")


@app.command()
def jobs(
    context: typer.Context,
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(help="The newest so many.")] = 20,
    shared: Annotated[
        bool, typer.Option("--shared", help="Those that others share with your groups, instead.")
    ] = False,
) -> None:
    """List your jobs, the newest first."""
    table = terminal.table("id", "name", "adsorbate", "surface", "state", "created (UTC)", "best (eV)")
    with terminal.connected(context) as client:
        for job in client.jobs(state=state, limit=limit, shared=shared):
            body = job.body
            best = (body.get("progress") or {}).get("best")
            energy = "-" if best is None else f"{best['adsorption_energy']:.2f}"
            state = body["stage"] if body["state"] == "running" else body["state"]
            table.add_row(
                body["id"], *(body[key] for key in ("name", "adsorbate", "surface")), state,
                body["created_at"][:16].replace("T", " "), energy,
            )  # fmt: skip
    terminal.console.print(table)


@app.command()
def watch(context: typer.Context, job_id: JobId) -> None:
    """Show a job's progress until it has ended, then its minima."""
    with terminal.connected(context) as client:
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
    with terminal.connected(context) as client:
        job = client.job(job_id)
        if output is None:
            job.print_minima(rest=rest, selection=selection)
        else:
            _write(job, output, rest, selection)
            terminal.say(f"wrote {output}")


@app.command()
def select(
    context: typer.Context,
    job_id: JobId,
    members: Annotated[str | None, typer.Option(help="Some of the members that scored it: a,b")] = None,
    weight: Annotated[list[str] | None, typer.Option(help="For a weighted mean: member=2; may be repeated.")] = None,
    spread: Annotated[str | None, typer.Option(help="std, range, or relative (docs/scoring.md).")] = None,
    limit: Annotated[str | None, typer.Option(help="Largest spread that is trusted, eV, or 'calibrated'.")] = None,
    functional: Annotated[str | None, typer.Option(help="Of the calibration.")] = None,
    calibration: Annotated[int | None, typer.Option(help="By its number: published, or proposed by you.")] = None,
    count: Annotated[int | None, typer.Option(help="How many minima.")] = None,
    window: Annotated[float | None, typer.Option(help="None further above the lowest, eV.")] = None,
    anomalous: Annotated[bool | None, typer.Option(help="Whether anomalous candidates may be chosen.")] = None,
) -> None:
    """Score and choose again among what a finished job found; no new search, and its own answer stays."""
    with terminal.connected(context) as client:
        job = client.job(job_id)
        answer = job.select(
            members=words.names(members),
            weights=words.weights(weight),
            spread=spread,
            limit=lab_commands.by_calibration(words.limit(limit), calibration),
            functional=functional,
            calibration=calibration,
            count=count,
            window=window,
            include_anomalous=anomalous,
        )
        terminal.say(
            f"selection {answer['number']}: {answer['n_passing']} of {answer['n_candidates']} candidates pass, "
            f"{lab_commands.limit_words(answer)}"
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
    with terminal.connected(context) as client:
        path = client.job(job_id).dft_inputs(output or Path(f"{job_id}-{code}.zip"), code=code, selection=selection)
        terminal.say(f"wrote {path}; README.txt in it says how to hand the energies back")


@app.command()
def cancel(
    context: typer.Context,
    job_ids: Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Up to 1,000 jobs.")] = None,
    all_mine: Annotated[bool, typer.Option("--all", help="Every job of yours that has not ended.")] = False,
) -> None:
    """Cancel jobs; what they found so far stays."""
    if all_mine == bool(job_ids):
        raise typer.BadParameter("name the jobs to cancel, or use --all for all of yours that have not ended")
    with terminal.connected(context) as client:
        if all_mine or len(job_ids or ()) > 1:
            n = len(client.cancel_jobs(job_ids or (), all_mine=all_mine))
            terminal.say(f"{n} job{'' if n == 1 else 's'} cancelled")
        else:
            terminal.say(client.job((job_ids or [""])[0]).cancel().state)


@app.command()
def models(context: typer.Context) -> None:
    """List the members that the server has."""
    table = terminal.table(
        "member", "family", "version", "energy", "gas molecules", "elements", "trained on", "workers now"
    )
    with terminal.connected(context) as client:
        for model in client.models():
            table.add_row(
                model["name"], model["family"], model["version"], model["energy_kind"], model["scale"]["kind"],
                str(len(model["elements"])), model["trained_on"], str(model["workers"]),
            )  # fmt: skip
    terminal.console.print(table)


def _write(job: Job, output: Path, rest: bool, selection: int) -> None:
    suffix = output.suffix.lower()
    if suffix not in (".csv", ".extxyz", ".xyz"):
        raise AdhopError(f"{output}: use .extxyz or .csv")
    text = (job.to_csv if suffix == ".csv" else job.to_extxyz)(rest=rest, selection=selection)
    if text.count("\n") < 2:
        raise AdhopError(f"job {job.id} has nothing to write yet: it is {job.state}")
    output.write_text(text, encoding="utf-8")


def main() -> None:
    """Entry point: expected trouble is one line, not a traceback."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # as adhop/__init__.py left it during the imports
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        sys.exit(app(standalone_mode=False))
    except _MISUSED as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help
            print(error.format_message(), file=sys.stderr)
        else:
            _fail(f"{_plainly(error.format_message())}; `adhop --help` and `adhop COMMAND --help` list what there is")
        sys.exit(2)
    except AdhopError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    sys.exit(1)


def _plainly(why: str) -> str:
    why = re.sub(r"Input should be a valid integer\b.*", "give a whole number", why)
    why = re.sub(r"Input should be a valid number\b.*", "give a number", why)
    return why.replace("Value error, ", "").rstrip(".")


def _fail(why: str) -> None:
    text = Text.assemble(("adhop: ", "red"), plain.text(" ".join(why.split())))
    make_console(stderr=True).print(text, soft_wrap=True)


if __name__ == "__main__":
    main()
