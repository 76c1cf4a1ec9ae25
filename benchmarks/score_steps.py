"""What a few steps by the members that only score cost, and do to the spread and to the error against DFT.

python -m benchmarks.score_steps [--quick] [--database FILE] [--cache FILE]

Ten adslabs of PengRole2020 (Catalysis-Hub; BEEF-vdW; the file is cathub/tests/io of github.com/SUNCAT-Center/CatHub): CO, CH and CCO
on metals. Each default search member relaxes DFT's geometry to a minimum of its own; the other members score it after 0, 3, 5, 10 and
20 steps, and relaxed in full. Their reactions are from CO, H2 and H2O, so the labels are on the scale of the service as they stand.
Three molecules without a label, found likewise, are those whose relaxations are long. Every evaluation is kept in the cache: a run
that was stopped goes on where it ended.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from benchmarks.dft_labels import asked
from benchmarks.score_walks import FULL, STEPS, Remembered, Scores, labelled, measure, unlabelled
from benchmarks.systems import Case

CACHE = Path(__file__).parents[1] / ".adhop/score-steps.jsonl"
MEMBERS = ("chgnet-0.3.0", "sevennet-0", "chgnet-r2scan")
FINDERS = MEMBERS[:2]
"""The default search members."""
REACTIONS = (150, 195, 158, 159, 75, 76, 73, 174, 175, 165)
"""Their numbers in the database, those that share a slab one after the other: CO on Cu(653) and Ag3Cu(100); CH, CCO on Cu(111);
CH, CCO, CO on Pd(111); CH, CCO on Pt(111) hollows, CO on top."""
LOOSE = (Case("Pt", "111", "*CH4"), Case("Cu", "111", "*OH2"), Case("Pd", "100", "*OCH3"))
"""Molecules that hardly hold, or turn easily: no DFT is to be had of these, and relaxations are long."""
ERRORS = ("scoring members", "mean of three")
LIMIT = 0.3
"""The default limit of the spread, eV."""


def errors(all_scores: Sequence[Scores], steps: int, *, offsets: bool) -> dict[str, float]:
    """Mean absolute error against DFT, eV: of the scoring members' energies one by one, and of the members' mean. offsets: with
    one constant per adsorbate and member (or per adsorbate, of the mean) removed."""
    one_by_one: dict[tuple[str, str], list[float]] = {}
    means: dict[str, list[float]] = {}
    for one in all_scores:
        if one.label is None:
            continue
        for member, energies in one.energies.items():
            if member != one.finder:
                one_by_one.setdefault((one.adsorbate, member), []).append(energies[steps] - one.label)
        mean = np.mean([energies[steps] for energies in one.energies.values()])
        means.setdefault(one.adsorbate, []).append(float(mean - one.label))
    groups = ([*one_by_one.values()], [*means.values()])
    return {what: _mean_absolute(values, offsets=offsets) for what, values in zip(ERRORS, groups, strict=True)}


def _mean_absolute(groups: Sequence[Sequence[float]], *, offsets: bool) -> float:
    left = [np.asarray(group) - (np.median(group) if offsets else 0.0) for group in groups]
    return float(np.abs(np.concatenate(left)).mean())


def summary(all_scores: Sequence[Scores], steps: int) -> dict[str, Any]:
    """One row of the table."""
    others = [(one, member) for one in all_scores for member in one.energies if member != one.finder]
    spreads = [one.spread(steps) for one in all_scores]
    apart = _apart(all_scores, steps)
    above = [one.energies[member][steps] - one.energies[member][FULL] for one, member in others]
    plain, removed = errors(all_scores, steps, offsets=False), errors(all_scores, steps, offsets=True)
    return {
        "force_calls": round(float(np.mean([one.calls[member][steps] for one, member in others])), 1),
        "above_own_minimum": round(float(np.mean(above)), 4),
        "most_above": round(float(np.max(above)), 4),
        "spread": round(float(np.mean(spreads)), 3),
        "spread_median": round(float(np.median(spreads)), 3),
        "within_limit": f"{sum(value <= LIMIT for value in spreads)}/{len(spreads)}",
        "finders_apart": round(float(np.mean(apart)), 3) if apart else None,
        "finders_most_apart": round(max(apart), 3) if apart else None,
        "pearson": round(_pearson(all_scores, steps), 2),
        "error": {key: round(value, 3) for key, value in plain.items()},
        "error_offsets_removed": {key: round(value, 3) for key, value in removed.items()},
        "left_minimum": sum(one.left[member][steps] is not None for one, member in others),
    }


def _pearson(all_scores: Sequence[Scores], steps: int) -> float:
    """Of the spread and the error of the members' mean."""
    both = [
        (one.spread(steps), abs(float(np.mean([by[steps] for by in one.energies.values()])) - one.label))
        for one in all_scores
        if one.label is not None
    ]
    return float(np.corrcoef(np.array(both).T)[0, 1])


