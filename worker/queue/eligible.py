"""Open work: which rows may be claimed now, and whose turn it is.

Users take turns by device time: whoever used least of it with a member comes first, and what runs for them counts with what it is
expected to take. Among a user's own jobs priority counts, then age; within a job, the walkers that are furthest behind.

Nothing here looks at all rows that are queued. Users are found in an index of open lanes, for each of them the lanes in the order of
their jobs, and in each lane a few rows, again by an index: what it costs depends on the number of users and on how much is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Double,
    FromClause,
    Subquery,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import distinct_on

from shared.database.tables import Job, Lane, MemberEnergy, Reference, StageRow, Turn, Walker, WorkRow
from shared.database.workflow.turns import STAGES
from shared.states import OPEN, Stage, Work
from worker.queue.lane_rows import IN_LANE, Look, Trial, lanes_of, listed

OWED_S = 300.0
"""Device time that a user may be behind the one who used most: whoever couldn't use their turns, say because all of their walkers
wait for one, isn't owed more."""
UNKNOWN_S = 1.0
"""Expected device time of a user's first piece of work."""
LEAST_S = 0.001
"""Expected of any."""


Eligible = Callable[[Look], Subquery]
"""The rows of one table that may be claimed, in columns `id`, `claimed_for`, `expected_s`, `floor_s` (what their user must count as
having used, s, where they are owed too much; else null), and then the keys that they are taken by, smallest first."""

_RUNNING: ColumnElement[str] = literal_column("'running'")  # literal, as in the indexes: any plan may use these


def _kept(found: Eligible) -> Eligible:
    """To put such a statement together takes longer than to run it."""
    return lru_cache(maxsize=64)(found)


@cache
def stages() -> Eligible:
    """CPU stages that may be claimed."""

    def found(look: Look) -> Subquery:
        staged = and_(Job.state.in_(listed(OPEN)), Job.stage.in_(listed((Stage.PLACING, Stage.SELECTING))))

        def rows_of(some: Look, users: CTE) -> Any:
            rows = (
                select(
                    StageRow.id,
                    (-Job.priority).label("rank"),
                    Job.created_at.label("age"),
                    Job.id.label("job_id"),
                    literal(0).label("step"),
                    cast(null(), Double).label("mean_s"),
                )
                .join_from(Job, StageRow, StageRow.job_id == Job.id)
                .where(Job.user_id == users.c.user_id, staged, some.takes(StageRow))
            )
            return some.each(users, rows, -Job.priority, Job.created_at, Job.id)

        standing = _standing(STAGES, (StageRow,), _users(Job.user_id, staged), look.besides)
        return _in_turn(*_whose_turn(look, standing, rows_of))

    return _kept(found)


@cache
def references(member: str) -> Eligible:
    """References of this member that an open job waits for; one that several users wait for has the earliest of their turns."""

    def found(look: Look) -> Subquery:
        rows = _in_turn(*_by_lane(look, member, Work.REFERENCE))
        first = select(rows).ext(distinct_on(rows.c.id)).order_by(rows.c.id, rows.c.counted_s, rows.c.age)
        return first.subquery()

    return _kept(found)


@cache
def walkers(member: str) -> Eligible:
    """Walkers whose references are there and who are less than the job's lag ahead of its slowest. Nobody hops before every
    placement of the member is relaxed: who goes on is decided from all of them. A refining one waits for nobody."""
    return _kept(lambda look: _in_turn(*_by_lane(look, member, Work.WALKER)))


@cache
def evaluations(member: str) -> Eligible:
    """Candidate x member evaluations whose references are there."""
    return _kept(lambda look: _in_turn(*_by_lane(look, member, Work.EVALUATION)))


def _by_lane(look: Look, member: str, work: Work) -> tuple[CTE, Any]:
    """Standings of users who have such a lane, and laterally the rows of each, lane by lane in the order of their jobs."""
    here = lanes_of(member, work)
    standing = _standing(member, (Reference, Walker, MemberEnergy), _users(Lane.user_id, here), look.besides)
    mean = Lane.device_s / cast(func.nullif(Lane.pieces, 0), Double)

    def rows_of(some: Look, users: CTE) -> Any:
        row = IN_LANE[work](member, some)
        rows = (
            select(row.c.id, Lane.rank, Lane.age, Lane.job_id, row.c.step, mean.label("mean_s"))
            .join_from(Lane, Job, Job.id == Lane.job_id)
            .join(row, true())
            .where(here, Lane.user_id == users.c.user_id, Job.state.in_(listed(OPEN)))
        )
        return some.each(users, rows, Lane.rank, Lane.age, Lane.job_id, row.c.step, row.c.id)

    return _whose_turn(look, standing, rows_of)


