"""Users and their API keys. A key is 256 random bits, shown once; the database keeps its SHA-256 and a public prefix.

A key reads `adhop_<prefix>_<secret>`. The prefix finds the row and may be shown; the digest is compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shared.database.tables import ApiKey, User
from shared.database.tables.accounts import Role as Role
from shared.errors import Conflict, Unauthorised

log = logging.getLogger(__name__)

_MARK = "adhop"
_PREFIX_BYTES = 4
_SECRET_BYTES = 32
_USE_NOTED_EVERY = timedelta(minutes=1)
REFUSAL = "the API key is unknown, revoked or expired, or its user is disabled"


@dataclass(frozen=True)
class Identity:
    """Who sent a request."""

    user_id: int
    user: str
    role: Role
    key_prefix: str = ""
    """The part of their key that may be shown."""
    max_requests_per_minute: int | None = None
    """The user's own limit; None for the server's."""
    key_id: int = 0

    @property
    def may_submit(self) -> bool:
        return self.role in (Role.ADMIN, Role.SUBMIT)

    @property
    def sees_all(self) -> bool:
        return self.role is Role.ADMIN


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def create_key(session: Session, name: str, role: Role) -> str:
    """A new key for the user of that name, who is created where missing. The key can't be read again. Raises Conflict where they are
    disabled."""
    session.execute(insert(User).values(name=name).on_conflict_do_nothing(index_elements=[User.name]))
    user = session.scalars(select(User).where(User.name == name)).one()
    check_enabled(user)
    return add_key(session, user.id, role)[0]


def check_enabled(user: User) -> None:
    """Raise Conflict for a user whose keys don't work, whatever their number."""
    if user.disabled_at is not None:
        raise Conflict(f"{user.name} is disabled, and no key of theirs works: run `adhop admin enable` for them first")


def add_key(
    session: Session, user_id: int, role: Role, *, label: str = "", expires_at: datetime | None = None
) -> tuple[str, ApiKey]:
    """A new key of a user, and its row. The key can't be read again."""
    prefix = secrets.token_hex(_PREFIX_BYTES)
    key = f"{_MARK}_{prefix}_{secrets.token_hex(_SECRET_BYTES)}"
    row = ApiKey(user_id=user_id, prefix=prefix, digest=_digest(key), role=role, label=label, expires_at=expires_at)
    session.add(row)
    session.flush()
    return key, row


def revoke(session: Session, prefix: str) -> int:
    """End the keys with this public prefix; returns how many there were."""
    statement = update(ApiKey).where(ApiKey.prefix == prefix, ApiKey.revoked_at.is_(None)).values(revoked_at=func.now())
    return len(session.scalars(statement.returning(ApiKey.id)).all())


def identify(session: Session, key: str) -> Identity:
    """Whose key this is; its use is noted. Raises Unauthorised, in the same words for unknown, revoked and expired keys and those of
    disabled users; the log says which."""
    mark, _, rest = key.partition("_")
    prefix, _, _ = rest.partition("_")
    digest = _digest(key)
    if mark != _MARK or not prefix:
        raise Unauthorised(REFUSAL)
    now = func.now()
    found = session.execute(
        select(ApiKey, User, ApiKey.expires_at <= now, ApiKey.last_used_at > now - _USE_NOTED_EVERY)
        .join(User)
        .where(ApiKey.prefix == prefix)
    )
    for row, user, expired, noted in found:
        if not hmac.compare_digest(row.digest, digest):
            continue
        if row.revoked_at is None and not expired and user.disabled_at is None:
            if not noted:
                _note_use(session, row.id)
            return Identity(user.id, user.name, Role(row.role), prefix, user.max_requests_per_minute, row.id)
        why = "revoked" if row.revoked_at else "expired" if expired else "user disabled"
        log.info("key refused", extra={"key": prefix, "user": user.name, "because": why})
    raise Unauthorised(REFUSAL)


def _note_use(session: Session, key_id: int) -> None:
    """Waits for nobody and for no disk: a key that somebody else is writing to is in use anyway, and a minute may be lost."""
    try:
        with session.begin_nested():
            session.execute(text("SET LOCAL synchronous_commit = off"))
            free = select(ApiKey.id).where(ApiKey.id == key_id).with_for_update(skip_locked=True, key_share=True)
            session.execute(
                update(ApiKey)
                .where(ApiKey.id.in_(free))
                .values(last_used_at=func.now())
                .execution_options(synchronize_session=False)
            )
    except OperationalError as error:  # no room on the disk, a server that only reads: the request may do without
        log.warning("use of key not noted: %s", error.orig)


def lock_user(session: Session, user_id: int) -> None:
    """Until the transaction ends nobody else adds to what is counted for this user. Taken before any lock on a job."""
    session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
