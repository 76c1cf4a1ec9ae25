"""`adhop feed | fed | calibrate | calibrations | references | selections`: what a lab shares, and what was asked for since."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from adhop import terminal
from adhop.errors import AdhopError

Number = Annotated[int, typer.Argument(help="Its number, as the list shows it.")]
State = Annotated[str | None, typer.Option(help="Only those in this state.")]


def feed(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="energies.csv of a hand-off, a table, or extxyz.")],
    functional: Annotated[str | None, typer.Option(help="Such as RPBE.")] = None,
    code: Annotated[str | None, typer.Option(help="Such as 'VASP 6.4.3'.")] = None,
    provenance: Annotated[str, typer.Option(help="Where the numbers come from; the file's name if not given.")] = "",
) -> None:
    """Hand reference energies back to the server."""
    with terminal.connected(context) as client:
        for one in client.feed_back(path, functional=functional, code=code, provenance=provenance):
            terminal.say(
                f"{one['adsorption_energy']:.3f} eV ({one['functional']}, {one['code']}), relative to {one['reference']}"
            )


def fed(
    context: typer.Context,
    candidate: Annotated[int, typer.Argument(help="The candidate's number.")],
    delete: Annotated[int | None, typer.Option(help="Delete this one, by its number.")] = None,
) -> None:
    """List the reference energies that were fed back for a candidate, or delete one."""
    with terminal.connected(context) as client:
        if delete is not None:
            client.delete_reference_energy(candidate, delete)
            terminal.say(f"deleted reference energy {delete}")
            return
        table = terminal.table("number", "E_ads (eV)", "functional", "code", "by", "at (UTC)", "provenance")
        for one in client.reference_energies(candidate):
            table.add_row(
                str(one["id"]), f"{one['adsorption_energy']:.3f}", Text(one["functional"]), Text(one["code"]),
                Text(one["user"] or "-"), _moment(one["created_at"]), Text(one["provenance"]),
            )  # fmt: skip
    terminal.console.print(table)


def calibrate(
    context: typer.Context,
    members: Annotated[str, typer.Option(help="The members that the limit is for: a,b,c")],
    functional: Annotated[str, typer.Option(help="Of the reference energies.")] = "RPBE",
    spread: Annotated[str, typer.Option(help="std, range, or relative (docs/scoring.md).")] = "std",
    share: Annotated[float, typer.Option(help="Share of what is kept that lies within the error.")] = 0.9,
    error: Annotated[float, typer.Option(help="eV.")] = 0.1,
) -> None:
    """Learn the limit of the spread from the reference energies that were fed back, as a proposal of your own."""
    with terminal.connected(context) as client:
        answer = client.calibrate(members, functional=functional, spread=spread, target_share=share, target_error=error)
    report, limit, number = answer["report"], answer["limit"], answer["number"]
    low, high = report["interval"]
    said = (
        "no limit keeps the promise" if limit is None else f"limit {limit:.3f} eV (90 % interval {low:.3f}-{high:.3f})"
    )
    kept, held = report["kept"], report["held_out"]
    terminal.say(
        f"calibration {number}: {said}; keeps {kept['hits']} of {kept['count']} candidates of {report['systems']} "
        f"systems; of {held['learned']} halves of the systems that gave a limit {held['reached']} reached the target on the others"
    )
    if limit is not None:
        terminal.say(
            f"a proposal of yours: `adhop select ID --calibration {number}` chooses by it; for all, once an administrator has "
            f"published it (`adhop calibrations publish {number}`)"
        )


calibrations = typer.Typer(invoke_without_command=True, help="List calibrations; publish, withdraw, delete one.")


@calibrations.callback()
def list_calibrations(context: typer.Context, state: State = None) -> None:
    """List calibrations: in force, withdrawn, and your own proposals."""
    if context.invoked_subcommand is not None:
        return
    table = terminal.table(
        "number", "state", "members", "spread", "against", "limit (eV)", "learned from", "author", "published by"
    )
    with terminal.connected(context) as client:
        for one in client.calibrations(state=state):
            table.add_row(
                str(one["number"]), one["state"], Text(", ".join(one["members"])), one["spread"],
                Text(one["functional"]), _energy(one["limit"]), _learned_from(one["learned_from"]),
                Text(one["author"] or "-"), Text(one["publisher"] or "-"),
            )  # fmt: skip
    terminal.console.print(table)


@calibrations.command()
def publish(context: typer.Context, number: Number) -> None:
    """Put a calibration in force for all; for administrators."""
    with terminal.connected(context) as client:
        one = client.publish_calibration(number)
    terminal.say(f"calibration {number} is in force: {_kind(one)}, limit {one['limit']:.3f} eV")


@calibrations.command()
def withdraw(context: typer.Context, number: Number) -> None:
    """Take a calibration out of force; for administrators."""
    with terminal.connected(context) as client:
        one = client.withdraw_calibration(number)
    terminal.say(f"calibration {number} is withdrawn: none is in force for {_kind(one)} until one is published")


@calibrations.command(name="delete")
def delete_calibration(context: typer.Context, number: Number) -> None:
    """Delete a proposal that nothing was chosen by."""
    with terminal.connected(context) as client:
        client.delete_calibration(number)
    terminal.say(f"deleted calibration {number}")


references = typer.Typer(invoke_without_command=True, help="List the references that jobs share; try one again.")


@references.callback()
def list_references(
    context: typer.Context,
    state: State = None,
    member: Annotated[str | None, typer.Option(help="Only those by this member.")] = None,
) -> None:
    """List the clean slabs and gas molecules that your jobs rest on; an administrator sees all."""
    if context.invoked_subcommand is not None:
        return
    table = terminal.table("number", "what", "member", "state", "jobs", "why it failed; what may be done")
    with terminal.connected(context) as client:
        for one in client.references(state=state, member=member):
            failure = one["failure"]
            why = "-" if failure is None else f"{failure['kind']}: {failure['reason']}; {one['retry']}"
            table.add_row(
                str(one["id"]), Text(f"{one['kind']} {one['label']}"), Text(one["member"]), one["state"],
                str(one["jobs"]), Text(why),
            )  # fmt: skip
    terminal.console.print(table)


@references.command()
def retry(context: typer.Context, number: Number) -> None:
    """Have a reference that failed tried again; then submit the jobs that failed with it anew."""
    with terminal.connected(context) as client:
        one = client.retry_reference(number)
    terminal.say(f"reference {number}, {one['kind']} {one['label']} with member {one['member']}: {one['state']}")


def selections(
    context: typer.Context,
    job_id: Annotated[str, typer.Argument(help="The job's id.")],
    delete: Annotated[int | None, typer.Option(help="Delete this one, by its number.")] = None,
) -> None:
    """List the selections of a job, 0 being its own, or delete one that was asked for."""
    with terminal.connected(context) as client:
        job = client.job(job_id)
        if delete is not None:
            job.delete_selection(delete)
            terminal.say(f"deleted selection {delete}")
            return
        table = terminal.table("number", "members", "spread", "limit (eV)", "calibration", "passing", "at (UTC)")
        for one in job.selections():
            rules = one["rules"]
            table.add_row(
                str(one["number"]), Text(", ".join(rules["members"])), rules["spread"], _energy(one["limit"]),
                str(one["calibration"] or "-"), f"{one['n_passing']} of {one['n_candidates']}", _moment(one["created_at"]),
            )  # fmt: skip
    terminal.console.print(table)


def limit_words(answer: dict[str, Any]) -> str:
    """The limit that a selection went by."""
    spread, limit = answer["rules"]["spread"], answer["limit"]
    return f"no limit of the {spread}" if limit is None else f"{spread} at most {limit:.3f} eV"


def by_calibration(limit: float | str | None, calibration: int | None) -> float | str | None:
    """A calibration that is named is a limit."""
    if calibration is not None and limit not in (None, "calibrated"):
        raise AdhopError("give --limit in eV or --calibration, one of them")
    return limit if calibration is None else "calibrated"


def _energy(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _moment(text: str) -> str:
    return text[:16].replace("T", " ")


def _kind(one: dict[str, Any]) -> str:
    return f"{', '.join(one['members'])} ({one['spread']}, against {one['functional']})"


def _learned_from(one: dict[str, Any]) -> str:
    gone = f", {one['deleted_since']} deleted since" if one["deleted_since"] else ""
    return f"{one['candidates']} candidates of {one['systems']} systems{gone}"
