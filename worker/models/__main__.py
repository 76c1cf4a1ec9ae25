"""`python -m worker.models`: the members that this installation has, gets, and trusts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Column, Table

from services.forces.potential import EnergyKind
from shared import private_files
from shared.command_line import ended
from shared.database.repositories import members
from shared.database.session import connect, in_words, sessions
from shared.errors import AdhopError, Misconfigured
from shared.settings import settings
from worker.models import first_use, writing
from worker.models.download import Offline, Source, check, download
from worker.models.fit_command import fit
from worker.models.terminal import DEFAULT_FILE, File, console, say
from worker.models.writing import append, refuse_known
from worker.potentials import identity, registry
from worker.potentials.elements import words
from worker.potentials.entry import RegistryEntry
from worker.potentials.families import FAMILIES
from worker.potentials.members_file import MemberTable, reasons

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)


@app.command("list")
def show(file: File = DEFAULT_FILE) -> None:
    """All members, where they come from, and whether this environment can load them."""
    known = registry.read(file)
    table = Table(
        Column("member", no_wrap=True),
        Column("family", no_wrap=True),
        "energy",
        "elements",
        Column("here", overflow="fold"),
    )
    for entry in known.entries.values():
        family = FAMILIES[entry.family]
        table.add_row(
            entry.name,
            family.title,
            entry.energy_kind,
            "its checkpoint's" if entry.elements is None else " ".join(words(entry.elements)),
            _state(entry),
        )
    for member in known.published.values():
        if member.name not in known.entries:
            table.add_row(member.name, FAMILIES[member.family].title, member.energy_kind, "", "no: fetch")
    console.print(table)
    console.print(f"site's file: {file}" + ("" if file.exists() else " (not there yet; add and fetch make it)"))


def _state(entry: RegistryEntry) -> str:
    reasons = (registry.absence(entry, device) for device in sorted(entry.limits.devices))
    there = "yes" if entry.path is None else f"yes, {entry.path}"
    return next((reason for reason in reasons if reason), there)


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Members; all that are here where none is named.")] = None,
    file: File = DEFAULT_FILE,
) -> None:
    """Compare each checkpoint with its registered SHA-256. The exit status is 1 where one is missing or another file."""
    known = registry.read(file)
    wrong = 0
    for entry in [known[name] for name in names] if names else known.entries.values():
        if not FAMILIES[entry.family].checkpoint:
            say(f"{entry.name}: has no checkpoint")
        elif not names and entry.path is None and FAMILIES[entry.family].absence():
            say(f"{entry.name}: not checked, {FAMILIES[entry.family].absence()}")
        else:
            wrong += _verify(entry)
    raise typer.Exit(1 if wrong else 0)


def _verify(entry: RegistryEntry) -> bool:
    try:
        identity.checkpoint(entry)
    except AdhopError as error:
        say(f"{entry.name}: {error}")
        return True
    say(f"{entry.name}: SHA-256 {entry.sha256}, as registered")
    return False


@app.command()
def add(
    name: str,
    path: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The checkpoint.")],
    family: Annotated[str, typer.Option(help=f"One of {', '.join(FAMILIES)}.")],
    energy_kind: Annotated[
        EnergyKind, typer.Option(help="What its energy is: of the whole structure, or OC20's of adsorption.")
    ],
    file: File = DEFAULT_FILE,
    elements: Annotated[
        str, typer.Option(help="Symbols and ranges, e.g. 'H C-O Pt'; left out, the checkpoint's own.")
    ] = "",
    precision: Annotated[str | None, typer.Option(help="float32 or float64; left out, the family's own.")] = None,
    trained_on: str = "",
    license: str = "",
    option: Annotated[list[str] | None, typer.Option(help="What the family understands, as KEY=VALUE.")] = None,
) -> None:
    """Register a checkpoint that is on this machine already; its checksum is recorded."""
    if name in registry.names():
        raise Misconfigured(f"{name} is the name of a member that comes with Adhop; take another one")
    refuse_known(file, name)
    values = {
        "name": name,
        "family": family,
        "path": os.path.relpath(path.absolute(), file.absolute().parent),
        "sha256": identity.sha256(path),
        "energy_kind": energy_kind,
        "elements": elements.split() or None,
        "precision": precision,
        "trained_on": trained_on,
        "license": license,
        "options": dict(_option(word) for word in option or ()),
    }
    if not elements and family in FAMILIES and FAMILIES[family].elements is None:
        values["elements"] = words(_elements_of(_checked(values | {"elements": ["H"]}).entry(file.absolute().parent)))
    _add_entry(file, values)


def _elements_of(entry: RegistryEntry) -> frozenset[int]:
    """The elements that the checkpoint itself names. Raises Misconfigured where this environment can't load it."""
    if reason := FAMILIES[entry.family].absence():
        raise Misconfigured(
            f"the elements of {entry.name} can't be read: {reason}. Give them with --elements, or add it there"
        )
    return registry.load(replace(entry, elements=None)).card.elements