def _apart(all_scores: Sequence[Scores], steps: int) -> list[float]:
    """How far apart the members' means are of the minima that two finders have of one site, eV."""
    by_system: dict[str, list[float]] = {}
    for one in all_scores:
        mean = np.mean([energies[steps] for energies in one.energies.values()])
        by_system.setdefault(one.system, []).append(float(mean))
    return [max(means) - min(means) for means in by_system.values() if len(means) > 1]


def main() -> None:
    """Entry point."""
    words, known = asked(__doc__, quick="two systems, one finder", cache=CACHE)
    warnings.simplefilter("ignore")
    members = {name: Remembered(name, words.cache) for name in MEMBERS}
    systems = [labelled(known, reaction) for reaction in (REACTIONS[:2] if words.quick else REACTIONS)]
    began = time.monotonic()
    found: list[Scores] = []
    for finder in FINDERS[:1] if words.quick else FINDERS:
        for system in systems:
            found += measure(system, [finder], members)
            print(f"{system.name}, found by {finder}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    rows = {steps: summary(found, steps) for steps in STEPS}
    report.show(
        f"{len(systems)} systems, {len(found)} candidates, scored by {len(MEMBERS)} members; eV",
        [
            "steps",
            "calls",
            "above own minimum",
            "std",
            f"within {LIMIT}",
            "finders apart",
            "error",
            "error of the mean",
            "left",
        ],
        [
            [
                "full" if steps == FULL else steps,
                row["force_calls"],
                f"{row['above_own_minimum']} (most {row['most_above']})",
                f"{row['spread']} (median {row['spread_median']})",
                row["within_limit"],
                f"{row['finders_apart']} (most {row['finders_most_apart']})",
                *(f"{row['error'][what]} ({row['error_offsets_removed'][what]})" for what in ERRORS),
                row["left_minimum"],
            ]
            for steps, row in rows.items()
        ],
    )
    print("errors: mean absolute, against DFT; in brackets with one constant per adsorbate and member removed")
    result: dict[str, Any] = {"systems": len(systems), "candidates": len(found), "steps": rows}
    result["own_slab"] = round(float(np.mean(_own_slab_above(found))), 3)
    if not words.quick:
        loose = [one for case in LOOSE for one in measure(unlabelled(case), FINDERS, members)]
        _show_loose(loose)
        result["loose"] = [asdict(one) for one in loose]
    result["scores"] = [asdict(one) for one in found]
    report.finish(result)


def _show_loose(found: Sequence[Scores]) -> None:
    report.show(
        "loose molecules: energies after 0, 3, 10 steps and in full, eV",
        ["system", "found by", "scored by", *(str(steps) for steps in (0, 3, 10)), "full", "calls in full", "left"],
        [
            [
                one.system,
                one.finder,
                member,
                *(f"{one.energies[member][steps]:.3f}" for steps in (0, 3, 10, FULL)),
                one.calls[member][FULL],
                one.left[member][FULL],
            ]
            for one in found
            for member in one.energies
            if member != one.finder
        ],
    )


def _own_slab_above(found: Sequence[Scores]) -> list[float]:
    """How far one evaluation on the member's own slab is above its minimum, eV."""
    return [
        one.own_slab[name] - one.energies[name][FULL] for one in found for name in one.energies if name != one.finder
    ]


if __name__ == "__main__":
    main()
