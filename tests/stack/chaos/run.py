"""`make chaos`: the 28 rows of the reliability contract, each with its verdict and time; the last line is one JSON object.

Arguments go to pytest: `-k` picks tests, `--quick` leaves out the long ones.
"""

import json
import sys
import time
from collections import defaultdict
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TOTAL = 28


class Recorder:
    """Collects what became of each test, by row."""

    def __init__(self) -> None:
        self.rows: dict[int, str] = {}
        self.outcomes: dict[int, list[str]] = defaultdict(list)
        self.seconds: dict[int, float] = defaultdict(float)
        self._row_of: dict[str, int] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for mark in item.iter_markers("fault"):
                row, what = mark.args
                self._row_of[item.nodeid], self.rows[row] = row, what

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        row = self._row_of.get(report.nodeid)
        if row is None:
            return
        self.seconds[row] += report.duration
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[row].append(report.outcome)

    def verdict(self, row: int) -> str:
        """passed: all of its tests ran and passed; skipped: one could not run here; missing: none was asked for."""
        found = self.outcomes.get(row)
        if not found:
            return "missing"
        return next((outcome for outcome in ("failed", "skipped") if outcome in found), "passed")


def main() -> int:
    arguments = [word for word in sys.argv[1:] if word != "--quick"]
    chosen = "not slow_fault" if "--quick" in sys.argv else ""
    recorder = Recorder()
    began = time.monotonic()
    pytest.main(["-m", chosen, "-q", str(HERE), *arguments], plugins=[recorder])
    print()
    verdicts = {row: recorder.verdict(row) for row in range(1, TOTAL + 1)}
    for row, verdict in verdicts.items():
        print(f"{row:3d}  {verdict:8s} {recorder.seconds[row]:6.1f} s  {recorder.rows.get(row, '')}")
    passed = sum(verdict == "passed" for verdict in verdicts.values())
    others = {row: verdict for row, verdict in verdicts.items() if verdict != "passed"}
    seconds = round(time.monotonic() - began, 1)
    print(json.dumps({"passed": passed, "total": TOTAL, "seconds": seconds, "others": others}))
    return passed != TOTAL


if __name__ == "__main__":
    raise SystemExit(main())
