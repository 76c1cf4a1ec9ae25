"""Documents of jobs that change no more are kept, and made once: an ended job is told again only where it still is what it was.

What may change about such a job stands in its own row: who may read it, what is stored for it, that its candidates are being dropped.
That is looked at each time; what was counted of its walkers, candidates and energies isn't counted again. A reference that failed may
be tried again after its job ended, so that jobs with one are told anew each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row, exists, select
from sqlalchemy.orm import Session

from api.jobs.shown import ByIds, shown
from api.jobs.views import view_of
from shared.database.tables import Group, Job, JobReference, Reference, User
from shared.states import ENDED, State

_MOST_KEPT = 20_000
_MAY_CHANGE = (
    Job.state,
    Job.stage,
    Job.user_id,
    Job.group_id,
    Job.stored_bytes,
    Job.started_at,
    Job.ended_at,
    Job.candidates_dropped_at,
    Job.deleted_at,
    Job.failure_kind,
    Job.failure_reason,
)
_NAMES = [column.key for column in _MAY_CHANGE] + ["user_name", "group_name"]
_unsettled = exists().where(
    JobReference.job_id == Job.id, Reference.id == JobReference.reference_id, Reference.state != State.SUCCEEDED
)
_NOW = (
    select(
        Job.id,
        *_MAY_CHANGE,
        User.name.label("user_name"),
        Group.name.label("group_name"),
        _unsettled.label("unsettled"),
    )
    .join(User, User.id == Job.user_id)
    .join(Group, Group.id == Job.group_id, isouter=True)
)
_now = ByIds(_NOW, _NOW)


class Told(NamedTuple):
    """A job as it is told."""

    job: Row[Any]
    """Its state, whose it is, and who may read it."""
    document: bytes
    """JSON of its JobView."""


class Settled:
    """Used by many threads; each call leaves what it knows, and none depends on what is kept."""

    def __init__(self) -> None:
        self._kept: dict[UUID, tuple[tuple[Any, ...], bytes]] = {}

    def told(self, session: Session, ids: Sequence[UUID]) -> list[Told]:
        """These jobs, in the order given, without those that there are not."""
        kept = {job_id: self._kept[job_id] for job_id in ids if job_id in self._kept}
        found: dict[UUID, Told] = {}
        for now in _now(session, list(kept)):
            version, document = kept[now.id]
            if not now.unsettled and _version(now) == version:
                found[now.id] = Told(now, document)
        for row in shown(session, [job_id for job_id in ids if job_id not in found]):
            found[row.id] = Told(row, view_of(row).model_dump_json().encode())
            self._keep(row, found[row.id].document)
        return [found[job_id] for job_id in ids if job_id in found]

    def _keep(self, row: Row[Any], document: bytes) -> None:
        if row.state in ENDED and row.candidates_dropped_at is None and row.references_done == row.references_total:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[row.id] = (_version(row), document)


def _version(row: Row[Any]) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _NAMES)
