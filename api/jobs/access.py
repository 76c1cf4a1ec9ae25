"""Who may read a job, and who may do something to it. Every route that touches a job asks here."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Row, or_, select, true
from sqlalchemy.orm import Session

from shared.database.repositories.users import Identity
from shared.database.tables import Group, Job, Membership
from shared.database.workflow import transitions
from shared.errors import Forbidden, InvalidInput, NotFound

AnyJob = TypeVar("AnyJob", Job, Row[Any])
"""A job, or what was read of it."""


def get(session: Session, identity: Identity, job_id: UUID) -> Job:
    """A job that this user may read: their own, one that its owner shares with a group of theirs, or, for an admin, any. Raises
    NotFound, in the same words for one that is someone else's and one that was deleted."""
    return readable(session, session.get(Job, job_id), identity, job_id)


def visible(identity: Identity) -> ColumnElement[bool]:
    """In SQL: whether a job, deleted or not, is one that this user may read."""
    if identity.sees_all:
        return true()
    return or_(Job.user_id == identity.user_id, shared_with(identity))


def shared_with(identity: Identity) -> ColumnElement[bool]:
    """In SQL: whether a group of this user's may read a job, their own among them."""
    groups = select(Membership.group_id).where(Membership.user_id == identity.user_id)
    return Job.group_id.in_(groups)


def get_own(session: Session, identity: Identity, job_id: UUID) -> Job:
    """A job that this user may change, or add to. Raises NotFound as `get` does, and Forbidden for one that is only shared with
    them."""
    return owned(session, session.get(Job, job_id), identity, job_id)


def hold_own(session: Session, identity: Identity, job_id: UUID) -> Job:
    """As `get_own`, and until the transaction ends nobody ends, deletes or drops any of it. Whoever counts something of the user's
    has locked the user before."""
    return owned(session, transitions.lock_job(session, job_id), identity, job_id)


def readable(session: Session, job: AnyJob | None, identity: Identity, job_id: UUID) -> AnyJob:
    """As `get`, of a job that was looked up already."""
    if job is None or job.deleted_at is not None or not _may_read(session, job, identity):
        raise NotFound(f"there is no job {job_id}")
    return job


def owned(session: Session, job: Job | None, identity: Identity, job_id: UUID) -> Job:
    """As `get_own`, of a job that was looked up already."""
    found = readable(session, job, identity, job_id)
    if not (identity.sees_all or found.user_id == identity.user_id):
        raise Forbidden(f"job {job_id} is shared with you to be read; only its owner and administrators may change it")
    return found


def _may_read(session: Session, job: Job | Row[Any], identity: Identity) -> bool:
    if identity.sees_all or job.user_id == identity.user_id:
        return True
    return job.group_id is not None and session.get(Membership, (job.group_id, identity.user_id)) is not None


def joined(session: Session, user_id: int, name: str) -> Group:
    """The group of that name, which the user is in; nobody ends it meanwhile. Raises InvalidInput, which doesn't tell other groups
    from none."""
    query = select(Group).join(Membership).where(Membership.user_id == user_id).order_by(Group.name)
    mine = session.scalars(query.with_for_update(of=Group, read=True, key_share=True)).all()
    for group in mine:
        if group.name == name:
            return group
    there = f"the owner is in {', '.join(group.name for group in mine)}" if mine else "the owner is in no group yet"
    raise InvalidInput(
        f"a job is shared with a group that its owner is in, and {name!r} is none: {there}", field="group"
    )
