"""All that is shown of jobs, by one statement that is put together once: each connection has it planned once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Row, Subquery, Uuid, any_, bindparam, select, true
from sqlalchemy.orm import Session

from api.jobs import counted
from api.members.fleet import FRESH_WORKERS
from shared.database.tables import Group, Job, User

_JOB = [column for column in Job.__table__.columns if column is not Job.__table__.c.submission]
"""The submission is as large as the structure, and shown elsewhere."""


def _statement(line: Subquery | None = None) -> Any:
    """line: where the number of older jobs is read off; without it each job's are counted."""
    rows: Any = Job.__table__
    for part in counted.PARTS:
        rows = rows.join(part, true(), isouter=True)
    rows = rows.join(User, User.id == Job.user_id).join(Group, Group.id == Job.group_id, isouter=True)
    if line is not None:
        rows = rows.join(line, line.c.id == Job.id, isouter=True)
    ahead = counted.ahead() if line is None else counted.ahead_in(line)
    columns = [column for part in counted.PARTS for column in part.c]
    return select(
        *_JOB,
        User.name.label("user_name"),
        Group.name.label("group_name"),
        *columns,
        ahead.label("ahead"),
        counted.of_open(FRESH_WORKERS).label("workers"),
    ).select_from(rows)


class ByIds:
    """A statement about jobs, for one of them and for any number: PostgreSQL, which expects ten of an unknown number, would plan it
    anew for each single one."""

    def __init__(self, one: Any, many: Any) -> None:
        self._one = one.where(Job.id == bindparam("id", type_=Uuid))
        self._many = many.where(Job.id == any_(bindparam("ids", type_=ARRAY(Uuid))))

    def __call__(self, session: Session, ids: Sequence[UUID]) -> Sequence[Row[Any]]:
        """Its rows of these jobs, in any order."""
        if not ids:
            return []
        if len(ids) == 1:
            return session.connection().execute(self._one, {"id": ids[0]}).all()
        return session.connection().execute(self._many, {"ids": list(ids)}).all()


_shown = ByIds(_statement(), _statement(counted.line()))


def shown(session: Session, ids: Sequence[UUID]) -> list[Row[Any]]:
    """A row for each of these jobs that there is, in the order given: its columns, its owner's and its group's names, and what
    api.jobs.counted counts."""
    found = {row.id: row for row in _shown(session, ids)}
    return [found[job_id] for job_id in ids if job_id in found]
