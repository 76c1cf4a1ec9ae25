"""Minima and candidates as tables. Energies in eV per adslab."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from adhop import geometries, notes, plain

SUMMARY = ("mean", "std", "range", "relative")


def table(title: str, body: dict[str, Any], others: Sequence[dict[str, Any]] = ()) -> Table:
    """One row for each minimum, lowest first, then one for each of `others` that no other one stands for."""
    labelled = _labelled([*body["minima"], *others])
    distinct = [candidate for candidate in others if labelled or not _is_duplicate(candidate)]
    members = _members([*body["minima"], *distinct])
    caption = notes.lines(body)
    if whose := geometries.caption([*body["minima"], *distinct]):
        caption[0] += f"; {whose}"
    if len(others) > len(distinct):
        caption[0] += (
            f"; {len(others) - len(distinct)} duplicates are left out here, the CSV of all candidates has them"
        )
    made = Table(
        title=Text(title), caption=Text("\n".join(caption), justify="left"), box=box.SIMPLE_HEAD, pad_edge=False
    )
    made.add_column("rank", justify="right", no_wrap=True, min_width=4)
    made.add_column("#", justify="right", no_wrap=True, min_width=3)
    if labelled:
        made.add_column("label", overflow="fold")
    made.add_column("site", no_wrap=True)
    for heading in (*members, *SUMMARY):
        # a narrow terminal shortens names, never numbers
        made.add_column(Text(heading.replace("-", "-\n", 1)), justify="right", no_wrap=True, min_width=5)
    made.add_column("verdict")
    for minimum in body["minima"]:
        made.add_row(
            str(minimum["rank"]),
            str(minimum["id"]),
            *([Text(minimum["label"] or "")] if labelled else ()),
            Text(minimum["site"]),
            *_marked(minimum, members),
            Text(verdict(minimum)),
        )
    if distinct:
        made.add_section()
    for candidate in distinct:
        made.add_row(
            "-",
            str(candidate["id"]),
            *([Text(candidate["label"] or "")] if labelled else ()),
            Text(candidate["site"]),
            *_marked(candidate, members),
            Text(verdict(candidate)),
            style="dim",
        )
    return made


def csv_text(body: dict[str, Any], others: Sequence[dict[str, Any]] = ()) -> str:
    """The minima, and `others` below them without a rank, comma-separated; units stand in the header."""
    members = _members([*body["minima"], *others])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    energies = [f"{heading} (eV)" for heading in (*members, *SUMMARY)]
    labelled = _labelled([*body["minima"], *others])
    columns = [
        "rank",
        *(["label"] if labelled else ()),
        "site",
        *energies,
        "verdict",
        "reference",
        "candidate",
        "found by",
        *geometries.headings(members),
        "offset spread (eV)",
        "accuracy",
        "to mind",
    ]
    writer.writerow([plain.cell(column) for column in columns])
    spread = body.get("offset_spread")
    told = [plain.cell(one) for one in (body.get("accuracy", ""), "; ".join(body.get("cautions", ())))]
    of_all = ["-" if spread is None else f"{spread:.6f}", *told]
    for finding in (*body["minima"], *others):
        numbers = _energies(finding, members, digits=6)
        said = [
            plain.cell(verdict(finding)),
            plain.cell(body["reference"]),
            finding["id"],
            plain.cell(finding["member"]),
        ]
        whose = [*geometries.cells(finding, members), *of_all]
        called = [plain.cell(finding["label"] or "")] if labelled else []
        writer.writerow([finding.get("rank", "-"), *called, plain.cell(finding["site"]), *numbers, *said, *whose])
    return text.getvalue()


def _labelled(findings: Sequence[dict[str, Any]]) -> bool:
    """Whether they are structures that were given: each is then shown, whichever it is the same minimum as."""
    return any(finding.get("label") is not None for finding in findings)


def others(candidates: Sequence[dict[str, Any]], minima: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The candidates that are no minimum, lowest mean first, those without a mean last."""
    chosen = {minimum["id"] for minimum in minima}
    left = [one for one in candidates if one["id"] not in chosen]

    def place(one: dict[str, Any]) -> tuple[bool, float, int]:
        mean = (one["score"] or {}).get("mean")
        return mean is None, 0.0 if mean is None else float(mean), one["id"]

    return sorted(left, key=place)


def _is_duplicate(candidate: dict[str, Any]) -> bool:
    """By the choice, which lets a trusted duplicate stand for a first one that failed; before it, by who was found first."""
    score = candidate["score"]
    return (candidate["duplicate_of"] if score is None else score["same_as"]) is not None


def verdict(finding: Mapping[str, Any]) -> str:
    """Why it was chosen, or why not; with the members that have no energy, if any."""
    score = finding["score"] or {}
    said = str(score.get("verdict") or "not judged yet")
    missing = score.get("missing") or []
    return f"{said} (no energy by {', '.join(missing)})" if missing and score.get("n") else said


def _members(findings: Sequence[dict[str, Any]]) -> list[str]:
    return sorted({one["member"] for finding in findings for one in finding["energies"]})


def _marked(finding: dict[str, Any], members: Sequence[str]) -> list[str]:
    """The energies, those at a geometry that another member found with their mark."""
    marks = [geometries.mark(finding, member) for member in members]
    numbers = _energies(finding, members)
    return [number + sign for number, sign in zip(numbers, marks + [""] * len(SUMMARY), strict=True)]


def _energies(finding: dict[str, Any], members: Sequence[str], digits: int = 2) -> list[str]:
    by_member = {one["member"]: one["adsorption_energy"] for one in finding["energies"]}
    score = finding["score"] or {}
    numbers = [by_member.get(member) for member in members] + [score.get(key) for key in SUMMARY]
    return ["-" if number is None else f"{number:.{digits}f}" for number in numbers]