def _whose_turn(look: Look, standing: CTE, rows_of: Callable[[Look, CTE], Any]) -> tuple[CTE, Any]:
    """The users who used least and have a row to be taken, and laterally their rows. Of n rows none is of a user beyond the
    first n: all of these have one that comes before it. First rows are looked for in the order of turns, until there are enough."""
    if look.trial is Trial.ALONE:
        return standing, rows_of(look, standing)
    first = rows_of(replace(look, most=1), standing)
    query = select(standing).join(first, true()).order_by(standing.c.counted_s, standing.c.user_id).limit(look.most)
    ready = query.cte("ready").prefix_with("MATERIALIZED")
    return ready, rows_of(look, ready)


def _in_turn(standing: CTE, rows: Any) -> Subquery:
    """The rows of all users in the order of their turns: each counts for its user with what it is expected to take."""
    expected = func.greatest(func.coalesce(rows.c.mean_s, standing.c.mean_s, UNKNOWN_S), LEAST_S)
    order = (rows.c.rank, rows.c.age, rows.c.job_id, rows.c.step, rows.c.id)
    before = func.sum(expected).over(partition_by=standing.c.user_id, order_by=order, rows=(None, -1))
    return (
        select(
            rows.c.id,
            standing.c.user_id.label("claimed_for"),
            expected.label("expected_s"),
            standing.c.floor_s,
            (standing.c.counted_s + func.coalesce(before, 0.0)).label("counted_s"),
            rows.c.age,
            rows.c.id.label("number"),
        )
        .join_from(standing, rows, true())
        .subquery()
    )


def _standing(pool: str, tables: Collection[type[WorkRow]], users: FromClause, besides: Collection[int]) -> CTE:
    """By user: what they count as having used of this pool, what runs for them included, s, and the mean of a piece of theirs. In
    the order of turns, which PostgreSQL remembers of it: where few users are asked for, no others' rows are looked at."""
    counted = func.sum(Turn.device_s + Turn.forgone_s)
    mean = func.sum(Turn.device_s) / cast(func.nullif(func.sum(Turn.pieces), 0), Double)
    theirs = users.alias("theirs")
    used = (
        select(Turn.user_id, counted.label("s"), mean.label("mean_s"))
        .join(theirs, theirs.c.user_id == Turn.user_id)
        .where(Turn.member == pool)
        .group_by(Turn.user_id)
        .subquery()
    )
    runs = union_all(
        *[
            select(table.claimed_for, table.expected_s).where(
                table.state == _RUNNING,
                *([] if table is StageRow else [table.member == pool]),  # type: ignore[attr-defined]
            )
            for table in tables
        ]
    ).subquery()
    running = select(runs.c.claimed_for, func.sum(runs.c.expected_s).label("s")).group_by(runs.c.claimed_for).subquery()
    s = func.coalesce(used.c.s, 0.0)
    floor = func.max(s).over() - OWED_S
    counts = (func.greatest(s, floor) + func.coalesce(running.c.s, 0.0)).label("counted_s")
    query = (
        select(
            users.c.user_id,
            counts,
            case((s < floor, floor)).label("floor_s"),
            used.c.mean_s,
        )
        .join_from(users, used, used.c.user_id == users.c.user_id, isouter=True)
        .outerjoin(running, running.c.claimed_for == users.c.user_id)
        .order_by(counts, users.c.user_id)
    )
    if besides:
        query = query.where(users.c.user_id.not_in(besides))
    return query.cte("standing").prefix_with("MATERIALIZED")


def _users(column: Any, which: ColumnElement[bool]) -> Subquery:
    """The users of many rows, one jump through an index each."""
    found = select(func.min(column).label("user_id")).where(which).cte("users", recursive=True)
    following = select(func.min(column)).where(which, column > found.c.user_id).scalar_subquery()
    found = found.union_all(select(following).where(found.c.user_id.is_not(None)))
    return select(found.c.user_id).where(found.c.user_id.is_not(None)).subquery()
