"""Keys: made, rotated, ended. Whoever ends one makes sure that an administrator is left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, text
from sqlalchemy.orm import Session

from shared.database.repositories.audit import Actor, record
from shared.database.repositories.users import Identity, Role, add_key, check_enabled
from shared.database.tables import ApiKey, User
from shared.errors import Conflict, Forbidden, InvalidInput, NotFound

_RANK = {Role.READ: 0, Role.SUBMIT: 1, Role.ADMIN: 2}


def working() -> ColumnElement[bool]:
    """Whether a key of a user who isn't disabled can be used."""
    return and_(ApiKey.revoked_at.is_(None), or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > func.now()))


def of_user(session: Session, user_id: int) -> Sequence[ApiKey]:
    """A user's keys, the newest first."""
    return session.scalars(select(ApiKey).where(ApiKey.user_id == user_id).order_by(ApiKey.id.desc())).all()


def find(session: Session, user_id: int, prefix: str) -> ApiKey:
    """A user's key, locked. Raises NotFound."""
    query = select(ApiKey).where(ApiKey.user_id == user_id, ApiKey.prefix == prefix).order_by(ApiKey.id.desc()).limit(1)
    found = session.scalars(query.with_for_update(of=ApiKey)).one_or_none()
    if found is None:
        raise NotFound(f"this user has no key {prefix}")
    return found


def create(
    session: Session, actor: Actor, user: User, role: Role, *, label: str = "", expires_at: datetime | None = None
) -> tuple[str, ApiKey]:
    """A new key, and its row. Raises InvalidInput for one that would have expired already, Conflict for a disabled user."""
    check_enabled(user)
    _check_expiry(session, expires_at)
    key, row = add_key(session, user.id, role, label=label, expires_at=expires_at)
    session.refresh(row)
    detail = {"key": row.prefix, "role": role, "label": label, "expires_at": expires_at and expires_at.isoformat()}
    record(session, actor, "key.create", owner_id=user.id, subject=user.name, detail=detail)
    return key, row


def rotate(session: Session, actor: Actor, row: ApiKey, *, grace_s: int = 0) -> tuple[str, ApiKey]:
    """A new key of the same role, label and end in place of this one, which works for `grace_s` more, seconds. Raises Conflict where
    this one doesn't work any more."""
    now = _now(session)
    _check_works(row, now)
    key, made = add_key(session, row.user_id, Role(row.role), label=row.label, expires_at=row.expires_at)
    session.refresh(made)
    if grace_s:
        until = now + timedelta(seconds=grace_s)
        row.expires_at = until if row.expires_at is None else min(until, row.expires_at)
    else:
        row.revoked_at = now
    detail = {"key": row.prefix, "new_key": made.prefix, "grace_s": grace_s}
    record(session, actor, "key.rotate", owner_id=row.user_id, subject=row.user.name, detail=detail)
    session.flush()
    return key, made


def change(
    session: Session,
    actor: Actor,
    row: ApiKey,
    *,
    label: str | None = None,
    expiry: tuple[datetime | None] | None = None,
) -> None:
    """Another label, another end (which may be none); None: as it is. Raises Conflict for a key that was revoked, InvalidInput for an
    end in the past."""
    if row.revoked_at is not None:
        raise Conflict(f"key {row.prefix} is revoked for good: make a new one")
    detail: dict[str, str | None] = {"key": row.prefix}
    if label is not None:
        detail["label"] = row.label = label
    if expiry is not None:
        (row.expires_at,) = expiry
        _check_expiry(session, row.expires_at)
        detail["expires_at"] = None if row.expires_at is None else row.expires_at.isoformat()
    record(session, actor, "key.change", owner_id=row.user_id, subject=row.user.name, detail=detail)
    session.flush()


def revoke(session: Session, actor: Actor, row: ApiKey) -> None:
    """End a key at once; no harm where it has ended. Raises Conflict for the last administrator's last one."""
    if row.revoked_at is not None:
        return
    administers = row.role == Role.ADMIN
    if administers:
        hold_administrators(session)
    row.revoked_at = _now(session)
    record(session, actor, "key.revoke", owner_id=row.user_id, subject=row.user.name, detail={"key": row.prefix})
    session.flush()
    if administers:
        check_administrator_left(session)


def check_rank(caller: Identity, row: ApiKey) -> None:
    """Raise Forbidden where a key that allows less would rotate or end one that allows more."""
    if _RANK[caller.role] < _RANK[Role(row.role)]:
        raise Forbidden(
            f"key {row.prefix} has the role {row.role}, and the one you use has {caller.role}: use one that allows as much"
        )


def hold_administrators(session: Session) -> None:
    """Until this transaction ends, nobody else takes an administrator away."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtext('adhop.administrators'))"))


def check_administrator_left(session: Session) -> None:
    """Raise Conflict, and so undo what was done, where nobody could administer the server any more."""
    left = select(ApiKey.id).join(User).where(ApiKey.role == Role.ADMIN, User.disabled_at.is_(None), working()).limit(1)
    if session.scalar(left) is None:
        raise Conflict(
            "this would leave the server without an administrator: give someone else a key with the role admin first"
        )


def _check_works(row: ApiKey, now: datetime) -> None:
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        how = "expired" if row.revoked_at is None else "was revoked"
        raise Conflict(f"key {row.prefix} {how}: ask an administrator for a new one")


def _check_expiry(session: Session, expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= _now(session):
        raise InvalidInput("this is in the past: give a later moment, or revoke the key", field="expires_at")


def _now(session: Session) -> datetime:
    return session.scalars(select(func.now())).one()
