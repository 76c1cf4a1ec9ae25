"""The roles of PostgreSQL: the application works with rows and can do nothing else, on a new database and on one that it owned."""

import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from alembic import command
from psycopg import errors
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import ProgrammingError

from local.migrations import configuration
from local.postgres import Postgres
from shared.database import revision, roles
from shared.database.repositories.users import Role, create_key
from shared.database.session import connect, sessions
from shared.database.tables import Base, User

PASSWORDS = {roles.OWNER: "owner's/secret", roles.APP: "app's@secret"}


def run(url: str, passwords: dict[str, str] = PASSWORDS) -> subprocess.CompletedProcess[str]:
    """`python -m shared.database.roles`, as the container does."""
    variables = {roles._PASSWORDS[role]: password for role, password in passwords.items()}
    environment = {**os.environ, **variables, "ADHOP_DATABASE_URL": url, "ADHOP_BROKER_URL": "redis://nowhere"}
    words = [sys.executable, "-m", roles.__name__]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)


def as_role(url: str, role: str) -> str:
    return make_url(url).set(username=role, password=PASSWORDS[role]).render_as_string(hide_password=False)


@pytest.fixture
def app(database_url: str) -> Iterator[Engine]:
    """The application's connection to a database whose tables a superuser had made, as all did once."""
    with psycopg.connect(database_url) as before:
        before.execute("INSERT INTO users (name) VALUES ('there before')")
    done = run(database_url)
    assert done.returncode == 0, done.stderr
    command.upgrade(configuration(as_role(database_url, roles.OWNER)), "head")
    engine = connect(as_role(database_url, roles.APP))
    yield engine
    engine.dispose()


def test_the_application_works_with_rows(app: Engine):
    with sessions(app).begin() as session:
        create_key(session, "new", Role.SUBMIT)
        revision.check(session)
        session.execute(text("SELECT nextval('claim_tokens')"))
    with sessions(app)() as session:
        assert set(session.scalars(text("SELECT name FROM users"))) == {"there before", "new"}
    with sessions(app).begin() as session:
        session.query(User).filter_by(name="there before").update({"name": "renamed"})


FORBIDDEN = [
    "CREATE TABLE mine (i int)",
    "DROP TABLE users CASCADE",
    "ALTER TABLE users ADD COLUMN mine int",
    "TRUNCATE users CASCADE",
    "DELETE FROM alembic_version",
    "INSERT INTO alembic_version VALUES ('mine')",
    "CREATE ROLE mine SUPERUSER",
    "ALTER ROLE adhop_app SUPERUSER",
    "SET ROLE adhop_owner",
    "CREATE SCHEMA mine",
    "CREATE TEMP TABLE mine (i int)",
    "COPY users TO PROGRAM 'cat'",
    "COPY users FROM '/etc/passwd'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT rolpassword FROM pg_authid",
]


def test_and_can_do_nothing_else(app: Engine):
    for statement in FORBIDDEN:
        with app.connect() as connection, pytest.raises(ProgrammingError) as refused:
            connection.exec_driver_sql(statement)
        assert isinstance(refused.value.orig, errors.InsufficientPrivilege), statement


def test_every_table_and_sequence_belongs_to_the_owner_and_is_open_to_the_application(app: Engine):
    with app.connect() as connection:
        owners = dict(
            connection.execute(text("SELECT tablename, tableowner FROM pg_tables WHERE schemaname = 'public'")).all()
        )
        assert owners.keys() == Base.metadata.tables.keys() | {"alembic_version"}
        assert set(owners.values()) == {roles.OWNER}
        for name in Base.metadata.tables:
            for right in roles._RIGHTS.get(name, roles._ROWS).split(", "):
                assert connection.scalar(text(f"SELECT has_table_privilege('{name}', '{right}')")), (name, right)
        more = "rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"
        found = text(f"SELECT rolname FROM pg_roles WHERE rolname LIKE 'adhop\\_%' AND ({more})")
        assert not connection.scalars(found).all()


def test_the_owner_migrates_down_and_up_and_the_application_gets_its_rights_again(app: Engine, database_url: str):
    config = configuration(as_role(database_url, roles.OWNER))
    app.dispose()
    command.downgrade(config, "base")
    command.upgrade(config, "head")
    with sessions(app).begin() as session:
        create_key(session, "after", Role.SUBMIT)


def test_another_role_may_not_even_connect(app: Engine, database_url: str):
    with psycopg.connect(database_url) as superuser:
        superuser.execute("DROP ROLE IF EXISTS stranger")
        superuser.execute("CREATE ROLE stranger LOGIN PASSWORD 'x'")
    url = make_url(database_url).set(username="stranger", password="x", drivername="postgresql")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(url.render_as_string(hide_password=False))


def test_run_again_it_changes_the_passwords(app: Engine, database_url: str, postgres: Postgres):
    assert run(database_url, {**PASSWORDS, roles.APP: "another"}).returncode == 0
    fresh = as_role(database_url, roles.APP)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(fresh)
    psycopg.connect(make_url(fresh).set(password="another").render_as_string(hide_password=False)).close()
    logged = (postgres.folder / "postgres.log").read_text()
    assert not any(password in logged for password in PASSWORDS.values())


def test_a_password_that_is_not_given_is_named(database_url: str):
    done = run(database_url, {roles.OWNER: "x", roles.APP: ""})
    assert done.returncode == 1
    assert "DATABASE_APP_PASSWORD" in done.stderr
    assert "Traceback" not in done.stderr
