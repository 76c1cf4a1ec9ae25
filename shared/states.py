"""States of jobs and of claimable work, and the transitions that are allowed.

job     queued -> running -> succeeded | failed | cancelled; queued -> failed | cancelled
stage   placing -> searching -> selecting -> done, of a job
work    queued -> running (claimed, with a lease) -> succeeded | failed | cancelled; running -> queued when
        a hop is committed, a lease is released, or a lease ran out; of a reference, failed -> queued when it is tried again
"""

from __future__ import annotations

from collections.abc import Mapping
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

Transitions = Mapping[State, frozenset[State]]

JOB: Transitions = {
    State.QUEUED: frozenset({State.RUNNING, State.FAILED, State.CANCELLED}),
    State.RUNNING: ENDED,
}
ROW: Transitions = {
    State.QUEUED: JOB[State.QUEUED],
    State.RUNNING: ENDED | {State.QUEUED},
}
REFERENCE: Transitions = {**ROW, State.FAILED: frozenset({State.QUEUED})}
"""Jobs to come rest on it too: its failure isn't the end of it."""


def check_transition(allowed: Transitions, old: State, new: State) -> None:
    """Raise Conflict when a state may not follow another."""
    if new not in allowed.get(old, frozenset()):
        raise Conflict(f"what is {old} can't become {new}")


def sources(allowed: Transitions, new: State) -> list[State]:
    """The states that this one may follow."""
    return sorted(old for old, following in allowed.items() if new in following)


class Stage(StrEnum):
    """What a job is doing. `placing` and `selecting` are short CPU stages with a claimable row of their own."""

    PLACING = "placing"
    SEARCHING = "searching"
    SELECTING = "selecting"
    DONE = "done"


_NEXT = {Stage.PLACING: Stage.SEARCHING, Stage.SEARCHING: Stage.SELECTING, Stage.SELECTING: Stage.DONE}


def check_stage(old: Stage, new: Stage) -> None:
    """Raise Conflict unless a stage is the one after another."""
    if _NEXT.get(old) is not new:
        raise Conflict(f"a job that is {old} can't go on to {new}")


class WalkerEnd(StrEnum):
    """Why a walker ended in good order."""

    HOPS = "hops"
    BUDGET = "budget"
    PATIENCE = "patience"
    NOT_PROMISING = "not promising"
    WALL_TIME = "wall time"
    """The job's budget of wall time was used up: what was found by then depends on the machine."""


class MemberState(StrEnum):
    """A member in a worker process: `absent` is loaded when it is needed; `unfit` can't be loaded, with a reason."""

    RESIDENT = "resident"
    ABSENT = "absent"
    UNFIT = "unfit"


class WorkerKind(StrEnum):
    """What a worker process does: the short CPU stages, or work of the members that it hosts."""

    CPU = "cpu"
    POTENTIALS = "potentials"


class Work(StrEnum):
    """The kinds of claimable row."""

    PLACEMENT = "placement"
    SELECTION = "selection"
    REFERENCE = "reference"
    WALKER = "walker"
    EVALUATION = "evaluation"
