"""`python -m shared.database.roles`: the roles of PostgreSQL that own the tables and that work with them. Run as a superuser, who is
needed for this and for nothing else; run again, it changes what isn't so: passwords, owners, rights.

`adhop_owner` makes and changes tables (migrations). `adhop_app` reads and writes rows (front end, dispatcher, workers): it can
neither change a table nor make a role, read a file of the server or run a program there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy import Connection, text

from shared.database.session import connect
from shared.settings import settings

OWNER = "adhop_owner"
APP = "adhop_app"
_PASSWORDS = {OWNER: "DATABASE_OWNER_PASSWORD", APP: "DATABASE_APP_PASSWORD"}
_NOTHING_MORE = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")
LOCK = 7311270
"""Of the advisory lock that migrations hold too."""
_ROWS = "SELECT, INSERT, UPDATE, DELETE"
_RIGHTS = {
    "alembic_version": "SELECT, UPDATE",  # it is never written, but PostgreSQL wants this right of whoever locks a row
    "audit": "SELECT, INSERT, DELETE",  # what was recorded is kept or dropped as a whole
}
"""Of the application, on tables where they are not those on rows."""


def prepare(connection: psycopg.Connection[Any], passwords: Mapping[str, str]) -> None:
    """Both roles with these passwords, by role; the owner takes what there is in this database. The connection is a superuser's, in
    a transaction."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
    for role, password in passwords.items():
        _make(connection, role, password)
    database = sql.Identifier(connection.info.dbname)
    owner, both = sql.Identifier(OWNER), sql.SQL(", ").join(map(sql.Identifier, passwords))
    for statement in (
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database),
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, both),
        sql.SQL("ALTER SCHEMA public OWNER TO {}").format(owner),
        sql.SQL("REVOKE ALL ON SCHEMA public FROM PUBLIC"),
        sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(sql.Identifier(APP)),
    ):
        connection.execute(statement)
    for table in _foreign(connection, "r"):
        connection.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(table, owner))
    for sequence in _foreign(connection, "S"):  # those of a column went with their table
        connection.execute(sql.SQL("ALTER SEQUENCE {} OWNER TO {}").format(sequence, owner))


def grant(connection: Connection) -> None:
    """Give the application its rights on the tables as they are now, where there is such a role. Called after each migration, as
    the tables' owner."""
    if not connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :app"), {"app": APP}):
        return
    tables = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"))
    for name in tables.all():
        table = f'public."{name}"'
        connection.exec_driver_sql(f"REVOKE ALL ON {table} FROM {APP}")
        connection.exec_driver_sql(f"GRANT {_RIGHTS.get(name, _ROWS)} ON {table} TO {APP}")
    connection.exec_driver_sql(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {APP}")


def _make(connection: psycopg.Connection[Any], role: str, password: str) -> None:
    """The password is sent as what PostgreSQL stores of it, so that no log of statements can hold it."""
    there = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    name = sql.Identifier(role)
    if not there:
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    command = sql.SQL("ALTER ROLE {} {} PASSWORD {}").format(name, _NOTHING_MORE, sql.Literal(verifier))
    connection.execute(command)


def _foreign(connection: psycopg.Connection[Any], kind: str) -> Iterator[sql.Identifier]:
    """Relations of this kind in the schema whose owner is another role."""
    found = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = %s "
        "AND relowner <> %s::regrole",
        (kind, OWNER),
    )
    return (sql.Identifier("public", name) for (name,) in found.fetchall())


def main() -> int:
    """Exit status."""
    missing = [variable for variable in _PASSWORDS.values() if not os.environ.get(variable)]
    if missing:
        sys.stderr.write(f"set {' and '.join(missing)}: the passwords of the roles {OWNER} and {APP}\n")
        return 1
    engine = connect(settings().database_url.get_secret_value(), pool_size=1)
    with engine.begin() as connection:
        plain = cast(psycopg.Connection[Any], connection.connection.driver_connection)
        prepare(plain, {role: os.environ[variable] for role, variable in _PASSWORDS.items()})
    engine.dispose()
    sys.stderr.write(f"the roles {OWNER} and {APP} are ready\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
