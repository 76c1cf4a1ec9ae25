"""What the operations page tells an administrator to type does what it says; commands are taken from the page itself."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, select

from local.ports import free_port
from local.postgres import Postgres
from shared.database import admin
from shared.database.repositories.users import Role, create_key, revoke
from shared.database.session import connect, sessions
from shared.database.tables import ApiKey, User

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "operations.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
LINES = [shlex.split(line, comments=True) for block in BLOCKS for line in block.replace("\\\n", "").splitlines()]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def line_with(word: str) -> list[str]:
    (found,) = [line for line in LINES if word in line]
    return found


def in_postgres(server: Postgres, program: str, database: str, words: list[str]) -> list[str]:
    """A command that the page runs inside the postgres container, with this server's programs, address and database."""
    renamed = [database if word == "adhop" and words[at - 1] != "-U" else word for at, word in enumerate(words)]
    address = ["-h", "127.0.0.1", "-p", str(server.port)]
    return [str(server._programs() / program), *renamed[renamed.index(program) + 1 :], *address]


def test_the_backup_on_the_page_is_what_the_restore_on_the_page_brings_back(
    postgres: Postgres, engine: Engine, tmp_path
):
    with sessions(engine).begin() as session:
        create_key(session, "kept", Role.SUBMIT)
    database = str(engine.url.database)
    environment = {"PGPASSWORD": str(engine.url.password)}
    backup, restore = line_with("pg_dump"), line_with("pg_restore")
    assert backup[-2:] == [">", "adhop.dump"]
    assert restore[-2:] == ["<", "adhop.dump"]

    with (tmp_path / "adhop.dump").open("wb") as dump:
        command = in_postgres(postgres, "pg_dump", database, backup[:-2])
        subprocess.run(command, env=environment, stdout=dump, check=True, timeout=60)
    with sessions(engine).begin() as session:
        (prefix,) = session.scalars(select(ApiKey.prefix)).all()
        assert revoke(session, prefix) == 1
        session.add(User(name="after"))
    engine.dispose()
    with (tmp_path / "adhop.dump").open("rb") as dump:
        command = in_postgres(postgres, "pg_restore", database, restore[:-2])
        subprocess.run(command, env=environment, stdin=dump, check=True, timeout=60)

    again = connect(engine.url.render_as_string(hide_password=False))
    with sessions(again)() as session:
        assert session.scalars(select(User.name)).all() == ["kept"]
        assert session.scalars(select(ApiKey.revoked_at)).all() == [None]
    again.dispose()


def test_the_health_check_of_postgres_tells_a_server_that_answers_from_one_that_does_not(postgres: Postgres):
    kind, program, *words = SERVICES["postgres"]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "pg_isready")
    command = [str(postgres._programs() / program), *words, "-t", "2"]
    assert subprocess.run([*command, "-p", str(postgres.port)], capture_output=True, timeout=30).returncode == 0
    assert subprocess.run([*command, "-p", str(free_port())], capture_output=True, timeout=30).returncode == 2


def test_the_page_stops_everything_of_ours_before_a_restore():
    stopped = line_with("stop")
    assert stopped[:3] == ["docker", "compose", "stop"]
    ours = {name for name, service in SERVICES.items() if "build" in service}
    assert set(stopped[3:]) == ours - {"roles", "migrate"}


def test_the_first_user_is_made_as_the_page_says(capsys):
    words = line_with("create-user")
    assert words[:5] == ["docker", "compose", "run", "--rm", "api"]
    assert words[5:8] == ["python", "-m", admin.__name__]
    arguments = admin._arguments(words[8:])
    assert (arguments.command, arguments.role) == ("create-user", "admin")
    (spoken,) = re.findall(rf"`python -m {re.escape(admin.__name__)} (revoke \w+)`", PAGE)
    assert admin._arguments(spoken.split()).command == "revoke"
    with pytest.raises(SystemExit):
        admin._arguments(["create-user", "somebody", "--role", "owner"])
    assert "invalid choice" in capsys.readouterr().err


def test_the_page_explains_every_role_and_no_other():
    (told,) = re.findall(r"Roles: (.*?)\.\s", PAGE, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", told)) == {role.value for role in Role}
