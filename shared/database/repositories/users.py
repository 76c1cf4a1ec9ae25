"""Users and their API keys. A key is 256 random bits, shown once; the database keeps its SHA-256 and a public prefix.

A key reads `adhop_<prefix>_<secret>`. The prefix finds the row and may be shown; the digest is compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from shared.database.tables import ApiKey, User
from shared.database.tables.accounts import Role as Role
from shared.errors import Unauthorised

_MARK = "adhop"
_PREFIX_BYTES = 4
_SECRET_BYTES = 32


@dataclass(frozen=True)
class Identity:
    """Who sent a request."""

    user_id: int
    user: str
    role: Role
    key_prefix: str = ""
    """The part of their key that may be shown."""

    @property
    def may_submit(self) -> bool:
        return self.role in (Role.ADMIN, Role.SUBMIT)

    @property
    def sees_all(self) -> bool:
        return self.role is Role.ADMIN


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def create_key(session: Session, name: str, role: Role) -> str:
    """A new key for the user of that name, who is created where missing. The key can't be read again."""
    session.execute(insert(User).values(name=name).on_conflict_do_nothing(index_elements=[User.name]))
    user_id = session.scalars(select(User.id).where(User.name == name)).one()
    prefix = secrets.token_hex(_PREFIX_BYTES)
    key = f"{_MARK}_{prefix}_{secrets.token_hex(_SECRET_BYTES)}"
    session.add(ApiKey(user_id=user_id, prefix=prefix, digest=_digest(key), role=role))
    session.flush()
    return key


def revoke(session: Session, prefix: str) -> int:
    """End the keys with this public prefix; returns how many there were."""
    statement = update(ApiKey).where(ApiKey.prefix == prefix, ApiKey.revoked_at.is_(None)).values(revoked_at=func.now())
    return len(session.scalars(statement.returning(ApiKey.id)).all())


def identify(session: Session, key: str) -> Identity:
    """Whose key this is. Raises Unauthorised, in the same words for unknown and revoked keys."""
    mark, _, rest = key.partition("_")
    prefix, _, _ = rest.partition("_")
    digest = _digest(key)
    if mark == _MARK and prefix:
        rows = session.scalars(select(ApiKey).where(ApiKey.prefix == prefix, ApiKey.revoked_at.is_(None)))
        for row in rows:
            if hmac.compare_digest(row.digest, digest):
                return Identity(user_id=row.user_id, user=row.user.name, role=Role(row.role), key_prefix=prefix)
    raise Unauthorised("the API key is unknown or revoked")
