"""The command line beside the database: keys that go nowhere by mistake, and trouble in one line."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from local.ports import free_port
from shared.database.repositories.users import identify
from shared.database.session import sessions
from shared.database.tables import ApiKey, User

ROOT = Path(__file__).resolve().parent.parent.parent.parent


def admin(url: str, *words: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ADHOP_DATABASE_URL": url, "ADHOP_BROKER_URL": "redis://nowhere/0"}
    return subprocess.run(
        [sys.executable, "-m", "shared.database.admin", *words],
        cwd=ROOT,
        env=environment,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )


def count(engine: Engine, table: type[User] | type[ApiKey]) -> int:
    with sessions(engine)() as session:
        return session.scalars(select(func.count()).select_from(table)).one()


@pytest.mark.parametrize("name", ["", " ", "an\nna", "x" * 101])
def test_a_user_needs_a_name_that_can_be_read(database_url: str, engine: Engine, name: str) -> None:
    ended = admin(database_url, "create-user", name, "--key-file", "-")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("adhop: ")
    assert ended.stderr.count("\n") == 1
    assert count(engine, User) == 0


def test_a_key_is_not_written_where_it_might_stay_readable(database_url: str, engine: Engine) -> None:
    ended = admin(database_url, "create-user", "anna")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "give --key-file FILE" in ended.stderr
    assert count(engine, ApiKey) == 0, "a key that nobody was told must not be made"


def test_a_key_is_shown_on_a_terminal(database_url: str, engine: Engine) -> None:
    ours, theirs = pty.openpty()
    ended = admin(database_url, "create-user", "anna", stdout=theirs)
    os.close(theirs)
    shown = os.read(ours, 1000).decode().strip()
    os.close(ours)
    assert ended.returncode == 0
    with sessions(engine)() as session:
        assert identify(session, shown).user == "anna"


def test_a_key_file_is_new_and_its_owners_alone(database_url: str, engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "key"
    ended = admin(database_url, "create-user", "anna", "--role", "admin", "--key-file", str(file))
    assert (ended.returncode, ended.stdout) == (0, "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().strip() not in ended.stderr
    with sessions(engine)() as session:
        assert identify(session, file.read_text().strip()).user == "anna"
    again = admin(database_url, "create-user", "anna", "--key-file", str(file))
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    assert count(engine, ApiKey) == 1


def test_where_the_key_file_cannot_be_written_no_key_is_made(database_url: str, engine: Engine, tmp_path: Path) -> None:
    ended = admin(database_url, "create-user", "anna", "--key-file", str(tmp_path / "missing" / "key"))
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert (count(engine, ApiKey), count(engine, User)) == (0, 0)


def test_trouble_with_the_database_is_one_line_without_its_password(database_url: str) -> None:
    away = f"postgresql://adhop:very-secret@127.0.0.1:{free_port()}/adhop"
    wrong = database_url.replace("adhop:", "adhop:very-secret", 1)
    empty = database_url.rsplit("/", 1)[0] + "/postgres"
    for url, said in (
        (away, "ADHOP_DATABASE_URL is right"),
        (wrong, "password authentication"),
        (empty, "alembic upgrade"),
    ):
        ended = admin(url, "revoke", "0a1b2c3d")
        assert ended.returncode == 2
        assert said in ended.stderr
        assert "very-secret" not in ended.stderr
        assert ended.stderr.count("\n") == 1
