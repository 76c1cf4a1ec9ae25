"""`adhop submit-many`: a table with a job in each line, or many files of structures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from adhop import spreadsheet, terminal, words
from adhop import submit_options as options
from adhop.errors import AdhopError
from adhop.job import Job
from adhop.submit import arguments

_FILES = ("adslab", "slab", "bulk", "structures")
_NUMBERS = ("a", "c", "u", "min_depth", "min_width", "vacuum", "window")
_WHOLE = ("termination", "placements", "hops", "seed", "count", "priority")
_YES_NO = ("conventional", "top")
_TEXTS = (
    "prototype", "elements", "crystal", "adsorbate", "binding", "adsorbate_indices", "miller", "relax", "mode",
    "search_members", "refine_members", "score_members", "spread", "limit", "name", "group",
)  # fmt: skip
COLUMNS = (*_FILES, *_TEXTS, *_NUMBERS, *_WHOLE, *_YES_NO)
"""The long names of the options of `adhop submit`, with _ for -."""
_STARTS = ("adslab", "slab", "bulk", "prototype", "structures")
_WORDS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}

Files = Annotated[
    list[Path],
    typer.Argument(help="A table (.csv) with a job in each line, or files with a structure each.", metavar="FILE..."),
]
Each = Annotated[
    Literal["slab", "adslab", "bulk"],
    typer.Option(help="What a file that is no table holds.", rich_help_panel=options.STRUCTURES),
]


def submit_many(
    context: typer.Context,
    files: Files,
    each: Each = "slab",
    adsorbate: options.Adsorbate = None,
    miller: options.Miller = None,
    placements: options.Placements = None,
    mode: options.Mode = None,
    hops: options.Hops = None,
    seed: options.Seed = None,
    search_members: options.SearchMembers = None,
    refine_members: options.RefineMembers = None,
    score_members: options.ScoreMembers = None,
    spread: options.Spread = None,
    limit: options.Limit = None,
    count: options.Count = None,
    window: options.Window = None,
    parameters: options.ParametersFile = None,
    settings: options.Settings = None,
    priority: options.Priority = None,
    group: options.Group = None,
) -> None:
    """Submit many jobs: those of a table, whose columns are named as the options of `adhop submit` (slab, adsorbate, bulk, miller,
    hops and so on), or one for each file.

    Options stand for all jobs; what a line of the table says comes before them. A line for each job is printed: its id, or why it was
    refused, which keeps none of the others from being queued. Ends with 1 where any was refused.
    """
    given = {name: value for name, value in locals().items() if name not in ("context", "files", "each")}
    places, asked, refusals = _read(files, each, given)
    with terminal.connected(context) as client:
        outcomes = dict(zip(asked, client.submit_many(list(asked.values())), strict=True)) | refusals
    for place in places:
        _tell(place, outcomes[place])
    refused = sum(not isinstance(one, Job) for one in outcomes.values())
    terminal.say(f"{len(places) - refused} of {len(places)} jobs queued")
    if refused:
        raise typer.Exit(1)


def _read(
    files: list[Path], each: str, given: Mapping[str, Any]
) -> tuple[list[str], dict[str, dict[str, Any]], dict[str, Job | AdhopError]]:
    """Where each job stands; its arguments, or why it can't have any."""
    places: list[str] = []
    asked: dict[str, dict[str, Any]] = {}
    refusals: dict[str, Job | AdhopError] = {}
    for file in files:
        for place, own in _jobs(file, each):
            places.append(place)
            try:
                asked[place] = _arguments(dict(given) | _values(own, place, file.parent))
            except AdhopError as error:
                refusals[place] = error
    if not places:
        raise AdhopError(
            "there is no job in these files: a table holds one in each line below the names of its columns"
        )
    return places, asked, refusals


def _jobs(file: Path, each: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    if file.suffix.lower() not in (".csv", ".tsv"):
        yield str(file), {each: file.name, "name": file.stem}
        return
    example = "slab,adsorbate or bulk,miller,adsorbate"
    for row in spreadsheet.read(file, COLUMNS, _STARTS, example=example):
        unknown = [name for name in row.cells if name not in COLUMNS]
        if unknown:
            raise AdhopError(f"{file}: there is no option {unknown[0]!r} for a column; there are {', '.join(COLUMNS)}")
        yield f"{file} {row.place}", row.cells


def _values(own: Mapping[str, str], place: str, folder: Path) -> dict[str, Any]:
    """Of the cells of a line. Files are looked for beside the table."""
    found: dict[str, Any] = {}
    for name, text in own.items():
        try:
            if name in _FILES:
                beside = folder / text
                found[name] = str(beside) if name != "bulk" or beside.exists() else text
            elif name in _NUMBERS:
                found[name] = words.number(text, name)
            elif name in _WHOLE:
                found[name] = int(text)
            else:
                found[name] = _WORDS[text.lower()] if name in _YES_NO else text
        except (ValueError, KeyError):
            what = "yes or no" if name in _YES_NO else "a whole number"
            raise AdhopError(f"{place}, column {name}: {text!r}: give {what}") from None
    return found


def _arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Of `Client.submit`."""
    every = dict.fromkeys(COLUMNS) | dict(given)
    return arguments(every) | {name: every[name] for name in ("name", "priority", "group")}


def _tell(place: str, outcome: Job | AdhopError) -> None:
    if isinstance(outcome, Job):
        terminal.say(f"{outcome.id}  {place}")
        terminal.warn(outcome)
    else:
        terminal.say(f"refused  {place}: {outcome}")
