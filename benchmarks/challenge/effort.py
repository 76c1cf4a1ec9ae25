"""How much is searched by whom, and the file of what was found: a line for each finished piece of work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

METHODS = ("BFGS", "BFGS + restraints", "BFGS + restraints + hopping")
WHOLE = 2
"""Index of the whole method."""
HERE = Path(__file__).parent
LABELS, CHECKPOINTS = HERE / "labels", HERE / "checkpoints"
FOUND = HERE / "found.jsonl"
"""What was found so far, as it is kept with the code."""
TEACHER = "chgnet-0.3.0"


@dataclass(frozen=True)
class Effort:
    """Of each search."""

    budget: int = 800
    """Force calls, the same for each method."""
    placements: int = 6
    """That the whole method relaxes before it hops; the others relax as many as the budget holds."""
    teacher_budget: int = 300
    """Force calls of the teacher's own search for its lowest minimum."""
    relaxed: int = 3
    """Of each method's chosen minima, how many the teacher relaxes."""
    seed: int = 0

    def key(self, students: dict[str, str]) -> str:
        """What results must have in common to stand in one table. students: SHA-256 of each one's checkpoint."""
        told = json.dumps([asdict(self), sorted(students.items())])
        return hashlib.sha256(told.encode()).hexdigest()[:12]


@dataclass
class Unit:
    """One system, searched by one member with all methods: columns, an entry for each candidate. Energies: eV, adsorption."""

    system: str
    by: str
    start: list[int] = field(default_factory=list)
    """Index of its placement."""
    methods: list[list[int]] = field(default_factory=list)
    """Indices of METHODS: a start's restrained relaxation belongs to two."""
    converged: list[bool] = field(default_factory=list)
    anomalies: list[str] = field(default_factory=list)
    """Comma-separated."""
    first: list[int] = field(default_factory=list)
    """The earliest one that is the same minimum."""
    energies: dict[str, list[float | None]] = field(default_factory=dict)
    """By each student, of this very geometry."""
    teacher: list[float | None] = field(default_factory=list)
    """Single points by the teacher."""
    relaxed: dict[str, float | None] = field(default_factory=dict)
    """By the teacher, from what the students' ensemble chose: by candidate; None where that ended unsound."""
    chosen: list[list[int]] = field(default_factory=list)
    """By method: candidates in the order of their ranks."""
    calls: list[int] = field(default_factory=list)
    """Force calls by method."""
    seconds: float = 0.0
    """CPU time of it all."""


@dataclass
class Known:
    """What the teacher itself found on a system."""

    system: str
    lowest: float | None
    """Of its sound minima, eV; None where it found none."""
    minima: int
    """Distinct sound ones."""
    seconds: float = 0.0


@dataclass(frozen=True)
class Store:
    """The file of what was found, of one effort."""

    file: Path
    key: str

    def lines(self) -> Iterator[dict[str, Any]]:
        """Those of this effort; where the folder has none yet, those that are kept with the code."""
        source = self.file if self.file.exists() else FOUND
        for line in source.read_text().splitlines() if source.exists() else ():
            kept = json.loads(line)
            if kept.pop("key") == self.key:
                yield kept

    def units(self) -> list[Unit]:
        return [Unit(**one) for one in self.lines() if "by" in one]

    def known(self) -> dict[str, Known]:
        return {one["system"]: Known(**one) for one in self.lines() if "by" not in one}

    def add(self, one: Unit | Known) -> None:
        """A line more; several processes may write to the file."""
        before = list(self.lines())
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), self.file.open("xb", buffering=0) as out:
            out.write(b"".join(map(self._line, before)))
        with self.file.open("ab", buffering=0) as out:
            out.write(self._line(asdict(one)))

    def _line(self, told: dict[str, Any]) -> bytes:
        return (json.dumps({"key": self.key} | told) + "\n").encode()
