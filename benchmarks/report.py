"""Tables for people, one JSON object for programs, and intervals for both."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table


def show(title: str, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on standard output."""
    table = Table(*headings, title=title)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    Console(width=160).print(table)


def finish(result: dict[str, Any]) -> None:
    """The last line: one JSON object."""
    sys.stdout.write(json.dumps(result) + "\n")


def in_a_process(module: str, name: str, words: Sequence[str]) -> dict[str, Any]:
    """The last line of `python -m benchmarks.<module>` with these words: memory and load times are a process's own. name: what is
    measured, for the message where it fails."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *words]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        sys.stderr.write(finished.stderr)
        raise SystemExit(f"{name}: ended with {finished.returncode}")
    result: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return result


def interval(values: Sequence[float], seed: int = 0, draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval of the mean (percentiles); nan for no values."""
    if not len(values):
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    means = rng.choice(np.asarray(values, dtype=float), size=(draws, len(values))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def share(hits: Sequence[bool]) -> str:
    """`67 % (12/18; 44-83)`: share, count, interval."""
    if not len(hits):
        return "-"
    low, high = interval([float(hit) for hit in hits])
    return f"{100 * np.mean(hits):.0f} % ({sum(hits)}/{len(hits)}; {100 * low:.0f}-{100 * high:.0f})"
