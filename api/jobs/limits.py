"""What one user's jobs may take up together: how many are open, what they are likely to cost, what is stored for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Text, bindparam, func, literal_column, select
from sqlalchemy.orm import Session

from api.jobs.estimate import Cost
from shared.database.tables import Job, User
from shared.errors import LimitReached
from shared.settings import Settings
from shared.states import OPEN
from shared.submissions import AdslabSubmission, SlabSubmission, StructuresSubmission, Submission

GIB = 2**30

# Bytes of rows and their indexes, as `python -m benchmarks.retention` measured them.
_PER_CANDIDATE = 700
_PER_ATOM = 25
_PER_ENERGY = 350
_PER_WALKER = 1500
_USUAL_ATOMS = 80


@dataclass(frozen=True)
class Limits:
    """None: without a limit."""

    open_jobs: int
    open_force_calls: int | None
    stored_bytes: int | None
    requests_per_minute: int


@dataclass(frozen=True)
class Use:
    """What is taken up now."""

    open_jobs: int
    open_force_calls: int
    """As estimated when the jobs were submitted."""
    stored_bytes: int
    """As last measured; of jobs that were not measured yet, as estimated."""

    def with_one_more(self, force_calls: int, stored_bytes: int) -> Use:
        """What it is after one more job."""
        return Use(self.open_jobs + 1, self.open_force_calls + force_calls, self.stored_bytes + stored_bytes)


def limits_of(user: User, settings: Settings) -> Limits:
    """The user's own limits, and the server's where they have none."""

    gib, calls = settings.max_gib_per_user, settings.max_open_force_calls_per_user
    room = None if gib is None else int(gib * GIB)
    return Limits(
        open_jobs=settings.max_open_jobs_per_user if user.max_open_jobs is None else user.max_open_jobs,
        open_force_calls=calls if user.max_open_force_calls is None else user.max_open_force_calls,
        stored_bytes=room if user.max_bytes is None else user.max_bytes,
        requests_per_minute=user.max_requests_per_minute or settings.max_requests_per_minute,
    )


def use_of(session: Session, user_id: int, against: Limits) -> Use:
    """What a user's jobs take up of what is limited; what isn't stays uncounted, and is 0 here."""
    if against.open_force_calls is not None or against.stored_bytes is not None:
        return use_of_each(session, [user_id]).get(user_id, Use(0, 0, 0))
    return Use(session.connection().execute(_OPEN_JOBS, {"user_id": user_id}).scalar_one(), 0, 0)


_OPEN_JOBS = select(func.count()).where(
    Job.user_id == bindparam("user_id"), Job.state.in_([literal_column(f"'{state}'", Text) for state in sorted(OPEN)])
)
"""States are written into it: the plan is made for any user, and the index is of open jobs alone."""


def use_of_each(session: Session, user_ids: Sequence[int]) -> dict[int, Use]:
    """The same of several, by user id; users without jobs are left out."""
    is_open = Job.state.in_(OPEN)
    rows = session.execute(
        select(
            Job.user_id,
            func.count().filter(is_open),
            func.coalesce(func.sum(Job.estimated_force_calls).filter(is_open), 0),
            func.coalesce(func.sum(Job.stored_bytes), 0),
        )
        .where(Job.user_id.in_(user_ids), Job.deleted_at.is_(None))
        .group_by(Job.user_id)
    )
    return {user_id: Use(n_open, int(calls or 0), int(stored or 0)) for user_id, n_open, calls, stored in rows}


def likely_atoms(submission: Submission) -> int:
    """Of the adslab; of one that is still to be cut, a usual number."""
    if isinstance(submission, AdslabSubmission | StructuresSubmission):
        return len(submission.order)
    if isinstance(submission, SlabSubmission):
        return len(submission.slab["numbers"]) + len(submission.adsorbate.numbers)
    return _USUAL_ATOMS


def estimated_bytes(cost: Cost, n_atoms: int, n_score_members: int) -> int:
    """What a job is likely to store, if no walker stops early and every candidate is scored."""
    per_candidate = _PER_CANDIDATE + _PER_ATOM * n_atoms + _PER_ENERGY * n_score_members
    return cost.hops_most * per_candidate + cost.walkers * (_PER_WALKER + 2 * _PER_ATOM * n_atoms)


def check(limits: Limits, use: Use, *, force_calls: int, stored_bytes: int) -> None:
    """Raise LimitReached, with what is used, what is allowed, and what to do, where one more job of this cost is too much."""
    if use.open_jobs >= limits.open_jobs:
        raise LimitReached(
            f"{use.open_jobs:,} of your jobs are open and {limits.open_jobs:,} are allowed: wait for some, or cancel them; an "
            "administrator can raise the limit"
        )
    most = limits.open_force_calls
    if most is not None and use.open_force_calls + force_calls > most:
        raise LimitReached(
            f"this job is estimated at {force_calls:,} force calls; your open jobs hold {use.open_force_calls:,} of the "
            f"{most:,} that are allowed: wait for some, cancel them, or ask for fewer placements or hops; an administrator can "
            "raise the limit"
        )
    room = limits.stored_bytes
    if room is not None and use.stored_bytes + stored_bytes > room:
        raise LimitReached(
            f"this job may store {_size(stored_bytes)}; your jobs take {_size(use.stored_bytes)} of the {_size(room)} that are "
            "allowed: delete ended jobs that you don't need (adhop delete JOB); an administrator can raise the limit"
        )


def _size(n_bytes: int) -> str:
    for unit, size in (("GiB", GIB), ("MiB", 2**20)):
        if n_bytes >= size:
            return f"{n_bytes / size:.3g} {unit}"
    return f"{n_bytes / 1024:.3g} KiB"
