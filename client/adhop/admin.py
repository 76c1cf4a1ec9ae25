"""`adhop admin ...`: users, keys, groups and usage, for administrators."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from adhop import account_views as views
from adhop import terminal
from adhop.account_commands import AsCsv, Grace, Month, Prefix, To, print_usage
from adhop.errors import AdhopError

app = typer.Typer(help="Users, keys, groups, limits and usage, for administrators.", no_args_is_help=True)

User = Annotated[str, typer.Argument(help="The user's name.")]
Group = Annotated[str, typer.Argument(help="The group's name.")]
Role = Annotated[Literal["admin", "submit", "read"], typer.Option(help="What the key allows.")]
Label = Annotated[str, typer.Option(help="What the key is for.")]
Days = Annotated[float | None, typer.Option("--days", help="The key works for so long, days; without it, for good.")]
OpenJobs = Annotated[int | None, typer.Option("--open-jobs", help="Jobs that have not ended.")]
ForceCalls = Annotated[int | None, typer.Option("--force-calls", help="Of all open jobs together, as estimated.")]
Gib = Annotated[float | None, typer.Option("--gib", help="Stored for all jobs together, GiB.")]
Requests = Annotated[int | None, typer.Option("--requests", help="Requests a minute.")]
_LIMITS = ("max_open_jobs", "max_open_force_calls", "max_bytes", "max_requests_per_minute")


@app.command()
def users(context: typer.Context) -> None:
    """List users, with their limits and what they use of them."""
    with terminal.connected(context) as client:
        terminal.console.print(views.users(client.users()))


@app.command()
def create_user(
    context: typer.Context,
    user: User,
    role: Role = "submit",
    label: Label = "",
    days: Days = None,
    to: To = None,
    open_jobs: OpenJobs = None,
    force_calls: ForceCalls = None,
    gib: Gib = None,
    requests: Requests = None,
) -> None:
    """Create a user with a first key, which is shown once."""
    views.refuse_to_show(to)
    limits = _given(open_jobs, force_calls, gib, requests)
    with terminal.connected(context) as client:
        made = client.create_user(user, role=role, label=label, expires_at=views.end(days), **limits)
    views.show_key(made["key"]["key"], to)


@app.command()
def disable(context: typer.Context, user: User) -> None:
    """Let a user in no more: their keys stop working, their open jobs are cancelled. What they found stays."""
    with terminal.connected(context) as client:
        n_jobs = client.disable_user(user)["cancelled_jobs"]
    terminal.say(f"{user} is disabled; {n_jobs} open job{'' if n_jobs == 1 else 's'} cancelled")


@app.command()
def enable(context: typer.Context, user: User) -> None:
    """Let a disabled user in again, with the keys that still work."""
    with terminal.connected(context) as client:
        client.enable_user(user)
    terminal.say(f"{user} is let in again")


@app.command()
def limit(
    context: typer.Context,
    user: User,
    open_jobs: OpenJobs = None,
    force_calls: ForceCalls = None,
    gib: Gib = None,
    requests: Requests = None,
    reset: Annotated[bool, typer.Option("--reset", help="The server's limits for what isn't given.")] = False,
) -> None:
    """Set limits of a user's own."""
    limits: dict[str, int | None] = dict(_given(open_jobs, force_calls, gib, requests))
    if reset:
        limits = dict.fromkeys(_LIMITS) | limits
    if not limits:
        raise AdhopError("give a limit: --open-jobs, --force-calls, --gib or --requests; or --reset")
    with terminal.connected(context) as client:
        terminal.console.print(views.users([client.limit_user(user, **limits)]))


@app.command()
def keys(context: typer.Context, user: User) -> None:
    """List a user's keys, ended ones included."""
    with terminal.connected(context) as client:
        terminal.console.print(views.keys(client.keys(user)))


@app.command()
def create_key(
    context: typer.Context, user: User, role: Role = "submit", label: Label = "", days: Days = None, to: To = None
) -> None:
    """One more key for a user, which is shown once."""
    views.refuse_to_show(to)
    with terminal.connected(context) as client:
        made = client.create_key(user, role=role, label=label, expires_at=views.end(days))
    views.show_key(made["key"], to)


@app.command()
def expire_key(
    context: typer.Context,
    user: User,
    prefix: Prefix,
    days: Annotated[float | None, typer.Option(help="From now on, days.")] = None,
    never: Annotated[bool, typer.Option("--never", help="It works until it is revoked.")] = False,
) -> None:
    """Let a key end by itself, or no more."""
    if (days is None) != never:
        raise AdhopError("give either --days DAYS or --never")
    with terminal.connected(context) as client:
        terminal.console.print(views.keys([client.change_key(user, prefix, expires_at=views.end(days))]))


@app.command()
def rotate_key(context: typer.Context, user: User, prefix: Prefix, to: To = None, grace_h: Grace = 0.0) -> None:
    """Replace a user's key by a new one, which is shown once."""
    views.refuse_to_show(to)
    with terminal.connected(context) as client:
        made = client.rotate_key(prefix, user, grace_s=round(3600 * grace_h))
    views.show_key(made["key"], to)


@app.command()
def revoke_key(context: typer.Context, user: User, prefix: Prefix) -> None:
    """End a user's key, for good."""
    with terminal.connected(context) as client:
        client.revoke_key(prefix, user)
    terminal.say(f"key {prefix} of {user} is revoked")


@app.command()
def groups(context: typer.Context) -> None:
    """List groups and who is in them."""
    with terminal.connected(context) as client:
        terminal.console.print(views.groups(client.groups()))


@app.command()
def create_group(context: typer.Context, group: Group) -> None:
    """Create a group; its members may read the jobs that are shared with it."""
    with terminal.connected(context) as client:
        client.create_group(group)
    terminal.say(f"group {group} is there; `adhop admin join {group} USER` puts users into it")


@app.command()
def delete_group(context: typer.Context, group: Group) -> None:
    """End a group: what was shared with it is its owners' alone again."""
    with terminal.connected(context) as client:
        client.delete_group(group)
    terminal.say(f"group {group} is gone")


@app.command()
def join(context: typer.Context, group: Group, user: User) -> None:
    """Put a user into a group."""
    with terminal.connected(context) as client:
        terminal.console.print(views.groups([client.join(group, user)]))


@app.command()
def leave(context: typer.Context, group: Group, user: User) -> None:
    """Take a user out of a group; what they shared stays shared."""
    with terminal.connected(context) as client:
        terminal.console.print(views.groups([client.leave(group, user)]))


@app.command()
def usage(
    context: typer.Context,
    month: Month = None,
    user: Annotated[str | None, typer.Option(help="Of this user alone.")] = None,
    as_csv: AsCsv = False,
) -> None:
    """What users used, by month: device time, force calls, jobs, and what is stored."""
    print_usage(context, month, user, as_csv)


def _given(open_jobs: int | None, force_calls: int | None, gib: float | None, requests: int | None) -> dict[str, int]:
    n_bytes = None if gib is None else round(gib * views.GIB)
    values = zip(_LIMITS, (open_jobs, force_calls, n_bytes, requests), strict=True)
    return {name: value for name, value in values if value is not None}
