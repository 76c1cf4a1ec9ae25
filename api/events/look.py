"""What one look at the database sees of the jobs that pages show."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from api.jobs.views import views
from shared.database.repositories.users import Identity
from shared.database.session import Sessions
from shared.database.tables import Job, Membership
from shared.states import State


@dataclass(frozen=True)
class Audience:
    """Who looks, and at what."""

    users: frozenset[int]
    everybody: bool
    """Whether an administrator is among them."""
    jobs: frozenset[UUID]

    @classmethod
    def of(cls, readers: Iterable[tuple[Identity, frozenset[UUID]]]) -> Audience:
        readers = list(readers)
        return cls(
            frozenset(caller.user_id for caller, _ in readers),
            any(caller.sees_all for caller, _ in readers),
            frozenset().union(*(jobs for _, jobs in readers)),
        )


@dataclass(frozen=True)
class _Shown:
    owner: int
    group: int | None
    ended: bool
    document: str
    """As `GET /v1/jobs/{id}` has it."""


@dataclass(frozen=True)
class Seen:
    """What was seen in the last look; an ended job is not read again while somebody shows it."""

    jobs: dict[UUID, _Shown] = field(default_factory=dict)
    newest: dict[int | None, str] = field(default_factory=dict)
    """When each user's newest job was made; None: anybody's."""
    groups: dict[int, frozenset[int]] = field(default_factory=dict)
    """Of each user."""

    def for_reader(self, caller: Identity, jobs: frozenset[UUID]) -> Iterator[tuple[str, str]]:
        """Name and JSON of all that this reader asked for and may see."""
        newest = self.newest.get(None if caller.sees_all else caller.user_id)
        yield "newest", json.dumps(newest)
        for key in jobs & self.jobs.keys():
            one, groups = self.jobs[key], self.groups.get(caller.user_id, frozenset())
            if caller.sees_all or one.owner == caller.user_id or one.group in groups:
                yield f"job {key}", one.document


def look(sessions: Sessions, audience: Audience, before: Seen) -> Seen:
    """A fixed number of queries for any number of pages."""
    with sessions.begin() as session:
        return Seen(_jobs(session, audience.jobs, before), _newest(session, audience), _groups(session, audience.users))


def _jobs(session: Session, wanted: frozenset[UUID], before: Seen) -> dict[UUID, _Shown]:
    there = session.execute(
        select(Job.id, Job.state, Job.group_id).where(Job.id.in_(wanted), Job.deleted_at.is_(None))
    ).all()
    kept = {
        key: before.jobs[key]
        for key, state, group in there
        if State(state).ended and key in before.jobs and before.jobs[key].ended and before.jobs[key].group == group
    }
    read = [key for key, *_ in there if key not in kept]
    rows = session.scalars(select(Job).where(Job.id.in_(read))).all() if read else []
    fresh = {
        row.id: _Shown(row.user_id, row.group_id, State(row.state).ended, view.model_dump_json())
        for row, view in zip(rows, views(session, rows), strict=True)
    }
    return kept | fresh


def _newest(session: Session, audience: Audience) -> dict[int | None, str]:
    made = select(Job.user_id, func.max(Job.created_at)).group_by(Job.user_id)
    newest: dict[int | None, str] = {
        user: at.isoformat() for user, at in session.execute(made.where(Job.user_id.in_(audience.users)))
    }
    if audience.everybody and (at := session.scalar(select(func.max(Job.created_at)))) is not None:
        newest[None] = at.isoformat()
    return newest


def _groups(session: Session, users: frozenset[int]) -> dict[int, frozenset[int]]:
    found: dict[int, set[int]] = {}
    for user, group in session.execute(
        select(Membership.user_id, Membership.group_id).where(Membership.user_id.in_(users))
    ):
        found.setdefault(user, set()).add(group)
    return {user: frozenset(groups) for user, groups in found.items()}