def _option(word: str) -> tuple[str, str | bool]:
    key, equals, value = word.partition("=")
    if not equals:
        raise typer.BadParameter(f"{word!r} is not KEY=VALUE")
    return key, {"true": True, "false": False}.get(value, value)


@app.command()
def fetch(
    names: Annotated[list[str], typer.Argument(help="Published members; `list` shows them.")], file: File = DEFAULT_FILE
) -> None:
    """Get published checkpoints and register them. A download that was cut goes on where it stopped."""
    for name in names:
        known = registry.read(file)
        if name in known.entries:
            say(f"{name} is registered already, from {known[name].path or 'its package'}")
            continue
        _fetch(file, _published(known, name))


def _published(known: registry.Registry, name: str) -> MemberTable:
    if name not in known.published:
        raise typer.BadParameter(f"no published member is called {name!r}; there are {', '.join(known.published)}")
    return known.published[name]


def _fetch(file: Path, member: MemberTable) -> None:
    source = Source(str(member.address), member.hosts, member.sha256)
    target = file.absolute().parent / source.address.rsplit("/", 1)[-1]
    if target.exists():
        say(f"{target} is here already")
    else:
        _download(member.name, source, target)
    sha256 = check(target, str(target), member.sha256)
    first_use.refuse_other(target, sha256, member.name)
    _add_entry(
        file, member.model_dump(mode="json", exclude={"address", "hosts"}) | {"path": target.name, "sha256": sha256}
    )
    if not member.sha256:
        first_use.note(target, sha256)
        say(
            f"Nobody publishes a checksum of {target.name}: it is trusted because it came first, from {source.address}, and any "
            f"other file under its name is refused from now on. Compare {sha256} with somebody who has it too."
        )


@app.command()
def trust(name: str, file: File = DEFAULT_FILE) -> None:
    """Take another file under a known name, after its checkpoint was replaced on purpose. References are computed anew with it; what
    earlier jobs found stays, and was found with the old file. With the service's settings (ADHOP_DATABASE_URL, ADHOP_BROKER_URL) the
    database is told too."""
    entry = registry.read(file)[name]
    if entry.path is None:
        raise Misconfigured(
            f"{name} comes with Adhop, whose version says which file it is; only members of {file} can change"
        )
    private_files.check_trusted(entry.path)
    sha256 = identity.sha256(entry.path)
    if sha256 != entry.sha256:
        writing.replace_sha256(file, name, sha256)
        first_use.note(entry.path, sha256)
        say(f"{name} in {file}: SHA-256 was {entry.sha256}, is now {sha256}")
    else:
        say(f"{name} in {file}: SHA-256 {sha256}, as before")
    if "ADHOP_DATABASE_URL" not in os.environ:
        say(
            "The database was not told: until it is, workers refuse the file. Run this with the service's ADHOP_DATABASE_URL and "
            "ADHOP_BROKER_URL"
        )
        return
    engine = connect(settings().database_url.get_secret_value(), pool_size=1)
    try:
        with in_words(), sessions(engine).begin() as session:
            there = members.trust(session, name, sha256)
    finally:
        engine.dispose()
    say(
        "The database knows it by that file now"
        if there
        else "The database doesn't know it yet; the first worker registers it"
    )


app.command()(fit)


def _download(name: str, source: Source, target: Path) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(name, total=None)
        try:
            download(source, target, lambda here, total: progress.update(task, completed=here, total=total))
        except Offline as error:
            raise Offline(
                f"{error}. Without a network: get {source.address} on another machine, put it at {target}, and run this command again"
            ) from error


def _add_entry(file: Path, values: Mapping[str, object]) -> None:
    member = _checked(values)
    append(file, member)
    say(f"{member.name} is registered in {file} with SHA-256 {member.sha256}")


def _checked(values: Mapping[str, object]) -> MemberTable:
    try:
        return MemberTable.model_validate(values)
    except ValidationError as error:
        raise Misconfigured("; ".join(reasons(error))) from error


def main(arguments: Iterable[str] | None = None) -> None:
    """Entry point: expected trouble is one message, not a traceback."""
    raise SystemExit(ended("adhop", lambda: app(None if arguments is None else list(arguments))))


if __name__ == "__main__":
    main()
