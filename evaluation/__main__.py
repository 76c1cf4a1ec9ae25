"""`adhop-evaluate`: the method's three tables, the challenge's metric, and spread against error, from a labelled set."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from adhop import AdhopError as ClientError
from adhop import Client, words

from evaluation import catbench, cathub, figures, oc20dense, report, scoring, sources, vasp
from evaluation.page import page
from evaluation.report import Report
from services.evaluation.calibration import FEWEST, calibrate
from services.evaluation.labelled import Labelled, pairs, stand_in
from services.evaluation.tables import evaluate
from shared.command_line import ended
from shared.errors import InvalidInput
from shared.parameters import Spread

_HELP = f"""{__doc__}

Labelled sets:
  --table FILE          CSV or extxyz, with these columns:
{chr(10).join("      " + line for line in sources.COLUMNS.splitlines())}
  --jobs ID ...         jobs of an Adhop server (ADHOP_URL, ADHOP_KEY) with reference energies fed back
  --catbench FILE       a set in CatBench's JSON
  --cathub FILE         a database of Catalysis-Hub
  --vasp FOLDER ...     calculations by VASP: a folder for each system, in it one for each calculation: slab, gas-H2O, ..., adslabs
                        (vasprun.xml or OUTCAR)
      The structures of these three are scored by an Adhop server (ADHOP_URL, ADHOP_KEY) as they are; the same command again goes on
      where it was stopped. --members a,b: by whom; --relax score or search: relaxed first; --set NAME=VALUE: any parameter of jobs,
      such as ensemble.scale="own gas"
  --oc20dense FOLDER    the published labels of OC20-Dense; --predictions FILE adds your ML energies (CSV: system, candidate, energy)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; the exit status is 2 where the input can't be used, or the output not written."""
    given = _arguments(arguments)
    return ended("adhop-evaluate", lambda: _evaluate(given), (ClientError,))


def _evaluate(given: Namespace) -> None:
    if not np.isfinite(given.limit) or given.limit <= 0:
        raise InvalidInput(f"--limit {given.limit:g}: give a spread above 0 eV")
    reports = [(found, made) for found in _sets(given) for made in [_report(found, given)]]
    _write(reports, given)


def _arguments(arguments: Sequence[str] | None) -> Namespace:
    parser = ArgumentParser(prog="adhop-evaluate", description=_HELP, formatter_class=RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--table", type=Path)
    source.add_argument("--jobs", nargs="+", metavar="ID")
    source.add_argument("--oc20dense", type=Path, metavar="FOLDER")
    source.add_argument("--catbench", type=Path, metavar="FILE")
    source.add_argument("--cathub", type=Path, metavar="FILE")
    source.add_argument("--vasp", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--predictions", type=Path, help="with --oc20dense")
    parser.add_argument("--members", metavar="A,B", help="that score the structures; without it, the server's defaults")
    parser.add_argument("--relax", choices=("none", "score", "search"), default="none", help="of the structures (none)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the jobs")
    parser.add_argument("--stand-in", metavar="MEMBER", help="this member plays the reference; the report says so")
    parser.add_argument(
        "--reference", metavar="NAME", help="what the table's reference is, or the functional of the jobs'"
    )
    parser.add_argument("--spread", type=Spread, choices=list(Spread), default=Spread.STD)
    parser.add_argument("--limit", type=float, default=0.3, help="of the spread, eV (0.3)")
    for name, what in (
        ("json", "all numbers"),
        ("csv", "shares"),
        ("png", "figures"),
        ("html", "one page with everything"),
    ):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=what)
    return parser.parse_args(arguments)


def _sets(given: Namespace) -> list[Labelled]:
    if given.table is not None:
        found = [sources.table(given.table, given.reference)]
    elif given.jobs is not None:
        with Client() as client:
            found = [sources.jobs(client, given.jobs, given.reference)]
    elif given.oc20dense is None:
        found = [_scored(given)]
    else:
        predictions = None if given.predictions is None else sources.predictions(given.predictions)
        found = oc20dense.load(given.oc20dense, predictions)
    return found if given.stand_in is None else [stand_in(one, given.stand_in) for one in found]


def _scored(given: Namespace) -> Labelled:
    """A set of structures, scored by the server; what is left out of it is said."""
    if given.catbench is not None:
        read = catbench.load(given.catbench, given.reference)
    elif given.cathub is not None:
        read = cathub.load(given.cathub, given.reference)
    else:
        read = vasp.load(given.vasp, given.reference)
    parameters = words.parameters(None, {"ensemble.score_members": words.names(given.members)}, given.set)
    try:
        with Client(timeout_s=120.0) as client:
            return scoring.score(client, read, relax=given.relax, parameters=parameters)
    finally:
        for reason in read.left_out:
            sys.stderr.write(f"left out: {reason}\n")


def _report(labelled: Labelled, given: Namespace) -> Report:
    if not np.isfinite(labelled.reference).any():
        raise InvalidInput("nothing here has a reference energy: feed some back, or name a member with --stand-in")
    evaluation = evaluate(labelled, spread=given.spread, limit=given.limit)
    found = pairs(labelled, given.spread)
    learned = calibrate(found.spreads, found.errors, found.systems) if len(found.spreads) >= FEWEST else None
    return Report(evaluation, learned)


def _write(reports: list[tuple[Labelled, Report]], given: Namespace) -> None:
    drawn = [figures.draw(made, found) for found, made in reports]
    for _, made in reports:
        sys.stdout.write(report.text(made))
    if given.json is not None:
        given.json.write_text("[" + ",\n".join(report.document(made) for _, made in reports) + "]\n")
    if given.csv is not None:
        texts = [report.table(made) for _, made in reports]
        given.csv.write_text(texts[0] + "".join(text.split("\n", 1)[1] for text in texts[1:]))
    if given.png is not None:
        for index, figure in enumerate(drawn):
            path = given.png if not index else given.png.with_stem(f"{given.png.stem}-{index + 1}")
            path.write_bytes(figures.png(figure))
    if given.html is not None:
        parts = [(made, figures.svg(figure)) for (_, made), figure in zip(reports, drawn, strict=True)]
        given.html.write_text(page(parts))


if __name__ == "__main__":
    raise SystemExit(main())
