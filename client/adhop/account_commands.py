"""`adhop me | keys | share | delete | usage | audit`: your account, and who did what to your jobs."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from adhop import account_views as views
from adhop import terminal
from adhop.errors import AdhopError

JobId = Annotated[str, typer.Argument(help="The job's id.")]
Prefix = Annotated[str, typer.Argument(help="The key's name: the part between its underscores.")]
To = Annotated[Path | None, typer.Option("--to", help="Write the new key into this new file, which only you can read.")]
Grace = Annotated[float, typer.Option("--grace", help="How long the old key still works, hours.")]
Month = Annotated[str | None, typer.Option(help="Such as 2026-03; all of them without.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Comma-separated, with units in the header.")]

keys = typer.Typer(help="Your API keys: list, rotate, revoke.", no_args_is_help=True)


def me(context: typer.Context) -> None:
    """Who you are to the server: role, groups, limits, and what you use of them."""
    with terminal.connected(context) as client:
        found = client.me()
    limits, use = found["limits"], found["use"]
    room = limits["stored_bytes"]
    terminal.say(f"{found['name']}, key {found['key']} with the role {found['role']}")
    terminal.say(f"groups: {', '.join(found['groups']) or 'none'}")
    terminal.say(f"open jobs: {views.of(use['open_jobs'], limits['open_jobs'])}")
    terminal.say(f"open force calls, as estimated: {views.of(use['open_force_calls'], limits['open_force_calls'])}")
    terminal.say(f"stored: {views.size(use['stored_bytes'])}" + ("" if room is None else f" of {views.size(room)}"))
    terminal.say(f"requests: at most {limits['requests_per_minute']:,} a minute")


@keys.command("list")
def list_keys(context: typer.Context) -> None:
    """List your keys, ended ones included."""
    with terminal.connected(context) as client:
        terminal.console.print(views.keys(client.keys()))


@keys.command("rotate")
def rotate_key(context: typer.Context, prefix: Prefix, to: To = None, grace_h: Grace = 0.0) -> None:
    """Replace a key by a new one, which is shown once."""
    views.refuse_to_show(to)
    with terminal.connected(context) as client:
        made = client.rotate_key(prefix, grace_s=round(3600 * grace_h))
    views.show_key(made["key"], to)


@keys.command("revoke")
def revoke_key(context: typer.Context, prefix: Prefix) -> None:
    """End a key, for good."""
    with terminal.connected(context) as client:
        client.revoke_key(prefix)
    terminal.say(f"key {prefix} is revoked")


def share(
    context: typer.Context,
    job_id: JobId,
    group: Annotated[str | None, typer.Option(help="Whose members may read it.")] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Nobody but you any more.")] = False,
) -> None:
    """Let one of your groups read a job, or nobody but you again."""
    if (group is None) != nobody:
        raise AdhopError("give either --group GROUP or --nobody")
    with terminal.connected(context) as client:
        client.job(job_id).share(group)
    terminal.say("read by nobody but you" if group is None else f"read by the group {group}")


def delete(
    context: typer.Context,
    job_id: JobId,
    with_labels: Annotated[
        bool, typer.Option("--with-labels", help="Reference energies that were fed back for it go too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Delete a job that has ended, with all that it found. There is no way back."""
    with terminal.connected(context) as client:
        job = client.job(job_id)
        if not yes:
            question = f"Delete {job.body['name']} ({job.body['adsorbate']} on {job.body['surface']}) for good?"
            typer.confirm(question, abort=True)
        job.delete(with_labels=with_labels)
    terminal.say(f"deleted {job_id}")


def usage(context: typer.Context, month: Month = None, as_csv: AsCsv = False) -> None:
    """What you used, by month: device time, force calls, jobs, and what is stored."""
    print_usage(context, month, None, as_csv)


def print_usage(context: typer.Context, month: str | None, user: str | None, as_csv: bool) -> None:
    with terminal.connected(context) as client:
        found = client.usage(month=month, user=user)
    if as_csv:
        typer.echo(views.usage_csv(found), nl=False)
    else:
        terminal.console.print(views.usage(found))


def audit(
    context: typer.Context,
    user: Annotated[str | None, typer.Option(help="Done by this user.")] = None,
    action: Annotated[str | None, typer.Option(help="Such as job.cancel, or job.")] = None,
    job: Annotated[str | None, typer.Option(help="Done to this job.")] = None,
    since: Annotated[str | None, typer.Option(help="From this day on, UTC: 2026-03-01.")] = None,
    limit: Annotated[int, typer.Option(help="The newest so many.")] = 50,
) -> None:
    """Who did what: you, and others to your account and jobs; an administrator sees everything."""
    moment = f"{since}T00:00:00Z" if since and len(since) == 10 else since
    with terminal.connected(context) as client:
        found = list(islice(client.audit(user=user, action=action, job=job, since=moment), limit))
    terminal.console.print(views.acts(found))
