"""What signs somebody in to the page: sessions, which browsers keep as a cookie, and links, which open one session, once.

A token is 256 random bits; the database keeps its SHA-256. It is worth what its key is worth: it ends with the key, and where the
key's user is disabled.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from shared.database.repositories.users import Identity, Role
from shared.database.tables import ApiKey, PageToken, User
from shared.errors import Unauthorised

LINK_MARK = "adhop-link_"
"""With which a link's token begins, so that it is told from a key."""
LINK_LASTS = timedelta(minutes=15)
_MOST_OF_A_KEY = 50
"""Tokens; the oldest make room."""
SIGN_IN_AGAIN = "you are signed out: the session ended, or its key did; sign in again"
USED = "this sign-in link was used already, or is older than 15 minutes: ask for another, or sign in with your key"


class Kind(StrEnum):
    SESSION = "session"
    LINK = "link"


def open_session(session: Session, key_id: int, lasts: timedelta) -> str:
    """The token of a new session of this key; it can't be read again."""
    return _made(session, key_id, Kind.SESSION, secrets.token_hex(32), lasts)


def make_link(session: Session, key_id: int) -> str:
    """The token of a new link for this key; it can't be read again."""
    return _made(session, key_id, Kind.LINK, LINK_MARK + secrets.token_hex(32), LINK_LASTS)


def find(session: Session, token: str, kind: Kind) -> Identity:
    """Whose it is. Raises Unauthorised, in the same words for what is unknown, used, expired, or of a key that ended."""
    row = session.execute(_valid(token, kind)).one_or_none()
    if row is None:
        raise Unauthorised(SIGN_IN_AGAIN if kind is Kind.SESSION else USED)
    key, user = row
    return Identity(user.id, user.name, Role(key.role), key.prefix, user.max_requests_per_minute, key.id)


def end(session: Session, token: str) -> bool:
    """End a session, or use a link up; whether it was there."""
    gone = session.scalars(delete(PageToken).where(PageToken.digest == _digest(token)).returning(PageToken.id))
    return gone.one_or_none() is not None


def _made(session: Session, key_id: int, kind: Kind, token: str, lasts: timedelta) -> str:
    of_key = select(PageToken.id).where(PageToken.key_id == key_id)
    surplus = of_key.order_by(PageToken.id.desc()).offset(_MOST_OF_A_KEY - 1)
    gone = PageToken.expires_at <= func.now()
    session.execute(
        delete(PageToken).where(gone | PageToken.id.in_(surplus)).execution_options(synchronize_session=False)
    )
    session.add(PageToken(key_id=key_id, kind=kind, digest=_digest(token), expires_at=func.now() + lasts))
    session.flush()
    return token


def _valid(token: str, kind: Kind) -> Select[ApiKey, User]:
    now = func.now()
    return (
        select(ApiKey, User)
        .join(PageToken, PageToken.key_id == ApiKey.id)
        .join(User, User.id == ApiKey.user_id)
        .where(PageToken.digest == _digest(token), PageToken.kind == kind, PageToken.expires_at > now)
        .where(ApiKey.revoked_at.is_(None), ApiKey.expires_at.is_(None) | (ApiKey.expires_at > now))
        .where(User.disabled_at.is_(None))
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
