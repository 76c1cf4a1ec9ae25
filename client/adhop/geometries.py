"""Which geometry each member's energy of a candidate is of, in words and marks.

The member that found a candidate has it as a minimum of its own. Any other one relaxes it for a few steps before it scores it
(`ensemble.score_steps`); where it may not, or where its relaxation left the minimum, its energy is of the finder's geometry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MARK = "*"
"""Of an energy at a geometry that another member found."""


def mark(finding: Mapping[str, Any], member: str) -> str:
    """What stands behind this member's energy of a candidate."""
    return MARK if any(_at_finders(finding, one) for one in finding["energies"] if one["member"] == member) else ""


def caption(findings: Iterable[Mapping[str, Any]]) -> str:
    """Of a table of these; empty where each energy is of the finder's own minimum."""
    relaxed: list[tuple[int, float]] = []
    marked = left = False
    for finding in findings:
        for one in finding["energies"]:
            if one.get("displacement") is not None:
                relaxed.append((one["relaxation_steps"], one["displacement"]))
            marked |= _at_finders(finding, one)
            left |= one.get("left_minimum") is not None
    said = []
    if relaxed:
        steps, furthest = (max(one[part] for one in relaxed) for part in (0, 1))
        said.append(
            f"each member's energies are at its own geometries, up to {steps} steps and {furthest:.2f} Å from the finder's"
        )
    if marked:
        said.append(f"{MARK} at the finder's geometry" + (", as its own relaxation left the minimum" if left else ""))
    return "; ".join(said)


def headings(members: Sequence[str]) -> list[str]:
    """Of the columns that `cells` fills."""
    return [f"{member} {what}" for member in members for what in ("steps", "displacement (Å)")]


def cells(finding: Mapping[str, Any], members: Sequence[str]) -> list[str]:
    """Steps that each member relaxed the candidate for, and how far they took the atom that went furthest; "-" for an energy at
    the finder's geometry, and for a member without an energy."""
    by_member = {one["member"]: one for one in finding["energies"] if one["adsorption_energy"] is not None}
    made = []
    for member in members:
        one = by_member.get(member)
        moved = None if one is None else one.get("displacement")
        made += ["-" if one is None else str(one.get("relaxation_steps", 0)), "-" if moved is None else f"{moved:.3f}"]
    return made


def _at_finders(finding: Mapping[str, Any], one: Mapping[str, Any]) -> bool:
    return (
        one["adsorption_energy"] is not None
        and one["member"] != finding.get("member", one["member"])
        and one.get("displacement") is None
    )
