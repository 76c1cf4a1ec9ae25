"""An evaluation as text, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

from adhop import plain
from rich import box
from rich.console import Console
from rich.table import Table

from services.evaluation.calibration import Calibration
from services.evaluation.challenge import success
from services.evaluation.shares import Interval, Share
from services.evaluation.tables import Evaluation


@dataclass(frozen=True)
class Sheet:
    """A table."""

    title: str
    note: str
    """What its shares are of."""
    headings: tuple[str, ...]
    rows: list[tuple[str | Share, ...]]
    """Cells as text and as shares."""


@dataclass(frozen=True)
class Report:
    """What there is to tell of a labelled set."""

    evaluation: Evaluation
    calibration: Calibration | None
    """The limit learned from it, where the set allows one."""

    @property
    def setting(self) -> str:
        """What was evaluated against what."""
        one = self.evaluation
        members = f"members {', '.join(one.members)}; " if one.members else ""
        return f"{one.name}: {one.n_systems} systems, {one.n_configurations} configurations; {members}reference: {one.reference}"


PUBLISHED: dict[str, Any] = {
    "anomalies": {
        "baseline": {"dissociated": 0.3, "desorbed": 10.1, "intercalated": 2.3, "reconstructed": 8.8, "any": 19.3},
        "restrained": {"dissociated": 0.0, "desorbed": 2.9, "intercalated": 2.0, "reconstructed": 8.7, "any": 12.4},
    },
    "search": {"BFGS": 79.5, "BFGS + restraints": 82.1, "BFGS + restraints + hopping": 87.2},
    "energies": {"single": 75.1, "ensemble": 77.5, "ensemble + filter": 92.4},
}
"""Percent, of the winning entry of the Open Catalyst Challenge 2023, on its own set and with DFT as the reference."""


def sheets(report: Report) -> Iterator[Sheet]:
    """The tables that the set has something to say in."""
    one = report.evaluation
    if one.anomalies:
        kinds = tuple(one.anomalies[0].shares)
        yield Sheet(
            "1. Anomalies",
            "Share of what each way of searching relaxed.",
            ("method", *kinds),
            [(row.method, *(row.shares[kind] for kind in kinds)) for row in one.anomalies],
        )
    if one.search:
        yield Sheet(
            "2. Search",
            "Share of systems whose lowest sound energy is below the reference's lowest + 0.1 eV.",
            ("method", "energies", "systems"),
            [(row.method, row.energies, row.share) for row in one.search],
        )
    if one.energies:
        yield Sheet(
            "3. Energies",
            "Share of configurations within 0.1 eV of the reference.",
            ("energies by", "within 0.1 eV", "kept", "mean error"),
            [(row.what, row.share, row.kept, _ev(row.mean_error)) for row in one.energies],
        )
    if one.challenge:
        yield Sheet(
            "Challenge",
            "The lowest candidate of each system, right within 0.1 eV and no more than 0.1 eV above the lowest known.",
            ("energies by", "systems"),
            [(what, success(verdicts)) for what, verdicts in one.challenge.items()],
        )


def remarks(report: Report) -> list[str]:
    """What the tables don't hold: correlation and calibration, one sentence each."""
    said = []
    found, learned = report.evaluation.correlation, report.calibration
    if found is not None:
        pearson = _with(found.pearson, found.pearson_interval)
        spearman = _with(found.spearman, found.spearman_interval)
        said.append(
            f"Spread ({report.evaluation.spread}) and error over {found.count} configurations: Pearson {pearson}, "
            f"Spearman {spearman}."
        )
    if learned is not None:
        goal = f"{learned.target.share:.0%} within {learned.target.error:g} eV"
        if learned.limit is None:
            said.append(
                f"No limit of the spread keeps the promise of {goal} with {1 - learned.risk:.0%} confidence here."
            )
        else:
            said.append(
                f"Limit of the spread for {goal}: {learned.limit:.3f} eV (90 % interval {learned.interval.low:.3f}-"
                f"{learned.interval.high:.3f}); keeps {learned.kept}, of which {learned.within} are within."
            )
        held = learned.held_out
        said.append(
            f"Of {held.halves} random halves of the systems {held.learned} gave a limit; on the other half the target was reached by "
            f"{held.reached} of them, and missed by no more than chance by {held.kept - held.reached} more."
        )
    return said


def text(report: Report, width: int = 150) -> str:
    """For a terminal."""
    made = io.StringIO()
    console = Console(file=made, width=width, markup=False, emoji=False)
    console.print(report.setting, highlight=False)
    for sheet in sheets(report):
        table = Table(
            title=sheet.title,
            caption=sheet.note,
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            title_justify="left",
            caption_justify="left",
        )
        for index, heading in enumerate(sheet.headings):
            table.add_column(heading, justify="right" if index else "left")
        for row in sheet.rows:
            table.add_row(*(str(cell) for cell in row))
        console.print(table)
    for remark in remarks(report):
        console.print(remark, highlight=False)
    console.print("Shares with their counts and 95 % bootstrap intervals over systems.", highlight=False)
    return made.getvalue()


def document(report: Report) -> str:
    """JSON; null stands for what isn't there."""
    return json.dumps(_plain({"evaluation": report.evaluation, "calibration": report.calibration}), indent=1)


def table(report: Report) -> str:
    """CSV: one line for each share."""
    made = io.StringIO()
    writer = csv.writer(made, lineterminator="\n")
    writer.writerow(["table", "row", "column", "hits", "count", "share", "low", "high", "reference"])
    for sheet in sheets(report):
        for row in sheet.rows:
            name = ", ".join(cell for cell in row if isinstance(cell, str) and not cell.endswith(" eV"))
            for heading, cell in zip(sheet.headings, row, strict=True):
                if isinstance(cell, Share):
                    numbers = [f"{value:.6f}" for value in (cell.value, cell.low, cell.high)]
                    words = [plain.cell(text) for text in (sheet.title, name, heading)]
                    line = [*words, cell.hits, cell.count, *numbers, plain.cell(report.evaluation.reference)]
                    writer.writerow(line)
    return made.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, Share):
        return _plain({**asdict(value), "value": value.value})
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _ev(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f} eV"


def _with(value: float, interval: Interval) -> str:
    return "-" if math.isnan(value) else f"{value:.2f} ({interval.low:.2f} to {interval.high:.2f})"
