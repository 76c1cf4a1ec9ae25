"""Users as administrators see them: created, limited, disabled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from api.jobs.limits import Use, use_of_each
from api.users import keys
from shared.database.repositories.audit import Actor, record
from shared.database.repositories.users import Role
from shared.database.tables import ApiKey, Group, Membership, User
from shared.errors import Conflict, NotFound

_NO_USE = Use(0, 0, 0)


@dataclass(frozen=True)
class Account:
    """A user and what belongs to them."""

    user: User
    last_used_at: datetime | None
    roles: list[Role]
    """Of the keys that work."""
    groups: list[str]
    use: Use


def page(
    session: Session, *, name: str | None = None, limit: int, after: int | None = None
) -> tuple[list[Account], int | None]:
    """Users in the order they were created, and the id that the next page starts after. name: the one of that name."""
    query = select(User).order_by(User.id).limit(limit + 1)
    if name is not None:
        query = query.where(User.name == name)
    if after is not None:
        query = query.where(User.id > after)
    found = session.scalars(query).all()
    return accounts(session, found[:limit]), found[limit - 1].id if len(found) > limit else None


def accounts(session: Session, users: Sequence[User]) -> list[Account]:
    """What belongs to each of these users."""
    ids = [user.id for user in users]
    roles: defaultdict[int, set[Role]] = defaultdict(set)
    known = (
        select(ApiKey.user_id, func.max(ApiKey.last_used_at)).where(ApiKey.user_id.in_(ids)).group_by(ApiKey.user_id)
    )
    used = {user_id: last for user_id, last in session.execute(known)}
    for user_id, role in session.execute(
        select(ApiKey.user_id, ApiKey.role).where(ApiKey.user_id.in_(ids), keys.working())
    ):
        roles[user_id].add(Role(role))
    joined: defaultdict[int, list[str]] = defaultdict(list)
    for user_id, group in session.execute(
        select(Membership.user_id, Group.name).join(Group).where(Membership.user_id.in_(ids)).order_by(Group.name)
    ):
        joined[user_id].append(group)
    use = use_of_each(session, ids)
    return [
        Account(user, used.get(user.id), sorted(roles[user.id]), joined[user.id], use.get(user.id, _NO_USE))
        for user in users
    ]


def get(session: Session, user_id: int, *, locked: bool = False) -> User:
    """A user. Raises NotFound."""
    query = select(User).where(User.id == user_id)
    found = session.scalars(query.with_for_update(key_share=True) if locked else query).one_or_none()
    if found is None:
        raise NotFound(f"there is no user {user_id}")
    return found


def create(session: Session, actor: Actor, name: str, limits: Mapping[str, int | None]) -> User:
    """A new user without keys. Raises Conflict where the name is taken, by a disabled user too."""
    made = session.scalars(
        insert(User).values(name=name).on_conflict_do_nothing(index_elements=[User.name]).returning(User)
    ).one_or_none()
    if made is None:
        raise Conflict(f"there is a user {name!r} already: give another name, or give that user another key")
    record(session, actor, "user.create", owner_id=made.id, subject=name)
    if limits:
        limit(session, actor, made, limits)
    return made


def limit(session: Session, actor: Actor, user: User, limits: Mapping[str, int | None]) -> None:
    """Set these limits, by the names of their columns; None: the server's."""
    for name, value in limits.items():
        setattr(user, name, value)
    record(session, actor, "quota.change", owner_id=user.id, subject=user.name, detail=dict(limits))
    session.flush()


def disable(session: Session, actor: Actor, user: User) -> None:
    """The user's keys stop working. Whoever calls this cancels their open jobs; the dispatcher does, where that is cut short. Raises
    Conflict for the last administrator."""
    if user.disabled_at is not None:
        return
    administers = any(row.role == Role.ADMIN for row in keys.of_user(session, user.id))
    if administers:
        keys.hold_administrators(session)
    user.disabled_at = session.scalar(select(func.now()))
    record(session, actor, "user.disable", owner_id=user.id, subject=user.name)
    session.flush()
    if administers:
        keys.check_administrator_left(session)


def enable(session: Session, actor: Actor, user: User) -> None:
    """Those of the user's keys work again that were neither revoked nor have expired."""
    if user.disabled_at is None:
        return
    user.disabled_at = None
    record(session, actor, "user.enable", owner_id=user.id, subject=user.name)
    session.flush()
