"""Groups and their members."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.database.repositories.audit import Actor, record
from shared.database.tables import Group, Membership, User
from shared.errors import Conflict, NotFound


def every(session: Session, *, of_user: int | None = None) -> Sequence[Group]:
    """All groups by name, or those that a user is in."""
    query = select(Group).order_by(Group.name)
    if of_user is not None:
        query = query.join(Membership, Membership.group_id == Group.id).where(Membership.user_id == of_user)
    return session.scalars(query).all()


def get(session: Session, group_id: int, *, ending: bool = False) -> Group:
    """A group, which nobody else ends meanwhile. Raises NotFound."""
    found = session.get(Group, group_id, with_for_update=True if ending else {"read": True, "key_share": True})
    if found is None:
        raise NotFound(f"there is no group {group_id}")
    return found


def members(session: Session, groups: Sequence[Group]) -> dict[int, list[str]]:
    """Names of the members, in order, by group id."""
    found: dict[int, list[str]] = {group.id: [] for group in groups}
    rows = session.execute(
        select(Membership.group_id, User.name)
        .join(User, User.id == Membership.user_id)
        .where(Membership.group_id.in_(found))
        .order_by(User.name)
    )
    for group_id, name in rows:
        found[group_id].append(name)
    return found


def create(session: Session, actor: Actor, name: str) -> Group:
    """A new group without members. Raises Conflict where the name is taken."""
    made = session.scalars(
        insert(Group).values(name=name).on_conflict_do_nothing(index_elements=[Group.name]).returning(Group)
    ).one_or_none()
    if made is None:
        raise Conflict(f"there is a group {name!r} already: give another name")
    record(session, actor, "group.create", subject=name)
    return made


def remove(session: Session, actor: Actor, group_id: int) -> None:
    """End a group; the jobs that were shared with it are their owners' alone again. Raises NotFound."""
    group = get(session, group_id, ending=True)
    record(session, actor, "group.delete", subject=group.name)
    session.execute(delete(Group).where(Group.id == group_id))


def join(session: Session, actor: Actor, group_id: int, user: User) -> Group:
    """Make a user a member; no harm where they are one. Raises NotFound."""
    group = get(session, group_id)
    added = session.scalars(
        insert(Membership)
        .values(group_id=group_id, user_id=user.id)
        .on_conflict_do_nothing()
        .returning(Membership.user_id)
    ).one_or_none()
    if added is not None:
        record(session, actor, "group.join", owner_id=user.id, subject=group.name, detail={"user": user.name})
    return group


def leave(session: Session, actor: Actor, group_id: int, user: User) -> Group:
    """End a membership; no harm where there is none. Jobs that the user shares stay shared. Raises NotFound."""
    group = get(session, group_id)
    ended = session.scalars(
        delete(Membership)
        .where(Membership.group_id == group_id, Membership.user_id == user.id)
        .returning(Membership.user_id)
    ).one_or_none()
    if ended is not None:
        record(session, actor, "group.leave", owner_id=user.id, subject=group.name, detail={"user": user.name})
    return group
