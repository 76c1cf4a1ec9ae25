"""States of jobs and of claimable work, and the transitions that are allowed.

job     queued -> running -> succeeded | failed | cancelled; queued -> failed | cancelled
work    queued -> running (claimed, with a lease) -> succeeded | failed | cancelled; running -> queued when
        a hop is committed, a lease is released, or a lease ran out
"""

from __future__ import annotations

from enum import StrEnum

from shared.errors import Conflict


class State(StrEnum):
    """State of a job or of one row of claimable work."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in ENDED


ENDED = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})
OPEN = frozenset({State.QUEUED, State.RUNNING})

_ALLOWED: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.FAILED, State.CANCELLED}),
    State.RUNNING: frozenset({State.QUEUED, State.SUCCEEDED, State.FAILED, State.CANCELLED}),
}


class Stage(StrEnum):
    """What a job is doing. `placing` and `selecting` are short CPU stages with a claimable row of their own."""

    PLACING = "placing"
    SEARCHING = "searching"
    SELECTING = "selecting"
    DONE = "done"


class Work(StrEnum):
    """The kinds of claimable row."""

    PLACEMENT = "placement"
    SELECTION = "selection"
    REFERENCE = "reference"
    WALKER = "walker"
    EVALUATION = "evaluation"


def check_transition(old: State, new: State) -> None:
    """Raise Conflict when a state may not follow another."""
    if new not in _ALLOWED.get(old, frozenset()):
        raise Conflict(f"a {old} row can't become {new}")
