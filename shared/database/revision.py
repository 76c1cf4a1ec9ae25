"""The version of the tables. A process that was written for another one leaves them alone."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.database import migrations
from shared.errors import OtherVersion


@lru_cache(maxsize=1)
def expected() -> str:
    """The revision that this code was written for: the newest of its own migrations."""
    head = ScriptDirectory(str(Path(migrations.__file__).parent)).get_current_head()
    if head is None:
        raise OtherVersion("this installation has no migrations")
    return head


def found(session: Session) -> str | None:
    """The revision of the database; None where it was never migrated."""
    if session.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    version: str | None = session.scalar(text("SELECT version_num FROM alembic_version"))
    return version


def check(session: Session) -> None:
    """Raise OtherVersion unless the tables are of this code's version. They stay so until the transaction ends: a migration waits."""
    version = session.scalar(text("SELECT version_num FROM alembic_version FOR KEY SHARE"))
    if version != expected():
        raise OtherVersion(mismatch(version))


def mismatch(version: str | None) -> str:
    """What is wrong with tables of this version."""
    if version is None:
        return "reachable, but never migrated"
    return f"its tables are of version {version}, this program needs {expected()}"
