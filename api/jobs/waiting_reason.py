"""Why an open job isn't moving, in words for its user; None while some worker holds a piece of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from api.members.fleet import Fleet, fleet_of
from shared.states import OPEN, Stage, State


def waiting_for(row: Row[Any]) -> str | None:
    """One sentence for a job as `shown` has it."""
    if State(row.state) not in OPEN:
        return None
    workers = fleet_of(row.workers)
    running = row.stages_running + row.walkers_running + row.energies_running + row.references_running
    if row.stage in (Stage.PLACING, Stage.SELECTING):
        if running:
            return None
        what = "placements" if row.stage == Stage.PLACING else "choice of the minima"
        reason = "for its turn at a CPU worker" if workers.cpu else "no CPU worker is running"
        return f"{what}: {reason}{_behind(row.ahead)}"
    queued = (row.walkers_queued_for, row.energies_queued_for, row.references_queued_for)
    members = sorted({member for some in queued for member in some or ()})
    homeless = [workers.absence(member) for member in members if member not in workers.members]
    if homeless:
        return "; ".join(homeless)
    if running or not members:
        return None
    return " and ".join(_turns(members, workers)) + _behind(row.ahead)


def _turns(members: list[str], workers: Fleet) -> list[str]:
    """Loading takes a worker up to minutes, in which nothing seems to happen."""
    loaded = [member for member in members if member not in workers.absent]
    absent = [member for member in members if member in workers.absent]
    turns = [f"for its turn at {', '.join(loaded)}"] if loaded else []
    return [*turns, f"for {', '.join(absent)} to be loaded"] if absent else turns


def _behind(ahead: int) -> str:
    return f", behind {ahead} older job{'s' if ahead > 1 else ''}" if ahead else ""
